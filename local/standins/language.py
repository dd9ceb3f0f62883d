"""The Python language host: `python -m local.standins.language` runs programs in this interpreter."""

# ruff: noqa: ARG002 - the methods' arguments are those of language.proto

import os
import runpy
from pathlib import Path
from typing import Any

from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

from local.standins import process


class LanguageHost(LanguageServer):
    """Runs the program that a request names, where the SDK's own server runs one fixed function."""

    def __init__(self, engine_address: str) -> None:
        super().__init__(program=lambda: None)
        self._engine_address = engine_address

    def Handshake(self, request: Any, context: Any) -> Any:
        """Accepts the engine."""
        return language_pb2.LanguageHandshakeResponse()

    def Run(self, request: Any, context: Any) -> Any:
        """Runs the program; the SDK has logged its error already, so that the engine is only told to stop."""
        directory = Path(request.info.program_directory)
        os.chdir(directory)
        self.program = lambda: _run_program(directory)
        request.args[:] = [self._engine_address]
        result = super().Run(request, context)  # type: ignore[no-untyped-call]
        return language_pb2.RunResponse(bail=bool(result.error))


def _run_program(directory: Path) -> None:
    runpy.run_path(str(directory / "__main__.py"), run_name="__main__")


def main() -> None:
    """Serves until the engine goes away."""

    def register(server: Any, engine_address: str) -> None:
        language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(engine_address), server)

    process.serve(register)


if __name__ == "__main__":
    main()
