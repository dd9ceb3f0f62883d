"""The emulator with processes in place of containers: `python -m tests.emulator_on_processes`.

An image's name is ignored; the task's environment says how the process behaves (see `container_process.py`).
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

PROCESS = Path(__file__).with_name("container_process.py")
# Shorter than the emulator's own, so that the tests are quicker.
SETTLE_SECONDS = 3.0
IDLE_CONNECTION_SECONDS = 1.0
# Longer than the emulator's own, so that what two threads do at once overlaps.
LAUNCH_SECONDS = 0.1
_numbers = count(2)


class Container:
    def __init__(self, arguments: dict[str, Any]) -> None:
        self.id = f"{next(_numbers):012d}"
        self.address = f"127.0.66.{int(self.id)}"
        self.attrs = {"NetworkSettings": {"Networks": {"bridge": {"IPAddress": self.address}}}}
        environment = {**os.environ, **arguments["environment"], "ADDRESS": self.address}
        self.process = subprocess.Popen([sys.executable, str(PROCESS)], env=environment)

    @property
    def status(self) -> str:
        return "running" if self.process.poll() is None else "exited"

    def reload(self) -> None:
        pass

    def wait(self) -> dict[str, int]:
        return {"StatusCode": self.process.wait()}

    def logs(self, **_: Any) -> list[bytes]:
        return []

    def stop(self, timeout: int) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def remove(self, **_: Any) -> None:
        self.process.kill()


class Containers:
    def __init__(self) -> None:
        self.by_id: dict[str, Container] = {}

    def run(self, _image: str, **arguments: Any) -> Container:
        container = Container(arguments)
        self.by_id[container.id] = container
        return container

    def get(self, container_id: str) -> Container:
        return self.by_id[container_id]

    def list(self, **_: Any) -> list[Container]:
        return []


class Images:
    def pull(self, *_: Any, **__: Any) -> None:
        pass


class Docker:
    containers = Containers()
    images = Images()


def launch(original: Callable[..., Any], *args: Any) -> Any:
    time.sleep(LAUNCH_SECONDS)
    return original(*args)


if __name__ == "__main__":
    from ministack.services import ecs  # type: ignore[import-untyped]

    from local.emulation import rollout, targets
    from local.emulation.extension import extend
    from local.emulator import main

    ecs._docker = Docker()
    extend(ecs, "_run_task", launch)
    rollout.SETTLE_SECONDS, targets.IDLE_CONNECTION_SECONDS = SETTLE_SECONDS, IDLE_CONNECTION_SECONDS
    try:
        main()
    finally:
        for running in Docker.containers.by_id.values():
            running.remove()
