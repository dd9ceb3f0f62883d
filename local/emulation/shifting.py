"""How ECS shifts traffic to a deployment whose tasks are healthy: step by step, and back when an alarm goes off.

Source: Amazon ECS developer guide, "How CloudWatch alarms detect Amazon ECS deployment failures".
"""

import time

from ministack.core.concurrency import resource_lock, spawn_background  # type: ignore[import-untyped]
from ministack.services import cloudwatch, ecs  # type: ignore[import-untyped]

from local.emulation.reconciling import ROUNDS
from local.emulation.stopping import Record
from local.emulation.strategy import ALL_PERCENT, steps
from local.emulation.traffic import SHIFTS, Shift, Stage, is_shifted

POLL_SECONDS = 0.2
SECONDS_PER_MINUTE = 60


def has_traffic(cluster_name: str, service_key: str) -> bool:
    """Tell whether the primary deployment, all healthy, has the traffic for good; the first question begins its shift.

    A deployment that was complete before, or comes first, gets all of it at once.
    """
    with ROUNDS[service_key]:
        service = ecs._services[service_key]
        deployment = ecs._primary_deployment(service)
        shift = SHIFTS.get(deployment["id"]) if is_shifted(service) else None
        if shift and shift.stage is Stage.WAITING:
            shift.stage = Stage.SHIFTING
            name = f"shift-{service['serviceName']}"
            spawn_background(_shift, cluster_name, service_key, deployment, shift, thread_name=name)
        elif shift and shift.stage is Stage.DONE:
            shift.give(ALL_PERCENT)
        return shift is None or shift.stage is Stage.DONE


def _shift(cluster_name: str, service_key: str, deployment: Record, shift: Shift) -> None:
    service = ecs._services[service_key]
    for percent, minutes in steps(service["deploymentConfiguration"]):
        with ROUNDS[service_key]:
            if not _goes_on(service, shift):
                return
            shift.give(percent)
        if reason := _bake(service, shift, minutes):
            _roll_back(service_key, deployment, reason)
            ecs._reconcile_service_tasks(cluster_name, service_key)
            break
    with ROUNDS[service_key]:
        if _goes_on(service, shift):
            shift.stage = Stage.DONE
    ecs._complete_service_deployment(cluster_name, service_key)


def _goes_on(service: Record, shift: Shift) -> bool:
    return shift.stage is Stage.SHIFTING and service["status"] == "ACTIVE"


def _bake(service: Record, shift: Shift, minutes: float) -> str | None:
    """Wait while the shift goes on; tell what speaks against it."""
    deadline = time.monotonic() + SECONDS_PER_MINUTE * minutes
    while _goes_on(service, shift):
        if alarm := _alarm(service["deploymentConfiguration"].get("alarms", {})):
            return f"ECS deployment failed: alarm detected: {alarm}."
        if time.monotonic() >= deadline:
            break
        time.sleep(POLL_SECONDS)
    return None


def _alarm(alarms: Record) -> str | None:
    for name in alarms.get("alarmNames", ()) if alarms.get("enable") else ():
        alarm = cloudwatch._alarms.get(name) or cloudwatch._composite_alarms.get(name)
        if alarm and alarm["StateValue"] == "ALARM":
            return str(name)
    return None


def _roll_back(service_key: str, deployment: Record, reason: str) -> None:
    service = ecs._services[service_key]
    with resource_lock("ecs-service", service_key):
        if ecs._primary_deployment(service) is not deployment:
            return
        earlier = next(one for one in service["deployments"] if one["rolloutState"] == "COMPLETED")
        deployment.update(status="ACTIVE", desiredCount=0, rolloutState="FAILED", rolloutStateReason=reason)
        earlier.update(status="PRIMARY", desiredCount=service["desiredCount"], rolloutState="IN_PROGRESS")
        earlier["rolloutStateReason"] = "ECS deployment rollback in progress."
        service["taskDefinition"] = earlier["taskDefinition"]
