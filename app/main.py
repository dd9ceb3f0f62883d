"""The service that ships: a small ASGI server that says which architecture answers.

It stands for whatever you deploy. What matters to the stack is its contract: `/healthz` tells the load balancer
whether to send traffic, SIGTERM drains, logs are one JSON object a line, and nothing is written to disk.
"""

import asyncio
import contextlib
import json
import math
import os
import platform
import signal
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
METADATA_TIMEOUT_SECONDS = 2.0

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Message, Receive, Send], Awaitable[None]]


@dataclass(frozen=True)
class Settings:
    """What the task definition tells the process, all of it by environment variables.

    Attributes:
        version: `VERSION`, the release that answers.
        port: `PORT`, TCP.
        drain_seconds: `DRAIN_SECONDS`, how long after SIGTERM new requests are still answered at most, so that the
            load balancer can see the red health check first.
        quiet_seconds: `QUIET_SECONDS`, the drain ends early once nobody, not even a health check, has asked for
            that long: the load balancer has let go of this task already.
        stop_seconds: `STOP_SECONDS`, how long requests in flight may take after that.
        metadata_uri: `ECS_CONTAINER_METADATA_URI_V4`, set by ECS itself.
    """

    version: str = "dev"
    port: int = 8080
    drain_seconds: float = 0.0
    quiet_seconds: float = 0.0
    stop_seconds: int = 30
    metadata_uri: str = ""

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str]) -> "Settings":
        """Read the settings; a variable that is not set keeps its default."""
        return cls(
            version=environment.get("VERSION", cls.version),
            port=int(environment.get("PORT", cls.port)),
            drain_seconds=float(environment.get("DRAIN_SECONDS", cls.drain_seconds)),
            quiet_seconds=float(environment.get("QUIET_SECONDS", cls.quiet_seconds)),
            stop_seconds=int(environment.get("STOP_SECONDS", cls.stop_seconds)),
            metadata_uri=environment.get("ECS_CONTAINER_METADATA_URI_V4", cls.metadata_uri),
        )


class Service:
    """The application's state: who it is, and whether it still wants traffic."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.draining = False
        self.last_request = -math.inf
        self.machine = platform.machine()
        self.arch = ARCHITECTURES.get(self.machine, self.machine)
        self.task = platform.node()

    async def root(self, _: Request) -> JSONResponse:
        """Say who answers."""
        return JSONResponse(
            {"arch": self.arch, "machine": self.machine, "version": self.settings.version, "task": self.task}
        )

    async def health(self, _: Request) -> JSONResponse:
        """Tell the load balancer whether to send traffic: 200, or 503 while draining."""
        if self.draining:
            return JSONResponse({"status": "draining"}, status_code=503)
        return JSONResponse({"status": "ok"})

    @contextlib.asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Learn the task's id before the first request is taken."""
        task = await asyncio.to_thread(task_id, self.settings.metadata_uri)
        self.task = task or self.task
        log(event="started", arch=self.arch, version=self.settings.version, task=self.task)
        yield
        log(event="stopped", task=self.task)


def task_id(metadata_uri: str) -> str | None:
    """Ask ECS's task metadata endpoint, version 4, for this task's id; None outside ECS."""
    if not metadata_uri:
        return None
    try:
        with urllib.request.urlopen(f"{metadata_uri}/task", timeout=METADATA_TIMEOUT_SECONDS) as response:
            return str(json.load(response)["TaskARN"]).rsplit("/", 1)[-1]
    except (OSError, ValueError, KeyError) as error:
        log(event="no task metadata", reason=str(error))
        return None


def log(**fields: object) -> None:
    """Write one JSON object to standard output, which ECS sends to the log group."""
    sys.stdout.write(json.dumps({"time": round(time.time(), 3), **fields}) + "\n")
    sys.stdout.flush()


class AccessLog:
    """ASGI middleware: one line for each request; while draining, each answer also closes its connection."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app = app
        self.service = service

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass the request on and log its status and time."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = self.service.last_request = time.monotonic()
        status = 500

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if self.service.draining:
                    message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        try:
            await self.app(scope, receive, observed)
        finally:
            log(
                method=scope["method"],
                path=scope["path"],
                status=status,
                ms=round((time.monotonic() - started) * 1000, 2),
                arch=self.service.arch,
                task=self.service.task,
            )


class Server(uvicorn.Server):
    """uvicorn that drains on SIGTERM: health turns red, requests go on being answered, then it stops.

    ECS takes a task out of its target group before it sends SIGTERM, but a Spot interruption sends SIGTERM while the
    load balancer still routes to the task. A second signal stops at once.
    """

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self.service = service

    async def serve(self, sockets: list[Any] | None = None) -> None:
        """Serve until a signal; a drain that ends well leaves exit code 0."""
        self.loop = asyncio.get_running_loop()
        await super().serve(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain on the first SIGTERM; leave every other signal to uvicorn."""
        if sig != signal.SIGTERM or self.service.draining:
            super().handle_exit(sig, frame)
            return
        self.service.draining = True
        log(event="draining", task=self.service.task)
        deadline = time.monotonic() + self.service.settings.drain_seconds
        self.loop.call_soon_threadsafe(self.drain, deadline)

    def drain(self, deadline: float) -> None:
        """Leave when the load balancer has let go of this task, or at the deadline; requests in flight finish."""
        now = time.monotonic()
        quiet_at = self.service.last_request + self.service.settings.quiet_seconds
        if now >= min(deadline, quiet_at):
            self.should_exit = True
        else:
            self.loop.call_later(min(deadline, quiet_at) - now, self.drain, deadline)


def create_server(settings: Settings, routes: tuple[BaseRoute, ...] = ()) -> Server:
    """Build the server; `routes` come after its own."""
    service = Service(settings)
    app = Starlette(
        routes=[Route("/", service.root), Route("/healthz", service.health), *routes],
        lifespan=service.lifespan,
    )
    config = uvicorn.Config(
        AccessLog(app, service),
        host="0.0.0.0",
        port=settings.port,
        access_log=False,
        log_level="warning",
        # Above the load balancer's idle time-out of 60 s: the side that closes first must be the load balancer,
        # or it sends a request into a connection that has just gone.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=settings.stop_seconds,
    )
    return Server(config, service)


if __name__ == "__main__":
    create_server(Settings.from_environment(os.environ)).run()
