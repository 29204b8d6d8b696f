"""The figures of a report in one pass: those of its charts, and the posters that get a card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from redzone import charts
from redzone.models import ElementKind, Status
from redzone.review import ReviewedOutcome

BUCKETS = 20  # of the confidence, 5 % each
MOST_GROUPS = 1000
SHOWN_GROUPS = 6
# the order in a report: what needs attention comes first
STATUS_ORDER = (Status.FAIL, Status.UNSURE, Status.ERROR, Status.PASS)


@dataclass(slots=True)
class Digest:
    """Figures of all rows, and at most `most` rows of each status in input order, by status after review."""

    most: int
    rows: int = 0
    pending: int = 0
    reviewed: int = 0
    overruled: int = 0
    cost_usd: float = 0.0
    tokens: int = 0
    counts: Counter[Status] = field(default_factory=Counter)
    groups: dict[str, Counter[Status]] = field(default_factory=dict)
    confidence: list[Counter[Status]] = field(default_factory=lambda: [Counter() for _ in range(BUCKETS)])
    kinds: Counter[ElementKind] = field(default_factory=Counter)
    kept: dict[Status, list[ReviewedOutcome]] = field(
        default_factory=lambda: {status: [] for status in STATUS_ORDER}
    )

    @property
    def judged(self) -> int:
        """Posters that pass or fail."""
        return self.counts[Status.PASS] + self.counts[Status.FAIL]

    def top_groups(self) -> Sequence[charts.GroupBar]:
        """The groups with the most fails; none if all posters are in one group."""
        if len(self.groups) < 2:
            return ()
        bars = [charts.GroupBar(name, counts) for name, counts in self.groups.items()]
        bars.sort(key=lambda bar: (-bar.counts.get(Status.FAIL, 0), bar.name))
        return bars[:SHOWN_GROUPS]

    def add(self, reviewed: ReviewedOutcome) -> None:
        """Count one row."""
        self.rows += 1
        status, outcome = reviewed.status, reviewed.outcome
        if status is None or outcome is None:
            self.pending += 1
            return
        self.cost_usd += outcome.cost_usd
        self.tokens += outcome.tokens.input + outcome.tokens.output
        self.counts[status] += 1
        self.reviewed += reviewed.reviewed
        self.overruled += status is not reviewed.original_status
        self._group(reviewed.row.group)[status] += 1
        sure_pct = confidence_pct(reviewed)
        if sure_pct is not None:
            self.confidence[min(BUCKETS - 1, int(sure_pct / 100 * BUCKETS))][status] += 1
        if status is Status.FAIL:
            self.kinds.update({element.kind for verdict in outcome.zones for element in verdict.elements})
        if len(self.kept[status]) < self.most:
            self.kept[status].append(reviewed)

    def _group(self, name: str) -> Counter[Status]:
        if name not in self.groups and len(self.groups) >= MOST_GROUPS:
            name = "(other groups)"
        return self.groups.setdefault(name, Counter())


def digest(reviewed_outcomes: Iterable[ReviewedOutcome], most: int) -> Digest:
    """One pass over the rows, in constant memory."""
    found = Digest(most)
    for reviewed in reviewed_outcomes:
        found.add(reviewed)
    return found


def confidence_pct(reviewed: ReviewedOutcome) -> float | None:
    """The confidence of the least sure zone; None without a verdict."""
    zones = reviewed.outcome.zones if reviewed.outcome is not None else ()
    return min((zone.confidence_pct for zone in zones), default=None)
