"""The bridge that containers are on, and the guard behind it.

When a bridge goes away, its addresses would leave the machine by the default route. So the range is one that no
public network routes (RFC 2544, benchmarks), and a blackhole route of the highest metric stays behind the bridge's.
"""

import subprocess
from collections.abc import Sequence

from local.layout import Layout
from local.problem import Problem

NETWORK = "198.18.250.0/24"
GATEWAY = "198.18.250.1"
LAST_RESORT_METRIC = "4294967295"


def bridge(layout: Layout) -> str:
    """Name of the checkout's bridge, inside the 15 characters that an interface may have."""
    return f"ecs-{layout.identity}"


def up(layout: Layout) -> None:
    """Make the bridge and the blackhole route; what is there already stays.

    Raises:
        Problem: the range is routed elsewhere on this machine.
    """
    if foreign := [route for route in _routes() if not _is_ours(route, layout)]:
        raise Problem(f"network {NETWORK}: in use on this machine ({foreign[0]}); remove that route")
    if not is_up(layout):
        _ip("link", "add", bridge(layout), "type", "bridge", tolerate=("File exists",))
        _ip("address", "replace", f"{GATEWAY}/24", "dev", bridge(layout))
        _ip("link", "set", bridge(layout), "up")
    if not any(route.startswith("blackhole") for route in _routes()):
        _ip("route", "add", "blackhole", NETWORK, "metric", LAST_RESORT_METRIC)


def down(layout: Layout) -> None:
    """Remove the blackhole route and the bridge, if the bridge is this checkout's."""
    if _ip("link", "show", bridge(layout), tolerate=("does not exist",)):
        _ip("route", "delete", "blackhole", NETWORK, tolerate=("No such process",))
        _ip("link", "delete", bridge(layout))


def is_up(layout: Layout) -> bool:
    """Whether the range is routed to the bridge, so that load meant for containers stays on this machine."""
    return any(bridge(layout) in route for route in _routes())


def _routes() -> list[str]:
    """Routes to the range or a part of it, and routes that cover it but the default one."""
    found = _ip("route", "show", "root", NETWORK) + _ip("route", "show", "match", NETWORK)
    return [route.strip() for route in found.splitlines() if not route.startswith("default")]


def _is_ours(route: str, layout: Layout) -> bool:
    return bridge(layout) in route or route.startswith(f"blackhole {NETWORK}")


def _ip(*arguments: str, tolerate: Sequence[str] = ()) -> str:
    """Run iproute2 and return its output.

    Raises:
        Problem: it failed with a message that holds none of `tolerate`.
    """
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if done.returncode and not any(message in done.stderr for message in tolerate):
        raise Problem(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
