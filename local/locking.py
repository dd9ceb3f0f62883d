"""One set-up at a time in a checkout."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.problem import Problem


@contextmanager
def exclusive(file: Path) -> Iterator[None]:
    """Hold `file`'s lock; the kernel drops it when the process ends, however it ends.

    Raises:
        Problem: another process holds it; the line names it.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise Problem(
                f"set-up: process {lock.read().strip()} is at it in this checkout; wait for it or stop it"
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
