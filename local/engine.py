"""Which Docker Engine the local target runs on: the machine's own if it will do, else one of its own."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import docker  # type: ignore[import-untyped]
from docker.errors import DockerException  # type: ignore[import-untyped]

from local import daemons
from local.daemons import PROBE_SECONDS
from local.layout import Layout
from local.problem import Problem
from local.processes import end
from local.progress import note

DEFAULT_SOCKET = Path("/var/run/docker.sock")
CONTAINERD_STORE = "io.containerd.snapshotter.v1"
EMULATOR_LABEL = "ministack"


def usable(layout: Layout) -> str | None:
    """Address of the machine's own engine, or None where set-up has to start one.

    It has to be on this machine, and its image store has to hold several platforms of one digest.

    Raises:
        Problem: DOCKER_HOST names an engine that does not answer, or this user may not use the socket.
    """
    named = os.environ.get("DOCKER_HOST")
    if named == f"unix://{layout.engine_socket}":
        named = None
    if named is None and not DEFAULT_SOCKET.exists():
        return None
    host = named or f"unix://{DEFAULT_SOCKET}"
    if not host.startswith("unix://"):
        note(f"Docker Engine at {host}: not on this machine; one is started beside it")
        return None
    _require_permission(Path(host.removeprefix("unix://")))
    if (store := _image_store(host)) is None:
        if named:
            raise Problem(f"DOCKER_HOST={named}: no Docker Engine answers there; start it, or unset DOCKER_HOST")
        return None
    if store != CONTAINERD_STORE:
        note(f"Docker Engine at {host}: its store holds one platform to a digest; one is started beside it")
        return None
    return host


def stop(layout: Layout) -> None:
    """End the engine that set-up started, its containers first, and what a killed engine left."""
    _remove_containers(f"unix://{layout.engine_socket}", filters={})
    daemons.docker_engine(layout).stop()
    end(lambda: daemons.container_pids(layout), grace_seconds=0)
    # A process id in there may be another program's by the next start, which the engine would take for its own.
    shutil.rmtree(layout.engine_run, ignore_errors=True)


def remove_tasks(host: str) -> None:
    """Remove the containers that the emulator left on an engine; none where no engine answers."""
    _remove_containers(host, filters={"label": EMULATOR_LABEL})


def _remove_containers(host: str, *, filters: Mapping[str, str]) -> None:
    if not daemons.engine_answers(host):
        return
    client = docker.DockerClient(base_url=host)
    try:
        for container in client.containers.list(all=True, filters=dict(filters)):
            container.remove(force=True)
    finally:
        client.close()


def _require_permission(socket: Path) -> None:
    if socket.exists() and not os.access(socket, os.R_OK | os.W_OK):
        raise Problem(f"docker: permission denied on {socket}; run with sudo, or join the group that owns it")


def _image_store(host: str) -> str | None:
    """Kind of the engine's image store ("" for the classic ones); None where no engine answers."""
    try:
        client = docker.DockerClient(base_url=host, timeout=PROBE_SECONDS)
        try:
            return str(dict(client.info().get("DriverStatus") or []).get("driver-type", ""))
        finally:
            client.close()
    except DockerException:
        return None
