"""Fields of services and containers that the emulator drops, taken over as ECS takes them."""

from collections.abc import Callable
from typing import Any

from ministack.services import ecs  # type: ignore[import-untyped]

from local.emulation.extension import extend

Record = dict[str, Any]

SERVICE_FIELDS = (
    "availabilityZoneRebalancing",
    "enableECSManagedTags",
    "placementConstraints",
    "placementStrategy",
    "propagateTags",
    "serviceConnectConfiguration",
    "serviceRegistries",
    "volumeConfigurations",
)
"""Fields of CreateService and UpdateService that DescribeServices answers with."""

CONTAINER_FIELDS = {"entryPoint": "entrypoint", "readonlyRootFilesystem": "read_only", "user": "user"}
"""Fields of a container definition, with Docker's names."""


class PinnedArguments(dict[str, Any]):
    """Arguments for a container that keep its platform.

    The emulator takes it out, and starts the task on the host's architecture, where the declared one cannot run.
    """

    def pop(self, key: str, *default: Any) -> Any:
        """Remove an argument; the platform stays, and counts as absent."""
        return None if key == "platform" else super().pop(key, *default)


def install() -> None:
    """Extend the emulator's services and containers."""
    extend(ecs, "_create_service", create_service)
    extend(ecs, "_update_service", update_service)
    extend(ecs, "_build_run_kwargs", container_arguments)


def create_service(original: Callable[[Record], Any], data: Record) -> Any:
    """Create a service with all that was asked for."""
    response = original(data)
    if service := find_service(data, data.get("serviceName", "")):
        _take(service, data)
    return response


def update_service(original: Callable[[Record], Any], data: Record) -> Any:
    """Update a service; a new deployment gets the new capacity strategy, and failed ones of the past go."""
    service = find_service(data, data.get("service", ""))
    if service:
        _take(service, data)
        if strategy := data.get("capacityProviderStrategy"):
            service.update(capacityProviderStrategy=strategy, launchType=None)
        service["deployments"] = [
            one for one in service["deployments"] if one["status"] == "PRIMARY" or one["rolloutState"] != "FAILED"
        ]
    return original(data)


def container_arguments(original: Callable[..., Record], definition: Record, *args: Any, **kwargs: Any) -> Record:
    """Run a container as its definition says: user, entry point, read-only root file system, architecture."""
    given = {docker: definition[name] for name, docker in CONTAINER_FIELDS.items() if name in definition}
    return PinnedArguments({**original(definition, *args, **kwargs), **given})


def find_service(data: Record, reference: str) -> Record | None:
    """Find the service that a request's cluster and reference name."""
    found = ecs._resolve_service_ref(reference)
    cluster = ecs._resolve_cluster_name(data.get("cluster", "default"))
    service: Record | None = ecs._services.get(f"{cluster}/{found[0]}") if found else None
    return service


def _take(service: Record, data: Record) -> None:
    service.update({field: data[field] for field in SERVICE_FIELDS if field in data})
