"""The Python language host: `python -m local.standins.language` runs programs in this interpreter."""

# ruff: noqa: ARG002 - the methods' arguments are those of language.proto

import asyncio
import contextvars
import logging
import os
import runpy
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pulumi import log
from pulumi.automation._server import LanguageServer
from pulumi.errors import RunError
from pulumi.runtime import reset_options, run_in_stack, set_all_config
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

from local.standins import process

# What the SDK raises when the engine has gone ahead and ended the update; the engine tells why itself.
ENDED_BY_ENGINE = ("context canceled", "Resource monitor has terminated, shutting down")

# The SDK's own host: each registration blocks a thread until its resource is done.
THREADS_EACH = 4


class LanguageHost(LanguageServer):
    """Runs the program that a request names, where the SDK's own server runs one fixed function."""

    def __init__(self, engine_address: str) -> None:
        super().__init__(program=lambda: None)
        self._engine_address = engine_address

    def Handshake(self, request: Any, context: Any) -> Any:
        """Accepts the engine."""
        return language_pb2.LanguageHandshakeResponse()

    def Run(self, request: Any, context: Any) -> Any:
        """Runs the program; its errors are logged here, so that the engine is only told to stop."""
        os.chdir(request.info.program_directory)
        complaint = contextvars.copy_context().run(self._run, request)
        sys.stdout.flush()
        return language_pb2.RunResponse(bail=complaint is not None)

    def _run(self, request: Any) -> str | None:
        reset_options(
            project=request.project,
            stack=request.stack,
            organization=request.organization or "organization",
            monitor_address=request.monitor_address,
            engine_address=self._engine_address,
            parallel=request.parallel,
            preview=request.dryRun,
        )
        set_all_config(dict(request.config), list(request.configSecretKeys))
        # What is still pending when a program fails is nobody's business: the SDK's own host does the same.
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        program = str(Path(request.info.program_directory, "__main__.py"))
        try:
            asyncio.run(_run_program(program, threads=max(request.parallel, 1) * THREADS_EACH))
        except (Exception, SystemExit) as error:
            complaint = _complaint(error, program)
            if complaint not in ENDED_BY_ENGINE:
                log.error(complaint)
            return complaint
        return None


async def _run_program(program: str, *, threads: int) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(threads))

    def run() -> None:
        runpy.run_path(program, run_name="__main__")

    await run_in_stack(run)


def _complaint(error: BaseException, program: str) -> str:
    if isinstance(error, RunError) or str(error) in ENDED_BY_ENGINE:
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    start = next((index for index, frame in enumerate(frames) if frame.filename == program), 0)
    lines = [*traceback.format_list(frames[start:]), *traceback.format_exception_only(error)]
    return "Program failed with an unhandled exception:\n" + "".join(lines)


def main() -> None:
    """Serves until the engine goes away."""

    def register(server: Any, engine_address: str) -> None:
        language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(engine_address), server)

    process.serve(register)


if __name__ == "__main__":
    main()
