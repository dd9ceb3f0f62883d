"""Long commands: their output goes to a log, their failure is one line."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.problem import Problem

REMARKS = 3


def run(
    command: Sequence[str | Path],
    *,
    log: Path,
    what: str,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    remedy: str = "",
) -> None:
    """Run a command with its output in `log`.

    Raises:
        Problem: it failed; the line holds `what`, the last lines of its output, `remedy` and the log's path.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        start = output.tell()
        code = subprocess.run(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
        ).returncode
    if code:
        advice = f"; {remedy}" if remedy else ""
        raise Problem(f"{what} failed: {_remarks(log, start)}{advice} (log: {log})")


def _remarks(log: Path, start: int) -> str:
    """The last lines that the command wrote, as one."""
    lines = log.read_bytes()[start:].decode(errors="replace").splitlines()
    return " | ".join([line.strip() for line in lines if line.strip()][-REMARKS:]) or "no output"
