"""Progress lines: what is being done, and how long it took."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

REFRESH_SECONDS = 1.0
WIDTH = 60


@contextmanager
def step(what: str) -> Iterator[None]:
    """Show `what` while the block runs and its time afterwards.

    On a terminal one line counts the seconds; elsewhere a line is printed at the start and one at the end.
    """
    started = time.monotonic()
    is_terminal = sys.stdout.isatty()
    done = threading.Event()
    ticker = threading.Thread(target=_tick, args=(what, started, done), daemon=True)
    if is_terminal:
        ticker.start()
    else:
        print(f"  {what} …", flush=True)
    try:
        yield
    except BaseException:
        done.set()
        if is_terminal:
            ticker.join()
            print(flush=True)
        raise
    done.set()
    if is_terminal:
        ticker.join()
    print(_finished(what, time.monotonic() - started, is_terminal), flush=True)


def note(text: str) -> None:
    """Print one line that is no step: a choice made, a thing that the reader should know."""
    print(f"  {text}", flush=True)


def _tick(what: str, started: float, done: threading.Event) -> None:
    while True:
        print(f"\r  {what} … {time.monotonic() - started:.0f} s", end="", flush=True)
        if done.wait(REFRESH_SECONDS):
            return


def _finished(what: str, seconds: float, is_terminal: bool) -> str:
    line = f"  {what:<{WIDTH}} {seconds:6.1f} s"
    return f"\r\x1b[K{line}" if is_terminal else line
