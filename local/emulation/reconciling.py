"""How ECS brings a service to its desired count: one round at a time, and the spoilt tasks go first.

Source: Amazon ECS developer guide, "Service scheduler concepts", and `DeploymentConfiguration` in the API reference.
"""

import threading
from collections import defaultdict
from collections.abc import Callable

from ministack.services import ecs  # type: ignore[import-untyped]

from local.emulation.extension import extend

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
        original(cluster_name, service_key)
