"""Stand-in for Pulumi's awsx plugin: `python -m local.standins.awsx`.

A component provider with `awsx:ec2:Vpc` and `awsx:ecr:Repository`; their children go through the engine to
whichever aws plugin there is.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any

import grpc  # type: ignore[import-untyped]
import pulumi
from pulumi.provider import ConstructResult, Provider
from pulumi.provider.server import ProviderServicer
from pulumi.runtime.proto import provider_pb2_grpc

from local.standins.awsx_repository import Repository
from local.standins.awsx_vpc import Vpc
from local.standins.process import ENGINE_WATCH_SECONDS, MESSAGE_BYTES

VERSION = "3.11.0"
COMPONENTS: dict[str, type[Vpc] | type[Repository]] = {
    "awsx:ec2:Vpc": Vpc,
    "awsx:ecr:Repository": Repository,
}


class Awsx(Provider):
    """The package `awsx`, as far as the stand-in has it."""

    def __init__(self) -> None:
        super().__init__(VERSION)

    def construct(
        self,
        name: str,
        resource_type: str,
        inputs: Mapping[str, Any],
        options: pulumi.ResourceOptions | None = None,
    ) -> ConstructResult:
        """Make a component.

        Raises:
            ValueError: the type or an input is unknown or wrong.
        """
        if resource_type not in COMPONENTS:
            raise ValueError(f"{resource_type}: not supported by the stand-in; it has {', '.join(COMPONENTS)}")
        component = COMPONENTS[resource_type](name, inputs, options)
        return ConstructResult(component.urn, component.outputs)


class Servicer(ProviderServicer):
    """The SDK's side of the protocol, with failures of one line in place of tracebacks."""

    async def Construct(self, request: Any, context: Any) -> Any:
        """Make the component that the engine asks for."""
        try:
            return await self._construct(request, context)
        except Exception as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, " ".join(str(error).split()))


async def serve() -> None:
    """Serve on a free loopback port until a signal, or until the engine that started this process ends."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    options = [(f"grpc.max_{way}_message_length", MESSAGE_BYTES) for way in ("send", "receive")]
    server = grpc.aio.server(options=options)
    servicer = Servicer(Awsx(), sys.argv[1:], engine_address=sys.argv[-1])
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    engine = os.getppid()
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    await server.start()
    while not stop.is_set() and os.getppid() == engine:
        await asyncio.sleep(ENGINE_WATCH_SECONDS)
    os._exit(0)  # calls still running must not outlive the engine: they would be awaited otherwise


if __name__ == "__main__":
    asyncio.run(serve())
