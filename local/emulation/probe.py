"""One health check of a target: an HTTP request as a load balancer makes it, and the verdict on its answer."""

from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any

USER_AGENT = "ELB-HealthChecker/2.0"

TIMED_OUT = "Target.Timeout"
MISMATCH = "Target.ResponseCodeMismatch"
FAILED = "Target.FailedHealthChecks"


def probe(host: str, port: int, settings: Mapping[str, Any]) -> str | None:
    """Check a target by its group's own settings.

    Args:
        host: The target's address.
        port: The target's own port, which the group's health check port may replace.
        settings: The target group as the API describes it.

    Returns:
        None if the target passed, else the API's reason code.
    """
    own_port = settings["HealthCheckPort"]
    connection = HTTPConnection(
        host,
        port if own_port == "traffic-port" else int(own_port),
        timeout=settings["HealthCheckTimeoutSeconds"],
    )
    try:
        connection.request("GET", settings["HealthCheckPath"], headers={"User-Agent": USER_AGENT})
        status = connection.getresponse().status
    except TimeoutError:
        return TIMED_OUT
    except (OSError, HTTPException):
        return FAILED
    finally:
        connection.close()
    return None if matches(settings["Matcher"]["HttpCode"], status) else MISMATCH


def matches(codes: str, status: int) -> bool:
    """Tell whether a status is among the matcher's codes: `200`, `200,202` or `200-299`."""
    for part in codes.split(","):
        first, _, last = part.partition("-")
        if int(first) <= status <= int(last or first):
            return True
    return False
