"""Targets of the load balancers: registered, checked, drained, gone.

Source: Elastic Load Balancing user guide, "Health checks for your target groups" and "Deregistration delay".
"""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ministack.core.concurrency import spawn_background  # type: ignore[import-untyped]
from ministack.services import alb  # type: ignore[import-untyped]

from local.emulation.probe import probe

DRAIN_POLL_SECONDS = 0.1
DELAY_ATTRIBUTE = "deregistration_delay.timeout_seconds"
IDLE_CONNECTION_SECONDS = 5.0
"""How long after its last request a draining target counts as connected: a common keep-alive time-out.

AWS ends the draining early once a target has no requests in flight and no connections.
"""


class Health(StrEnum):
    """States of a target, as the API spells them."""

    INITIAL = "initial"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    DRAINING = "draining"


@dataclass(eq=False)
class Target:
    """One address in one target group."""

    group_arn: str
    host: str
    port: int
    health: Health = Health.INITIAL
    reason: str | None = None
    healthy_since: float | None = None
    """Since when it has been healthy without a break, on the monotonic clock."""
    passes: int = 0
    failures: int = 0
    in_flight: int = 0
    last_request_at: float = -IDLE_CONNECTION_SECONDS
    drain_until: float = 0.0
    woken: threading.Event = field(default_factory=threading.Event)

    def record(self, failure: str | None, settings: dict[str, Any]) -> None:
        """Take the result of a check; a new target needs only one pass."""
        self.passes, self.failures = (self.passes + 1, 0) if failure is None else (0, self.failures + 1)
        needed = 1 if self.health is Health.INITIAL else settings["HealthyThresholdCount"]
        if failure is None and self.health is not Health.HEALTHY and self.passes >= needed:
            self.health, self.reason, self.healthy_since = Health.HEALTHY, None, time.monotonic()
        elif self.failures >= settings["UnhealthyThresholdCount"]:
            self.health, self.reason, self.healthy_since = Health.UNHEALTHY, failure, None

    def begin_request(self) -> None:
        """Count a request in."""
        self.in_flight += 1

    def end_request(self) -> None:
        """Count a request out."""
        self.in_flight -= 1
        self.last_request_at = time.monotonic()

    @property
    def is_draining(self) -> bool:
        """Whether it is deregistered, and only finishes what it has."""
        return self.health is Health.DRAINING

    @property
    def is_drained(self) -> bool:
        """Whether nothing is left to wait for."""
        now = time.monotonic()
        is_idle = self.in_flight == 0 and now - self.last_request_at >= IDLE_CONNECTION_SECONDS
        return is_idle or now >= self.drain_until


class Targets:
    """All targets, each watched by a thread of its own from registration until it is drained."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._targets: dict[tuple[str, str, int], Target] = {}

    def follow(self, group_arn: str) -> None:
        """Bring the targets of a group up to date with the emulator's list of its registrations."""
        default_port = alb._tgs.get(group_arn, {}).get("Port")
        listed = {(group_arn, one["Id"], one.get("Port", default_port)) for one in alb._targets.get(group_arn, [])}
        with self._lock:
            for target in self._of(group_arn):
                key = (group_arn, target.host, target.port)
                if key not in listed and not target.is_draining:
                    self._drain(target)
            for key in listed:
                known = self._targets.get(key)
                if known is None or known.is_draining:
                    self._targets[key] = Target(*key)
                    spawn_background(self._watch, self._targets[key], thread_name=f"target-{key[1]}")

    def of(self, group_arn: str) -> Sequence[Target]:
        """List a group's targets, draining ones included."""
        with self._lock:
            return list(self._of(group_arn))

    def at(self, host: str) -> Sequence[Target]:
        """List the targets, in any group, that stand for an address."""
        with self._lock:
            return [target for target in self._targets.values() if target.host == host]

    def _of(self, group_arn: str) -> Iterator[Target]:
        return iter([target for key, target in self._targets.items() if key[0] == group_arn])

    def _drain(self, target: Target) -> None:
        attributes = {one["Key"]: one["Value"] for one in alb._tg_attrs.get(target.group_arn, [])}
        delay = float(attributes.get(DELAY_ATTRIBUTE, 0))
        target.health, target.drain_until = Health.DRAINING, time.monotonic() + delay
        target.woken.set()

    def _watch(self, target: Target) -> None:
        while not target.is_draining:
            settings = alb._tgs.get(target.group_arn)
            if settings is None:  # the group is gone, and with it what there was to drain
                break
            failure = probe(target.host, target.port, settings)
            with self._lock:
                if not target.is_draining:
                    target.record(failure, settings)
            target.woken.wait(settings["HealthCheckIntervalSeconds"])
        while target.is_draining and not target.is_drained:
            time.sleep(DRAIN_POLL_SECONDS)
        self._forget(target)

    def _forget(self, target: Target) -> None:
        key = (target.group_arn, target.host, target.port)
        with self._lock:
            if self._targets.get(key) is target:
                del self._targets[key]


TARGETS = Targets()
"""The targets of this process's emulator."""
