"""The emulator's addresses: loopback, and the gateway at which containers ask for their task's metadata."""

import os
from collections.abc import Awaitable, Callable
from typing import Any

import docker  # type: ignore[import-untyped]
import hypercorn.asyncio
from hypercorn.config import Config

from local.emulation.extension import extend

DEFAULT_NETWORK = "bridge"


def install() -> None:
    """Extend the emulator's start."""
    extend(hypercorn.asyncio, "serve", serve)


def serve(original: Callable[..., Awaitable[None]], app: Any, config: Config) -> Awaitable[None]:
    """Serve on the containers' gateway too, where there is an engine: `host.docker.internal` leads there."""
    if os.environ.get("DOCKER_HOST"):
        port = config.bind[0].rpartition(":")[2]
        config.bind = [*config.bind, f"{gateway()}:{port}"]
    return original(app, config)


def gateway() -> str:
    """Address of the host on the engine's default network."""
    client = docker.from_env()
    try:
        [network] = client.networks.get(DEFAULT_NETWORK).attrs["IPAM"]["Config"]
        return str(network["Gateway"])
    finally:
        client.close()
