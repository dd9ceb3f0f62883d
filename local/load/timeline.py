"""A report as a person reads it: how it went, and who answered when."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from local.load.report import Counts, Report, shares

MAX_ROWS = 25
BUCKET_SECONDS = 5
# A balancer that draws by weight varies: three standard deviations of the share in n even draws are 150/√n points.
CHANCE_PERCENT = 150.0


def summary(report: Report) -> str:
    """Say in a line how it went, and in a line each what the first failures were."""
    lines = [
        f"{report.total:,} requests, {report.failed:,} failed, p50 {report.p50_ms:.0f} ms, p99 {report.p99_ms:.0f} ms"
    ]
    return "\n".join(lines + [f"  failed in second {failure.second}: {failure.what}" for failure in report.examples])


def timeline(report: Report, bucket_seconds: int = BUCKET_SECONDS) -> str:
    """Lay out who answered when: a row for each span of time in which nothing changed but by chance.

    Buckets grow until the rows fit on a screen.
    """
    spans = _merged(_buckets(report.timeline, bucket_seconds))
    if len(spans) > MAX_ROWS:
        return timeline(report, bucket_seconds * 2)
    names = {name for span in spans for name in span.counts}
    columns = [_column([f"{span.start}-{span.end} s" for span in spans])]
    for name in sorted(names, key=lambda name: (name not in report.by_arch, name)):
        counts = _column([str(span.counts.get(name, "")) for span in spans])
        columns.append([f"{name} {count}" if count.strip() else " " * len(f"{name} {count}") for count in counts])
    return "\n".join("  ".join(row).rstrip() for row in zip(*columns, strict=True))


@dataclass(frozen=True)
class _Span:
    """Requests sent from second `start` until second `end`, by architecture or status."""

    start: int
    end: int
    counts: Counts

    def is_like(self, other: "_Span") -> bool:
        """Whether the same ones answered in both, in shares that differ by no more than chance."""
        here, there = shares(self.counts), shares(other.counts)
        chance = CHANCE_PERCENT / math.sqrt(max(1, min(sum(self.counts.values()), sum(other.counts.values()))))
        return here.keys() == there.keys() and all(abs(here[name] - there[name]) <= chance for name in here)

    def joined(self, later: "_Span") -> "_Span":
        return _Span(self.start, later.end, dict(Counter(self.counts) + Counter(later.counts)))


def _buckets(seconds: Mapping[int, Counts], length: int) -> list[_Span]:
    """Sum up the seconds, `length` at a time."""
    end = max(seconds, default=-1) + 1
    return [
        _Span(start, min(start + length, end), _total(seconds, range(start, start + length)))
        for start in range(0, end, length)
    ]


def _total(seconds: Mapping[int, Counts], span: range) -> Counts:
    total: Counter[str] = Counter()
    for second in span:
        total.update(seconds.get(second, {}))
    return dict(total)


def _merged(buckets: Iterable[_Span]) -> list[_Span]:
    """Join each bucket to the span before it if they are alike."""
    spans: list[_Span] = []
    for bucket in buckets:
        if spans and spans[-1].is_like(bucket):
            spans[-1] = spans[-1].joined(bucket)
        else:
            spans.append(bucket)
    return spans


def _column(cells: list[str]) -> list[str]:
    """Align to the right."""
    width = max(map(len, cells), default=0)
    return [cell.rjust(width) for cell in cells]
