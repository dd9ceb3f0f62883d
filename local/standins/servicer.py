"""The engine's side of a provider: messages in, messages out, every failure one line."""

# ruff: noqa: ARG002, D102 - the methods' names, arguments and meanings are those of provider.proto

import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import grpc  # type: ignore[import-untyped]
from google.protobuf import any_pb2, empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    plugin_pb2,
    provider_pb2,
    provider_pb2_grpc,
    status_pb2,
)

from local.standins import process
from local.standins.plugin import (
    Call,
    InvalidInputs,
    PartialFailure,
    Provider,
    ProviderError,
    ResourceType,
    State,
)
from local.standins.wire import from_struct, to_struct


def serve(provider: Provider) -> None:
    """Runs a provider as this process's plugin until the engine goes away."""

    def register(server: Any, engine_address: str) -> None:
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(provider, engine_address), server)

    process.serve(register)


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Answers the engine on behalf of a provider, in the protocol of pulumi's provider.proto."""

    def __init__(self, provider: Provider, engine_address: str) -> None:
        self._provider = provider
        self._cancelled = threading.Event()
        self._engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(engine_address))

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=self._provider.version)

    def CheckConfig(self, request: Any, context: Any) -> Any:
        try:
            self._provider.configure(from_struct(request.news))
        except ProviderError as error:
            failure = provider_pb2.CheckFailure(reason=str(error))
            return provider_pb2.CheckResponse(inputs=request.news, failures=[failure])
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:
        with _one_line(context):
            self._provider.configure(from_struct(request.args))
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Invoke(self, request: Any, context: Any) -> Any:
        with _one_line(context):
            try:
                result = self._provider.invoke(request.tok, from_struct(request.args))
            except InvalidInputs as error:
                return provider_pb2.InvokeResponse(failures=_failures(error))
            return provider_pb2.InvokeResponse(**{"return": to_struct(result)})

    def Check(self, request: Any, context: Any) -> Any:
        with _one_line(context):
            kind, call = self._target(request, seed=request.randomSeed)
            try:
                inputs = kind.check(call, old=from_struct(request.olds), new=from_struct(request.news))
            except InvalidInputs as error:
                return provider_pb2.CheckResponse(inputs=request.news, failures=_failures(error))
            return provider_pb2.CheckResponse(inputs=to_struct(inputs))

    def Diff(self, request: Any, context: Any) -> Any:
        with _one_line(context):
            kind, call = self._target(request)
            state = _state(request, outputs=request.olds, inputs=request.old_inputs)
            found = kind.diff(call, state=state, new=from_struct(request.news))
            some = bool(found.changed or found.replacing)
            answer = provider_pb2.DiffResponse
            return answer(
                changes=answer.DIFF_SOME if some else answer.DIFF_NONE,
                diffs=found.changed,
                replaces=found.replacing,
                deleteBeforeReplace=found.delete_first,
            )

    def Create(self, request: Any, context: Any) -> Any:
        with _one_line(context):
            kind, call = self._target(request, preview=request.preview, timeout_seconds=request.timeout)
            state = kind.create(call, from_struct(request.properties))
            return provider_pb2.CreateResponse(id=state.id, properties=to_struct(state.outputs))

    def Read(self, request: Any, context: Any) -> Any:
        with _one_line(context):
            kind, call = self._target(request)
            state = _state(request, outputs=request.properties, inputs=request.inputs)
            live = kind.read(call, state)
            if live is None:
                return provider_pb2.ReadResponse()
            return provider_pb2.ReadResponse(
                id=live.id, properties=to_struct(live.outputs), inputs=to_struct(live.inputs)
            )

    def Update(self, request: Any, context: Any) -> Any:
        with _one_line(context):
            kind, call = self._target(request, preview=request.preview, timeout_seconds=request.timeout)
            state = _state(request, outputs=request.olds, inputs=request.old_inputs)
            outputs = kind.update(call, state=state, new=from_struct(request.news))
            return provider_pb2.UpdateResponse(properties=to_struct(outputs))

    def Delete(self, request: Any, context: Any) -> Any:
        with _one_line(context):
            kind, call = self._target(request, timeout_seconds=request.timeout)
            kind.delete(call, _state(request, outputs=request.properties, inputs=request.old_inputs))
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: Any) -> Any:
        self._cancelled.set()
        return empty_pb2.Empty()

    def _target(self, request: Any, **circumstances: Any) -> tuple[ResourceType, Call]:
        shown = ""

        def log(line: str) -> None:
            nonlocal shown
            if line == shown:
                return
            shown = line
            self._engine.Log(
                engine_pb2.LogRequest(severity=engine_pb2.INFO, message=line, urn=request.urn, ephemeral=True)
            )

        *_, type_chain, name = request.urn.split("::", 3)
        call = Call(urn=request.urn, name=name, cancelled=self._cancelled, log=log, **circumstances)
        return self._provider.resource_type(type_chain.split("$")[-1]), call


@contextmanager
def _one_line(context: Any) -> Iterator[None]:
    """Turns whatever is raised inside into a gRPC status whose text is one line."""
    try:
        yield
    except PartialFailure as error:
        _abort(context, str(error), _init_failed(error))
    except ProviderError as error:
        _abort(context, str(error))
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(frame.filename).name}:{frame.lineno}"
        _abort(context, f"the stand-in plugin failed at {where}: {type(error).__name__}: {error}")


def _abort(context: Any, message: str, *details: Any) -> NoReturn:
    code = grpc.StatusCode.FAILED_PRECONDITION
    line = " ".join(message.split())
    status = status_pb2.Status(code=code.value[0], message=line, details=details)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, line)
    raise AssertionError("abort always raises")


def _init_failed(error: PartialFailure) -> Any:
    packed = any_pb2.Any()
    packed.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=error.id,
            properties=to_struct(error.outputs),
            inputs=to_struct(error.inputs),
            reasons=[str(error)],
        )
    )
    return packed


def _failures(error: InvalidInputs) -> list[Any]:
    return [provider_pb2.CheckFailure(property=name, reason=reason) for name, reason in error.reasons.items()]


def _state(request: Any, *, outputs: Any, inputs: Any) -> State:
    return State(id=request.id, outputs=from_struct(outputs), inputs=from_struct(inputs))
