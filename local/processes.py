"""Daemons: started in sessions of their own, found again by a mark in their environment, stopped by id.

A daemon carries its checkout and name in an environment variable, which its children inherit. So there is no moment
at which a started process is not yet written down, and an id that another program got later is never taken for it.
"""

import os
import select
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local.problem import Problem

MARK = "ECS_MULTIARCH_DAEMON"
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Daemon:
    """A long-running program of the local target.

    Attributes:
        name: as people know it; also the log's name.
        owner: directory that tells this checkout's daemons from another's.
        command: program and arguments.
        environment: variables added to the caller's.
        log: file that takes its output.
        is_ready: whether it answers.
        start_seconds: longest time to become ready.
        stop_seconds: longest time to end after SIGTERM, before SIGKILL.
    """

    name: str
    owner: Path
    command: tuple[str, ...]
    log: Path
    is_ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    start_seconds: float = 60
    stop_seconds: float = 20

    @property
    def mark(self) -> str:
        """What tells its processes from all others: the value of MARK in their environment."""
        return f"{self.owner}:{self.name}"

    def pids(self) -> list[int]:
        """Its processes and those of its children that kept its environment."""
        return marked(self.mark)

    def start(self) -> None:
        """Start it and wait until it is ready.

        Raises:
            Problem: it ended or did not get ready in time; the line holds the log's last line.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        pid = self._spawn()
        deadline = time.monotonic() + self.start_seconds
        while not self.is_ready():
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                raise Problem(f"{self.name} ended with {code}: {last_line(self.log)} (log: {self.log})")
            if time.monotonic() > deadline:
                raise Problem(
                    f"{self.name} is not ready after {self.start_seconds:.0f} s: "
                    f"{last_line(self.log)} (log: {self.log})"
                )
            time.sleep(POLL_SECONDS)

    def _spawn(self) -> int:
        """Start the program in a session of its own, out of reach of the terminal's Ctrl-C; return its id."""
        output = (os.POSIX_SPAWN_OPEN, 1, self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        return os.posix_spawnp(
            self.command[0],
            self.command,
            {**os.environ, **self.environment, MARK: self.mark},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                output,
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )

    def stop(self) -> bool:
        """End all its processes; return whether there were any."""
        return end(self.pids, grace_seconds=self.stop_seconds)


def marked(mark: str) -> list[int]:
    """Ids of the live processes whose environment has `mark` as the value of MARK, oldest first."""
    wanted = f"{MARK}={mark}".encode()
    return [pid for pid in _all_pids() if wanted in _environment(pid)]


def end(find: Callable[[], Iterable[int]], *, grace_seconds: float) -> bool:
    """SIGTERM the processes that `find` returns, SIGKILL what is left; return whether there were any."""
    pids = list(find())
    _end_once(pids, signal.SIGTERM, grace_seconds)
    while leftover := list(find()):
        _end_once(leftover, signal.SIGKILL, grace_seconds)
    return bool(pids)


def last_line(file: Path) -> str:
    """The last line of a text file that is not blank, or a remark that there is none."""
    lines = file.read_text(errors="replace").split("\n") if file.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "no output")


def _end_once(pids: Iterable[int], sign: signal.Signals, seconds: float) -> None:
    """Signal all, then wait until they are gone or the time is over."""
    deadline = time.monotonic() + seconds
    handles = [handle for pid in pids if (handle := _signal(pid, sign)) is not None]
    for handle in handles:
        select.select([handle], [], [], max(0.0, deadline - time.monotonic()))
        os.close(handle)


def _signal(pid: int, sign: signal.Signals) -> int | None:
    """Signal a process through a pidfd, which cannot come to mean another process; return the pidfd."""
    try:
        handle = os.pidfd_open(pid)
        signal.pidfd_send_signal(handle, sign)
    except ProcessLookupError:
        return None
    return handle


def _all_pids() -> list[int]:
    return sorted(int(entry.name) for entry in Path("/proc").glob("[0-9]*"))


def _environment(pid: int) -> list[bytes]:
    """Variables the process was started with; none for a process that is gone, a zombie, or not readable."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return []
