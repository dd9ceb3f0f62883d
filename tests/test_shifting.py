"""Traffic that ECS shifts from one target group to the other, on processes in place of containers."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]

from tests.emulated import BREAKER, Emulator, Load, forward, primary, running, wait_until

# The API takes whole minutes; the emulator is as quick as the tests want it.
BAKE_MINUTES = 1 / 60
NUMBERS = count()
ALARM = "too-many-errors"
CANARY = {
    "strategy": "CANARY",
    "bakeTimeInMinutes": BAKE_MINUTES,
    "canaryConfiguration": {"canaryPercent": 12.5, "canaryBakeTimeInMinutes": BAKE_MINUTES},
    "alarms": {"enable": True, "rollback": True, "alarmNames": [ALARM]},
}
LINEAR = {
    "strategy": "LINEAR",
    "bakeTimeInMinutes": BAKE_MINUTES,
    "linearConfiguration": {"stepPercent": 40, "stepBakeTimeInMinutes": BAKE_MINUTES},
}
BLUE_GREEN = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": BAKE_MINUTES}
AT_LENGTH = CANARY | {"canaryConfiguration": {"canaryPercent": 20, "canaryBakeTimeInMinutes": 10}}


@dataclass(frozen=True)
class Front:
    """A load balancer whose production rule forwards to two groups."""

    emulator: Emulator
    groups: list[str]
    rule: str

    @classmethod
    def create(cls, emulator: Emulator, name: str) -> "Front":
        groups = emulator.balance(name)
        balancer = emulator.balancing.describe_load_balancers(Names=[name])["LoadBalancers"][0]["LoadBalancerArn"]
        [listener] = emulator.balancing.describe_listeners(LoadBalancerArn=balancer)["Listeners"]
        [rule] = emulator.balancing.create_rule(
            ListenerArn=listener["ListenerArn"],
            Priority=1,
            Conditions=[{"Field": "path-pattern", "Values": ["*"]}],
            Actions=[forward(groups, (100, 0))],
        )["Rules"]
        return cls(emulator, groups, rule["RuleArn"])

    @property
    def attachment(self) -> dict[str, Any]:
        return plain(self.groups[0]) | {
            "advancedConfiguration": {
                "alternateTargetGroupArn": self.groups[1],
                "productionListenerRule": self.rule,
                "roleArn": "arn:aws:iam::000000000000:role/ecs",
            }
        }

    def weights(self) -> tuple[int, ...]:
        [rule] = self.emulator.balancing.describe_rules(RuleArns=[self.rule])["Rules"]
        return tuple(group["Weight"] for group in rule["Actions"][0]["ForwardConfig"]["TargetGroups"])

    def healthy(self) -> tuple[int, ...]:
        return tuple(self.emulator.states(group)["healthy"] for group in self.groups)

    def rolled_out(self, name: str) -> list[tuple[int, ...]]:
        """Wait for the end of a deployment, and list the weights that the rule had until then."""
        seen = [self.weights()]

        def has_ended() -> bool:
            if (now := self.weights()) != seen[-1]:
                seen.append(now)
            return bool(primary(self.emulator.service(name))["rolloutState"] != "IN_PROGRESS")

        wait_until(has_ended)
        return seen


def plain(group: str) -> dict[str, Any]:
    return {"targetGroupArn": group, "containerName": "app", "containerPort": 8080}


@pytest.fixture(scope="module")
def aws() -> Iterator[Emulator]:
    with running() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def unused(aws: Emulator) -> Front:
    return Front.create(aws, "unused")


@pytest.fixture
def serving(aws: Emulator, request: pytest.FixtureRequest) -> Iterator[tuple[str, Front]]:
    """A service on its first deployment, by its name and what is in front of it; the test's parameter configures it."""
    name = f"service-{next(NUMBERS)}"
    front = Front.create(aws, name)
    aws.create(name, front.attachment, request.param, VERSION="1")
    assert front.rolled_out(name) == [(100, 0)]
    assert front.healthy() == (2, 0)
    yield name, front
    aws.ecs.delete_service(service=name, force=True)


@pytest.mark.parametrize(
    ("serving", "there", "back"),
    [
        pytest.param(CANARY, [(100, 0), (875, 125), (0, 100)], [(0, 100), (125, 875), (100, 0)], id="canary"),
        pytest.param(
            LINEAR,
            [(100, 0), (60, 40), (20, 80), (0, 100)],
            [(0, 100), (40, 60), (80, 20), (100, 0)],
            id="linear",
        ),
        pytest.param(BLUE_GREEN, [(100, 0), (0, 100)], [(0, 100), (100, 0)], id="blue-green"),
    ],
    indirect=["serving"],
)
def test_a_deployment_shifts_the_traffic_and_the_next_one_shifts_it_back(
    aws: Emulator, serving: tuple[str, Front], there: list[tuple[int, int]], back: list[tuple[int, int]]
) -> None:
    name, front = serving
    with Load(aws, name) as load:
        aws.update(name, VERSION="2", HEALTHY_AFTER="1")
        assert front.rolled_out(name) == there
        assert front.healthy() == (0, 2)
        aws.update(name, VERSION="3")
        assert front.rolled_out(name) == back
    assert front.healthy() == (2, 0)
    assert load.failures == 0
    assert all(load.answers[200, version] for version in "123")
    assert [one["rolloutState"] for one in aws.service(name)["deployments"]] == ["COMPLETED"]


