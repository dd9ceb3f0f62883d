"""Load from a process of its own, so that it does not share the interpreter of what it watches."""

import subprocess
import sys
import time
from types import TracebackType

from local.load.report import Report
from local.load.traffic import DEFAULT_RATE, DEFAULT_SECONDS, TIMEOUT_SECONDS, Traffic, require_bridge
from local.problem import Problem

MARGIN_SECONDS = 5.0


class Load:
    """Requests that go on while a block runs.

        with Load(url) as load:
            ...
        assert load.report.failed == 0

    The child ends when its standard input closes: by `stop`, or with this process, however that ends.

    Attributes:
        report: what became of the requests, once the load was stopped.
    """

    report: Report

    def __init__(
        self,
        url: str,
        *,
        rate: int = DEFAULT_RATE,
        seconds: int = DEFAULT_SECONDS,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._traffic = Traffic(url, rate=rate, seconds=seconds, timeout_seconds=timeout_seconds)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Load":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the child and wait until its first request was answered.

        Raises:
            Problem: the containers' bridge is down, or nothing answers.
        """
        require_bridge(self._traffic)
        self._started = time.monotonic()
        self._process = _spawn(self._traffic)
        assert self._process.stdout
        try:
            first = self._process.stdout.readline().decode().strip()
            if not first.isdigit():
                reason = first or "the child has ended"
                raise Problem(f"load on {self._traffic.url}: nothing answers ({reason}); see whether the stack is up")
        except BaseException:
            self._kill()
            raise

    def stop(self) -> None:
        """End the load, let the requests in flight finish, and keep the report; stopping twice is stopping once.

        Raises:
            Problem: the load had ended by itself, and so does not cover what it was to cover, or it failed.
        """
        if not (process := self._process):
            return
        is_over = time.monotonic() - self._started > self._traffic.seconds
        try:
            output, _ = process.communicate(timeout=self._traffic.timeout_seconds + MARGIN_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill()
            raise Problem(f"load on {self._traffic.url}: does not end; killed") from None
        self._process = None
        if process.returncode:
            raise Problem(f"load on {self._traffic.url}: failed (exit code {process.returncode})")
        self.report = Report.from_json(output.decode())
        if is_over:
            seconds = self._traffic.seconds
            raise Problem(f"load on {self._traffic.url}: over after {seconds} s, before its block; give more seconds")

    def _kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.communicate()
        self._process = None


def _spawn(traffic: Traffic) -> subprocess.Popen[bytes]:
    """Start the child out of reach of the terminal's Ctrl-C; its pipes are not buffered here."""
    options = {"rate": traffic.rate, "seconds": traffic.seconds, "timeout": traffic.timeout_seconds}
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "local.load",
            traffic.url,
            *(f"--{name}={value}" for name, value in options.items()),
            "--piped",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
    )
