"""The charts of a report, the same in HTML and PDF."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from redzone import charts
from redzone.models import Status
from redzone.reports.digest import Digest
from redzone.reports.metadata import ReportMetadata


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart that can be drawn for any width, px."""

    name: str
    title: str
    draw: Callable[[float], str]


def drawings(found: Digest, facts: ReportMetadata) -> Iterator[Drawing]:
    """The charts that have data to show."""
    yield Drawing("status", "Outcomes", lambda width: _outcomes(found, width))
    groups = found.top_groups()
    if groups:
        others = len(found.groups) - len(groups)
        title = "Share of fails by group" + (f", without {others} with fewer fails" if others else "")
        yield Drawing("groups", title, lambda width: charts.group_bars(groups, title, width=width))
    if found.kinds:
        title = "What is in the zone of those that fail"
        yield Drawing("kinds", title, lambda width: _kinds(found, title, width))
    if any(found.confidence):
        title = "How sure the model was"
        yield Drawing("confidence", title, lambda width: _confidence(found, facts, title, width))


def _outcomes(found: Digest, width: float) -> str:
    return charts.status_bar(found.counts, pending=found.pending, width=width)


def _kinds(found: Digest, title: str, width: float) -> str:
    failed = found.counts[Status.FAIL]
    rows = [
        charts.Bar(kind.value, float(count), f"{100 * count / failed:.0f} %")
        for kind, count in found.kinds.most_common()
    ]
    return charts.bars(rows, title, width=width)


def _confidence(found: Digest, facts: ReportMetadata, title: str, width: float) -> str:
    return charts.confidence_columns(
        found.confidence, title, unsure_below_pct=facts.min_confidence_pct or None, width=width, height=210
    )
