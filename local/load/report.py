"""What became of every request, and the counts of it."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

MAX_EXAMPLES = 10

Counts = Mapping[str, int]


@dataclass(frozen=True)
class Outcome:
    """One request and what became of it.

    Attributes:
        second: when it was sent, in whole seconds since the start.
        status: HTTP status, or the class of the error that it ended with.
        arch: architecture that answered; None if the request failed.
        detail: what happened, for a request that failed.
        latency_ms: time until it ended, in milliseconds.
    """

    second: int
    status: str
    arch: str | None
    detail: str
    latency_ms: float


@dataclass(frozen=True)
class Failure:
    """An example of a failed request: when it was sent, and what happened."""

    second: int
    what: str


@dataclass(frozen=True)
class Report:
    """All requests of one load.

    Attributes:
        total: requests sent.
        failed: those not answered in time by status 200 and the service's JSON.
        examples: the first few that failed.
        by_arch: answers by architecture.
        by_status: requests by HTTP status or class of error.
        p50_ms: median latency of all requests in milliseconds, 0 if none was sent.
        p99_ms: 99th percentile of it.
        timeline: requests of each second since the start, by architecture or, if they failed, by status.
    """

    total: int
    failed: int
    examples: Sequence[Failure]
    by_arch: Counts
    by_status: Counts
    p50_ms: float
    p99_ms: float
    timeline: Mapping[int, Counts]

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> "Report":
        """Count the outcomes, in order of time."""
        ordered = sorted(outcomes, key=lambda outcome: outcome.second)
        failures = [outcome for outcome in ordered if outcome.arch is None]
        latencies = sorted(outcome.latency_ms for outcome in ordered)
        seconds: dict[int, Counter[str]] = {}
        for outcome in ordered:
            seconds.setdefault(outcome.second, Counter())[outcome.arch or outcome.status] += 1
        return cls(
            total=len(ordered),
            failed=len(failures),
            examples=[Failure(failure.second, failure.detail) for failure in failures[:MAX_EXAMPLES]],
            by_arch=dict(Counter(outcome.arch for outcome in ordered if outcome.arch)),
            by_status=dict(Counter(outcome.status for outcome in ordered)),
            p50_ms=_percentile(latencies, 50),
            p99_ms=_percentile(latencies, 99),
            timeline={second: dict(counts) for second, counts in seconds.items()},
        )

    @classmethod
    def from_json(cls, text: str) -> "Report":
        """Read what `to_json` wrote."""
        fields: dict[str, Any] = json.loads(text)
        fields["examples"] = [Failure(**example) for example in fields["examples"]]
        fields["timeline"] = {int(second): counts for second, counts in fields["timeline"].items()}
        return cls(**fields)

    def to_json(self) -> str:
        """Write it on one line."""
        return json.dumps(asdict(self))


def share(report: Report, arch: str) -> float:
    """Percent of the answers that came from an architecture; 0 without any answer."""
    return shares(report.by_arch).get(arch, 0.0)


def shares(counts: Counts) -> dict[str, float]:
    """Percent of the whole, by name."""
    total = sum(counts.values())
    return {name: 100 * count / total for name, count in counts.items()}


def _percentile(ordered: Sequence[float], percent: int) -> float:
    """The nearest rank's value; 0 where there is none."""
    return ordered[math.ceil(len(ordered) * percent / 100) - 1] if ordered else 0.0
