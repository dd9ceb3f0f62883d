"""A stand-in plugin as the engine sees it: a process, a port, and the provider protocol."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc  # type: ignore[import-untyped]
from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderStub

from local.standins.wire import Props, from_struct, to_struct

STARTUP_SECONDS = 30


@contextmanager
def emulator() -> Iterator[str]:
    """Run MiniStack without Docker on a free port; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "DOCKER_HOST": "unix:///nowhere/docker.sock",
    }
    command = [sys.executable, "-m", "ministack"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _await(f"http://127.0.0.1:{port}/_ministack/health")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _await(address: str) -> None:
    deadline = time.monotonic() + STARTUP_SECONDS
    while True:
        try:
            urllib.request.urlopen(address, timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


class Plugin:
    """What the engine asks of a plugin, with plain Python values."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    def check_config(self, config: Props) -> list[str]:
        answer = self._stub.CheckConfig(provider_pb2.CheckRequest(news=to_struct(config)))
        return [failure.reason for failure in answer.failures]

    def configure(self, config: Props) -> None:
        self._stub.Configure(provider_pb2.ConfigureRequest(args=to_struct(config)))

    def check(self, type: str, name: str, new: Props, old: Props | None = None) -> tuple[Props, list[str]]:
        request = provider_pb2.CheckRequest(
            urn=_urn(type, name), news=to_struct(new), olds=to_struct(old or {}), randomSeed=name.encode()
        )
        answer = self._stub.Check(request)
        return from_struct(answer.inputs), [failure.reason for failure in answer.failures]

    def create(self, type: str, name: str, inputs: Props, *, preview: bool = False) -> tuple[str, Props]:
        answer = self._stub.Create(
            provider_pb2.CreateRequest(urn=_urn(type, name), properties=to_struct(inputs), preview=preview)
        )
        return answer.id, from_struct(answer.properties)

    def read(self, type: str, name: str, id: str, outputs: Props, inputs: Props) -> tuple[str, Props, Props]:
        request = provider_pb2.ReadRequest(
            urn=_urn(type, name), id=id, properties=to_struct(outputs), inputs=to_struct(inputs)
        )
        answer = self._stub.Read(request)
        return answer.id, from_struct(answer.properties), from_struct(answer.inputs)

    def diff(self, type: str, name: str, id: str, outputs: Props, inputs: Props, new: Props) -> Any:
        return self._stub.Diff(
            provider_pb2.DiffRequest(
                urn=_urn(type, name),
                id=id,
                olds=to_struct(outputs),
                old_inputs=to_struct(inputs),
                news=to_struct(new),
            )
        )

    def update(self, type: str, name: str, id: str, outputs: Props, inputs: Props, new: Props) -> Props:
        request = provider_pb2.UpdateRequest(
            urn=_urn(type, name),
            id=id,
            olds=to_struct(outputs),
            old_inputs=to_struct(inputs),
            news=to_struct(new),
        )
        return from_struct(self._stub.Update(request).properties)

    def delete(self, type: str, name: str, id: str, outputs: Props, inputs: Props) -> None:
        self._stub.Delete(
            provider_pb2.DeleteRequest(
                urn=_urn(type, name), id=id, properties=to_struct(outputs), old_inputs=to_struct(inputs)
            )
        )

    def invoke(self, function: str, args: Props) -> Props:
        answer = self._stub.Invoke(provider_pb2.InvokeRequest(tok=function, args=to_struct(args)))
        assert not answer.failures, answer.failures[0].reason
        return from_struct(getattr(answer, "return"))


class Engine(engine_pb2_grpc.EngineServicer):
    """The engine, as far as a plugin calls it."""

    def Log(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()


@contextmanager
def _engine() -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor())
    engine_pb2_grpc.add_EngineServicer_to_server(Engine(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None)


@contextmanager
def plugin(module: str, environment: Mapping[str, str]) -> Iterator[Plugin]:
    """Run a stand-in; yields the engine's side of it."""
    with (
        _engine() as engine,
        subprocess.Popen(
            [sys.executable, "-m", module, engine],
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdout
        try:
            with grpc.insecure_channel(f"127.0.0.1:{process.stdout.readline().strip()}") as channel:
                yield Plugin(ResourceProviderStub(channel))
        finally:
            process.terminate()


def _urn(type: str, name: str) -> str:
    return f"urn:pulumi:test::ecs-multiarch::{type}::{name}"