@pytest.mark.parametrize("serving", [CANARY], indirect=True)
def test_a_deployment_that_never_runs_gets_no_traffic(aws: Emulator, serving: tuple[str, Front]) -> None:
    name, front = serving
    with Load(aws, name) as load:
        aws.update(name, VERSION="2", DIE_AFTER="0.1")
        assert front.rolled_out(name) == [(100, 0)]
    assert load.failures == 0
    assert load.answers.keys() == {(200, "1")}
    assert {one["rolloutState"] for one in aws.service(name)["deployments"]} == {"COMPLETED", "FAILED"}


@pytest.mark.parametrize("serving", [AT_LENGTH], indirect=True)
def test_an_alarm_takes_the_traffic_back(aws: Emulator, serving: tuple[str, Front]) -> None:
    name, front = serving
    before = aws.service(name)["taskDefinition"]
    aws.watch.put_metric_alarm(
        AlarmName=ALARM,
        Namespace="AWS/ApplicationELB",
        MetricName="HTTPCode_Target_5XX_Count",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        Statistic="Sum",
    )
    with Load(aws, name) as load:
        aws.update(name, VERSION="2")
        wait_until(lambda: front.weights() == (80, 20))
        aws.watch.set_alarm_state(AlarmName=ALARM, StateValue="ALARM", StateReason="by hand")
        assert front.rolled_out(name)[-1] == (100, 0)
    aws.watch.set_alarm_state(AlarmName=ALARM, StateValue="OK", StateReason="by hand")
    service = aws.service(name)
    failed = next(one for one in service["deployments"] if one["rolloutState"] == "FAILED")
    assert failed["rolloutStateReason"] == f"ECS deployment failed: alarm detected: {ALARM}."
    assert service["taskDefinition"] == before
    assert load.failures == 0
    assert front.healthy() == (2, 0)


@pytest.mark.parametrize("serving", [AT_LENGTH], indirect=True)
def test_a_deployment_in_place_of_an_unfinished_one_begins_at_the_old_weights(
    aws: Emulator, serving: tuple[str, Front]
) -> None:
    name, front = serving
    with Load(aws, name) as load:
        aws.update(name, VERSION="2")
        wait_until(lambda: front.weights() == (80, 20))
        aws.update(name, {"deploymentConfiguration": BREAKER | BLUE_GREEN}, VERSION="3")
        assert front.rolled_out(name) == [(100, 0), (0, 100)]
    assert load.failures == 0
    assert front.healthy() == (0, 2)
    assert aws.get(name) == (200, "3")


def test_a_service_takes_a_strategy_up_and_puts_it_down(aws: Emulator) -> None:
    front = Front.create(aws, "changing")
    aws.serve("changing", front.groups[0], VERSION="1")
    aws.rolled_out("changing")
    with Load(aws, "changing") as load:
        shifted = {"deploymentConfiguration": BREAKER | BLUE_GREEN, "loadBalancers": [front.attachment]}
        aws.update("changing", shifted, VERSION="2")
        assert front.rolled_out("changing") == [(100, 0), (0, 100)]
        rolled = {"deploymentConfiguration": BREAKER, "loadBalancers": [plain(front.groups[1])]}
        aws.update("changing", rolled, VERSION="3")
        assert front.rolled_out("changing") == [(0, 100)]
    assert load.failures == 0
    assert front.healthy() == (0, 2)
    assert aws.get("changing") == (200, "3")


@pytest.mark.parametrize(
    ("configuration", "advanced", "problem"),
    [
        pytest.param({"strategy": "FAST"}, {}, "strategy FAST is unknown; allowed: ROLLING", id="strategy"),
        pytest.param(BLUE_GREEN | {"lifecycleHooks": [{}]}, {}, "lifecycleHooks are not emulated", id="hooks"),
        pytest.param(
            BLUE_GREEN | {"alarms": {"enable": True}}, {}, "alarms without rollback are not emulated", id="alarms"
        ),
        pytest.param(BLUE_GREEN, {"testListenerRule": "r"}, "testListenerRule is not emulated", id="test rule"),
        pytest.param(
            BLUE_GREEN, {"productionListenerRule": "r"}, "rule r does not forward to both target groups", id="rule"
        ),
        pytest.param(BLUE_GREEN, None, "BLUE_GREEN needs advancedConfiguration", id="no advanced configuration"),
    ],
)
def test_what_is_not_emulated_is_refused(
    aws: Emulator, unused: Front, configuration: dict[str, Any], advanced: dict[str, Any] | None, problem: str
) -> None:
    attachment = unused.attachment
    attachment["advancedConfiguration"] |= advanced or {}
    attachment = plain(unused.groups[0]) if advanced is None else attachment
    with pytest.raises(ClientError, match=f"InvalidParameterException.*{problem}"):
        aws.create("refused", attachment, configuration, VERSION="1")
