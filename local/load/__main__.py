"""`python -m local.load URL`: load until Ctrl-C or the end of its time, then who answered when."""

import argparse
import asyncio
import contextlib
import os
import signal
import sys

from local.load.report import Outcome, Report
from local.load.timeline import summary, timeline
from local.load.traffic import (
    DEFAULT_RATE,
    DEFAULT_SECONDS,
    MAX_RATE,
    MAX_SECONDS,
    TIMEOUT_SECONDS,
    Traffic,
    require_bridge,
    send,
)
from local.problem import Problem
from local.progress import step


def main() -> int:
    """Send what the command line says; fail if a request failed."""
    options = _parser().parse_args()
    try:
        traffic = Traffic(options.url, rate=options.rate, seconds=options.seconds, timeout_seconds=options.timeout)
        if options.piped:
            _tell(asyncio.run(_piped(traffic)).to_json())
            return 0
        require_bridge(traffic)
        with step(f"{traffic.rate} requests a second for {traffic.seconds} s, or until Ctrl-C"):
            report = asyncio.run(_interruptible(traffic))
    except Problem as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    print(f"\n{timeline(report)}\n\n{summary(report)}")
    return 1 if report.failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.load", description="Bounded load on the local target.")
    parser.add_argument("url", help="http://NAME.alb.localhost:PORT, or a loopback address")
    parser.add_argument("--rate", type=int, default=DEFAULT_RATE, help=f"requests a second, at most {MAX_RATE}")
    parser.add_argument("--seconds", type=int, default=DEFAULT_SECONDS, help=f"for how long, at most {MAX_SECONDS}")
    parser.add_argument("--timeout", type=float, default=TIMEOUT_SECONDS, help="seconds that a request may take")
    parser.add_argument("--piped", action="store_true", help="JSON to a parent process, until standard input closes")
    return parser


async def _interruptible(traffic: Traffic) -> Report:
    """Send until Ctrl-C or SIGTERM at the latest."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return await send(traffic, stop=stop)


async def _piped(traffic: Traffic) -> Report:
    """Send until standard input closes at the latest; tell the parent how the first request ended."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def closed() -> None:
        loop.remove_reader(sys.stdin)
        stop.set()

    def answered(outcome: Outcome) -> None:
        _tell(outcome.status)

    loop.add_reader(sys.stdin, closed)
    return await send(traffic, stop=stop, on_first=answered)


def _tell(text: str) -> None:
    """Write a line to the parent; there may be none any more."""
    with contextlib.suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), f"{text}\n".encode())


if __name__ == "__main__":
    sys.exit(main())
