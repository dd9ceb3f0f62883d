"""How ECS stops a task that serves: deregister, drain, SIGTERM, and SIGKILL only after the stop timeout.

Source: Amazon ECS developer guide, "Task lifecycle" and the container definition's `stopTimeout`.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

from ministack.core.concurrency import resource_lock, spawn_background  # type: ignore[import-untyped]
from ministack.core.responses import json_response  # type: ignore[import-untyped]
from ministack.services import ecs  # type: ignore[import-untyped]

from local.emulation.extension import extend
from local.emulation.targets import TARGETS

Record = dict[str, Any]

STOPPING = frozenset({"DEACTIVATING", "STOPPING"})
POLL_SECONDS = 0.1
DEFAULT_STOP_SECONDS = 30


def install() -> None:
    """Extend how the emulator stops tasks and deletes services."""
    extend(ecs, "_stop_task", stop_task)
    extend(ecs, "_delete_service", delete_service)


def stop_task(original: Callable[[Record], Any], data: Record) -> Any:
    """Begin to stop a task and return at once, as ECS does; a task that does not run yet stops directly."""
    task = ecs._resolve_task(data.get("task", ""), ecs._resolve_cluster_name(data.get("cluster", "default")))
    if task is None:
        return original(data)
    with resource_lock("ecs-task", task["taskArn"]):
        was_running = task["lastStatus"] == "RUNNING"
        if was_running:
            task.update(desiredStatus="STOPPED", lastStatus="DEACTIVATING", stoppingAt=ecs._iso())
            task["stoppedReason"] = data.get("reason", "Task stopped by user")
            ecs._bump_task_version(task)
    if was_running:
        ecs._refresh_service_state(ecs._cluster_name_from_arn(task["clusterArn"]), task.get("group", ""))
        spawn_background(_finish, original, data, task, thread_name=f"stop-{task['taskArn'][-8:]}")
    elif task["lastStatus"] not in STOPPING:
        return original(data)
    return json_response({"task": ecs._sanitize(task)})


def _finish(original: Callable[[Record], Any], data: Record, task: Record) -> None:
    host = ecs._task_ip(task)
    while any(target.is_draining for target in TARGETS.at(host)):
        time.sleep(POLL_SECONDS)
    task["lastStatus"] = "STOPPING"
    try:
        for container_id, container in zip(task["_docker_ids"], task["containers"], strict=False):
            container["exitCode"] = _stop_container(container_id, _stop_seconds(task, container["name"]))
    finally:
        task["desiredStatus"] = "RUNNING"  # the original only stops a task that is still wanted
        original(data)


def _stop_container(container_id: str, seconds: int) -> int:
    container = ecs._get_docker().containers.get(container_id)
    container.stop(timeout=seconds)
    return int(container.wait()["StatusCode"])


def _stop_seconds(task: Record, container_name: str) -> int:
    definition = ecs._task_defs[ecs._resolve_td_key(task["taskDefinitionArn"])]
    return next(
        int(container.get("stopTimeout", DEFAULT_STOP_SECONDS))
        for container in definition["containerDefinitions"]
        if container["name"] == container_name
    )


def delete_service(original: Callable[[Record], Any], data: Record) -> Any:
    """Delete a service, which stays DRAINING until its last task has stopped."""
    response = original(data)
    for service in list(ecs._services.values()):
        if service["status"] == "INACTIVE" and is_stopping(tasks_of(service)):
            service["status"] = "DRAINING"
            spawn_background(_deactivate, service, thread_name=f"delete-{service['serviceName']}")
    return response


def _deactivate(service: Record) -> None:
    await_stopped(tasks_of(service))
    service["status"] = "INACTIVE"


def tasks_of(service: Record) -> list[Record]:
    """List a service's tasks, stopped ones included."""
    group, cluster = f"service:{service['serviceName']}", service["clusterArn"]
    return [task for task in ecs._tasks.values() if task.get("group") == group and task["clusterArn"] == cluster]


def is_stopping(tasks: Iterable[Record]) -> bool:
    """Tell whether any of the tasks is on its way down."""
    return any(task["lastStatus"] in STOPPING for task in tasks)


def await_stopped(tasks: list[Record]) -> None:
    """Wait until none of the tasks is on its way down any more."""
    while is_stopping(tasks):
        time.sleep(POLL_SECONDS)
