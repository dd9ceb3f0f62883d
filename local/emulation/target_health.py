"""Target groups: real health checks, told as they are, and traffic for healthy targets alone."""

import errno
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

from ministack.core.responses import StreamingResponse  # type: ignore[import-untyped]
from ministack.services import alb  # type: ignore[import-untyped]

from local.emulation.extension import extend
from local.emulation.targets import TARGETS, Health, Target

Response = tuple[int, dict[str, Any], Any]

HTTP_TARGET_TYPES = frozenset({"instance", "ip"})
BAD_GATEWAY = 502
UNCONNECTED = [f"[Errno {number}]".encode() for number in (errno.ECONNREFUSED, errno.EHOSTUNREACH)]
"""What the emulator's 502 carries when the target, or the way to it, refused the connection."""

TIMED_OUT = b"timed out"
"""What the emulator's 502 carries when the connection did not come about, or its answer did not, in time."""

CONNECT_SECONDS = 2.0
"""Time to connect to a target: containers are next door, and one SYN may be lost, which is sent again after 1 s.

For a while after a container has gone its address swallows what is sent there.
"""

UNAVAILABLE: Response = (503, {"Content-Type": "text/plain"}, b"503 Service Temporarily Unavailable: no healthy target")
DESCRIPTIONS = {
    Health.INITIAL: ("Elb.RegistrationInProgress", "Target registration is in progress"),
    Health.UNHEALTHY: ("Target.FailedHealthChecks", "Health checks failed"),
    Health.DRAINING: ("Target.DeregistrationInProgress", "Target deregistration is in progress"),
}


def install() -> None:
    """Extend the emulator's target groups."""
    alb.TARGET_CONNECT_TIMEOUT = CONNECT_SECONDS
    extend(alb, "set_targets_for_group", set_targets_for_group)
    extend(alb, "_register_targets", change_targets)
    extend(alb, "_deregister_targets", change_targets)
    extend(alb, "_describe_target_health", describe_target_health)
    extend(alb, "_forward_to_tg", forward_to_group)


def set_targets_for_group(original: Callable[..., bool], group_arn: str, *args: Any, **kwargs: Any) -> bool:
    """Register and deregister a service's tasks, and follow."""
    is_known = original(group_arn, *args, **kwargs)
    TARGETS.follow(group_arn)
    return is_known


def change_targets(original: Callable[..., Response], params: dict[str, Any]) -> Response:
    """Register or deregister by API, and follow."""
    response = original(params)
    TARGETS.follow(alb._p(params, "TargetGroupArn"))
    return response


def describe_target_health(original: Callable[..., Response], params: dict[str, Any]) -> Response:
    """Tell each target's state with its reason, draining targets included."""
    group_arn = alb._p(params, "TargetGroupArn")
    if group_arn not in alb._tgs:
        return original(params)
    wanted = {one["Id"] for one in alb._parse_targets_param(params)}
    members = "".join(_described(one) for one in TARGETS.of(group_arn) if not wanted or one.host in wanted)
    inner = f"<TargetHealthDescriptions>{members}</TargetHealthDescriptions>"
    response: Response = alb._xml(200, "DescribeTargetHealth", inner)
    return response


def _described(target: Target) -> str:
    state = f"<State>{target.health}</State>"
    if target.health in DESCRIPTIONS:
        reason, description = DESCRIPTIONS[target.health]
        state += f"<Reason>{target.reason or reason}</Reason><Description>{description}</Description>"
    address = f"<Id>{target.host}</Id><Port>{target.port}</Port>"
    return f"<member><Target>{address}</Target><TargetHealth>{state}</TargetHealth></member>"


async def forward_to_group(
    original: Callable[..., Awaitable[Response]],
    group_arn: str,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    query: dict[str, Any],
    raw_query: str | None = None,
    raw_path: str | None = None,
) -> Response:
    """Send a request to one of the group's healthy targets, and count it there until its answer has ended.

    A target that cannot be connected to has not seen the request, which then goes to another one; on AWS it fails.
    """
    group = alb._tgs.get(group_arn)
    if group is None or group["TargetType"] not in HTTP_TARGET_TYPES:
        return await original(group_arn, method, path, headers, body, query, raw_query, raw_path)
    healthy = [target for target in TARGETS.of(group_arn) if target.health is Health.HEALTHY]
    response = UNAVAILABLE
    for target in random.sample(healthy, len(healthy)):
        started = time.monotonic()
        response = await _send(target, group, method, raw_path or path, headers, body, query, raw_query)
        if not _is_unconnected(response, time.monotonic() - started):
            break
    return response


async def _send(target: Target, group: dict[str, Any], *request: Any) -> Response:
    target.begin_request()
    try:
        address = {"Id": target.host, "Port": target.port}
        status, headers, body = await alb._proxy_http_target(address, group, *request)
    except BaseException:
        target.end_request()
        raise
    if not isinstance(body, StreamingResponse):
        target.end_request()
        return status, headers, body
    return status, headers, StreamingResponse(_counted(body.runner, target))


def _is_unconnected(response: Response, seconds: float) -> bool:
    """Tell whether an answer that took so long says that there was no connection."""
    status, _, body = response
    if status != BAD_GATEWAY or not isinstance(body, bytes):
        return False
    is_too_early_for_an_answer = seconds < alb.TARGET_IDLE_TIMEOUT  # which runs from the connection on
    return any(text in body for text in UNCONNECTED) or (TIMED_OUT in body and is_too_early_for_an_answer)


def _counted(runner: Callable[..., Awaitable[None]], target: Target) -> Callable[..., Awaitable[None]]:
    async def run(send: Any, receive: Any) -> None:
        try:
            await runner(send, receive)
        finally:
            target.end_request()

    return run
