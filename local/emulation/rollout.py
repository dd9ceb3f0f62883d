"""How ECS rolls a service over: a task counts once its target is healthy, and only then do old ones go.

Source: Amazon ECS developer guide, "Deploy Amazon ECS services by replacing tasks" and "How the deployment
circuit breaker detects failures".
"""

import time
from collections.abc import Callable
from typing import Any

from ministack.core.concurrency import spawn_background  # type: ignore[import-untyped]
from ministack.services import ecs  # type: ignore[import-untyped]

from local.emulation.extension import extend
from local.emulation.shifting import has_traffic
from local.emulation.stopping import Record, await_stopped, is_stopping, tasks_of
from local.emulation.targets import TARGETS, Health, Target
from local.emulation.traffic import target_groups

POLL_SECONDS = 0.2
SETTLE_SECONDS = 8.0
"""How long a target is healthy before its task counts.

ECS learns of target health in rounds; a task that dies right after its first pass never counts as healthy.
"""


def install() -> None:
    """Extend the emulator's deployments."""
    extend(ecs, "_make_deployment", make_deployment)
    extend(ecs, "_record_service_task_healthy", record_task_healthy)
    extend(ecs, "_complete_service_deployment", complete_deployment)


def make_deployment(original: Callable[..., Record], *args: Any, **kwargs: Any) -> Record:
    """Begin a deployment in progress, a service's first one too."""
    deployment = original(*args, **kwargs)
    reason = f"ECS deployment {deployment['id']} in progress."
    return {**deployment, "rolloutState": "IN_PROGRESS", "rolloutStateReason": reason}


def record_task_healthy(original: Callable[[str, Record], None], service_key: str, task: Record) -> None:
    """Count a task as healthy once its targets have been healthy for a while; until then this blocks."""
    if ecs._services.get(service_key, {}).get("loadBalancers"):
        spawn_background(_guard, service_key, task, thread_name=f"guard-{task['taskArn'][-8:]}")
        while _is_running(task) and not _is_settled(_targets(service_key, task)):
            time.sleep(POLL_SECONDS)
    original(service_key, task)


def complete_deployment(
    original: Callable[..., None], cluster_name: str, service_key: str, expected_deployment_id: str | None = None
) -> None:
    """Stop the old tasks once enough new ones are healthy; the deployment is complete when they are gone."""
    service = ecs._services.get(service_key)
    if not service or not _is_ready(service) or not has_traffic(cluster_name, service_key):
        return
    primary = ecs._primary_deployment(service)
    old = [task for task in tasks_of(service) if task["_deployment_id"] != primary["id"]]
    old = [task for task in old if task["lastStatus"] != "STOPPED"]
    for task in old:
        reason = f"Scaling activity initiated by deployment {primary['id']}"
        ecs._stop_task({"task": task["taskArn"], "cluster": cluster_name, "reason": reason})
    if not is_stopping(old):
        original(cluster_name, service_key, expected_deployment_id)
        return

    def finish() -> None:
        await_stopped(old)
        original(cluster_name, service_key, expected_deployment_id)

    spawn_background(finish, thread_name=f"complete-{service_key}")


def _is_ready(service: Record) -> bool:
    """Tell whether enough tasks of a deployment in progress are healthy."""
    primary = ecs._primary_deployment(service)
    if not primary or primary["rolloutState"] != "IN_PROGRESS":
        return False
    new = [task for task in tasks_of(service) if task["_deployment_id"] == primary["id"]]
    healthy = [task for task in new if task["lastStatus"] == "RUNNING" and task["_startup_stable"]]
    return len(healthy) >= int(service["desiredCount"])


def _guard(service_key: str, task: Record) -> None:
    """Replace a running task whose target turns unhealthy after the service's grace period."""
    grace = ecs._services[service_key].get("healthCheckGracePeriodSeconds") or 0
    time.sleep(grace)
    while _is_running(task):
        for target in _targets(service_key, task):
            if target.health is Health.UNHEALTHY:
                _fail(task, f"Task failed ELB health checks in (target-group {target.group_arn})")
                return
        time.sleep(POLL_SECONDS)


def _fail(task: Record, reason: str) -> None:
    cluster_name = ecs._cluster_name_from_arn(task["clusterArn"])
    ecs._stop_task({"task": task["taskArn"], "cluster": cluster_name, "reason": reason})
    ecs._record_service_task_failure(task)


def _targets(service_key: str, task: Record) -> list[Target]:
    groups = target_groups(ecs._services[service_key])
    return [target for target in TARGETS.at(ecs._task_ip(task)) if target.group_arn in groups]


def _is_settled(targets: list[Target]) -> bool:
    now = time.monotonic()
    settled = [one for one in targets if one.healthy_since and now - one.healthy_since >= SETTLE_SECONDS]
    return bool(targets) and len(settled) == len(targets)


def _is_running(task: Record) -> bool:
    return task["lastStatus"] == "RUNNING" and bool(ecs._task_is_active(task["taskArn"], task))
