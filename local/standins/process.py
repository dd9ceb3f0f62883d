"""The life of a plugin's process: it prints its port, serves, and ends quietly with the engine."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Any

import grpc  # type: ignore[import-untyped]

WORKERS = 64
MESSAGE_BYTES = 400 * 1024 * 1024  # the engine's own limit, sdk/go/common/util/rpcutil
ENGINE_WATCH_SECONDS = 1.0


def serve(register: Callable[[Any, str], None]) -> None:
    """Serves on a free loopback port until a signal, or until the engine that started this process ends.

    Args:
        register: Adds the plugin's service to a gRPC server, given the engine's address.
    """
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    options = [(f"grpc.max_{way}_message_length", MESSAGE_BYTES) for way in ("send", "receive")]
    server = grpc.server(ThreadPoolExecutor(WORKERS), options=options)
    register(server, sys.argv[-1])
    engine = os.getppid()
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    while not stop.wait(ENGINE_WATCH_SECONDS) and os.getppid() == engine:
        pass
    sys.stdout.flush()
    os._exit(0)  # calls still running must not outlive the engine: threads would be joined otherwise
