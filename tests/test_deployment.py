from typing import Any

import pytest

from infra.deployment import is_steady, summary

NEW: dict[str, Any] = {"status": "PRIMARY", "rolloutState": "COMPLETED"}
OLD: dict[str, Any] = {"status": "ACTIVE", "rolloutState": "COMPLETED"}


@pytest.mark.parametrize(
    ("deployments", "running", "steady"),
    [
        pytest.param([NEW], 2, True, id="all of it runs"),
        pytest.param([NEW], 1, False, id="a task is missing"),
        pytest.param([NEW | {"rolloutState": "IN_PROGRESS"}, OLD], 4, False, id="under way"),
        pytest.param([NEW | {"rolloutState": "IN_PROGRESS"}], 2, False, id="the old ones have just gone"),
        pytest.param([NEW | {"rolloutState": "FAILED"}], 2, False, id="failed"),
    ],
)
def test_when_a_service_is_steady(deployments: list[dict[str, Any]], running: int, steady: bool) -> None:
    assert is_steady({"deployments": deployments, "runningCount": running, "desiredCount": 2}) is steady


def test_a_stopped_task_is_told_in_a_line() -> None:
    task = {
        "taskArn": "arn:aws:ecs:eu-west-1:123456789012:task/web/0a1b",
        "taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/web-prod:7",
        "stoppedReason": "Essential container in task exited",
        "containers": [{"exitCode": 1, "reason": "OutOfMemoryError"}],
    }
    assert summary(task) == (
        "task 0a1b (web-prod:7) stopped: Essential container in task exited; OutOfMemoryError, exit code 1"
    )
