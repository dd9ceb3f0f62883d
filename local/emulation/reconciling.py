"""How ECS brings a service to its desired count: one count at a time, and what serves goes last.

Source: Amazon ECS developer guide, "Service scheduler concepts", and `DeploymentConfiguration` in the API reference.
"""

import threading
from collections import defaultdict
from collections.abc import Callable

from ministack.services import ecs  # type: ignore[import-untyped]

from local.emulation import traffic
from local.emulation.extension import extend
from local.emulation.stopping import Record, tasks_of

ROUNDS: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)
"""A lock for each service, by cluster and name: held while its tasks are counted and started."""


def install() -> None:
    """Extend the emulator's service scheduler."""
    extend(ecs, "_reconcile_service_tasks", reconcile)


def reconcile(original: Callable[[str, str], None], cluster_name: str, service_key: str) -> None:
    """Start and stop tasks by one count of them.

    The emulator's threads count and start at once, and so start a task that is missing several times.
    """
    with ROUNDS[service_key]:
        service = ecs._services.get(service_key)
        if service and service["status"] == "ACTIVE":
            traffic.place(service)
            _give_up(cluster_name, service)
        original(cluster_name, service_key)


def _give_up(cluster_name: str, service: Record) -> None:
    """End what earlier deployments leave unfinished; the emulator would stop their oldest tasks first, which serve.

    A task that has just taken another's place in a deployment that is complete serves too, however young it is.
    """
    primary = ecs._primary_deployment(service)
    for deployment in service["deployments"]:
        if deployment is not primary and (shift := traffic.SHIFTS.get(deployment["id"])):
            shift.abandon()
    complete = {one["id"] for one in service["deployments"] if one["rolloutState"] == "COMPLETED"} | {primary["id"]}
    for task in tasks_of(service):
        shift = traffic.SHIFTS.get(task["_deployment_id"])
        is_useless = not task["_startup_stable"] or (shift and shift.stage is traffic.Stage.ABANDONED)
        if is_useless and task["_deployment_id"] not in complete and task["lastStatus"] in ecs._PRE_STOP_STATUSES:
            reason = f"Scaling activity initiated by deployment {primary['id']}"
            ecs._stop_task({"task": task["taskArn"], "cluster": cluster_name, "reason": reason})
