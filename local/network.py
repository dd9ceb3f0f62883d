"""The bridge that containers are on, and the guard behind it.

When a bridge goes away, its addresses would leave the machine by the default route. So the range is one that no
public network routes (RFC 2544, benchmarks), and a blackhole route of the highest metric stays behind the bridge's.
"""

import subprocess
from collections.abc import Sequence

from local.problem import Problem

BRIDGE = "ecs-multiarch0"
NETWORK = "198.18.250.0/24"
GATEWAY = "198.18.250.1"
LAST_RESORT_METRIC = "4294967295"


def up() -> None:
    """Make the blackhole route, then the bridge; what is there already stays.

    Raises:
        Problem: the range is routed elsewhere on this machine.
    """
    routes = _ip("route", "show", "root", NETWORK).splitlines() + _ip("route", "show", "match", NETWORK).splitlines()
    foreign = [route for route in routes if not _is_ours(route) and not route.startswith("default")]
    if foreign:
        raise Problem(f"network {NETWORK} is in use on this machine ({foreign[0].strip()}): remove that route")
    if not any(route.startswith("blackhole") for route in routes):
        _ip("route", "add", "blackhole", NETWORK, "metric", LAST_RESORT_METRIC)
    if not is_up():
        _ip("link", "add", BRIDGE, "type", "bridge", tolerate=("File exists",))
        _ip("address", "replace", f"{GATEWAY}/24", "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "up")


def down() -> None:
    """Remove the bridge and the blackhole route."""
    _ip("link", "delete", BRIDGE, tolerate=("Cannot find device",))
    _ip("route", "delete", "blackhole", NETWORK, "metric", LAST_RESORT_METRIC, tolerate=("No such process",))


def is_up() -> bool:
    """Whether the range is routed to the bridge, so that load meant for containers stays on this machine."""
    return any(BRIDGE in route for route in _ip("route", "show", "root", NETWORK).splitlines())


def _is_ours(route: str) -> bool:
    return BRIDGE in route or route.startswith(f"blackhole {NETWORK}")


def _ip(*arguments: str, tolerate: Sequence[str] = ()) -> str:
    """Run iproute2 and return its output.

    Raises:
        Problem: it failed with a message that holds none of `tolerate`.
    """
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if done.returncode and not any(message in done.stderr for message in tolerate):
        raise Problem(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
