"""What the browser of a run answers with: plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from redzone.errors import ErrorCode
from redzone.models import ElementKind, Source, Status
from redzone.review import ReviewedOutcome


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a filtered, sorted list. `number` counts from 1; behind the last page nothing is left."""

    items: tuple[ReviewedOutcome, ...]
    total: int
    number: int
    per_page: int

    @property
    def pages(self) -> int:
        """How many pages the list has; at least one."""
        return max(1, -(-self.total // self.per_page))


@dataclass(frozen=True, slots=True)
class Neighbours:
    """A row's place in a filtered, sorted list: the rows before and behind it, its position from 1, and how
    long the list is. A row that the filter does not want (any more) has neighbours but no position."""

    previous: int | None
    next: int | None
    position: int | None
    total: int


@dataclass(frozen=True, slots=True)
class Facets:
    """Counts for each value of each part of a filter, under all its other parts: what a list would hold if
    that value alone were chosen. Values that nothing has are left out; groups with the most findings first.
    `total` is the count under the whole filter.
    """

    total: int
    statuses: Mapping[Status, int]
    groups: Mapping[str, int]
    kinds: Mapping[ElementKind, int]
    reviewed: Mapping[bool, int]
    disagreed: Mapping[bool, int]
    sources: Mapping[Source, int]
    codes: Mapping[ErrorCode, int]


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """Counts of one group, by the status that counts after review. The empty name is "no group"."""

    name: str
    counts: Mapping[Status, int]

    @property
    def total(self) -> int:
        """All findings of the group."""
        return sum(self.counts.values())

    @property
    def pass_rate_pct(self) -> float | None:
        """Of those that pass or fail, how many pass; None where there is none."""
        return pass_rate_pct(self.counts)


def pass_rate_pct(counts: Mapping[Status, int]) -> float | None:
    """Of those that pass or fail, how many pass; None where there is none."""
    decided = counts[Status.PASS] + counts[Status.FAIL]
    return 100 * counts[Status.PASS] / decided if decided else None


@dataclass(frozen=True, slots=True)
class Bin:
    """Findings by status whose confidence is at least `low_pct` and below `high_pct`; 100 is in the last."""

    low_pct: float
    high_pct: float
    counts: Mapping[Status, int]


@dataclass(frozen=True, slots=True)
class Agreement:
    """The run against its reviewers. `pairs` counts judged findings by the run's status and the one that
    people's judgement gave; `disagreed` are those about which the people differ."""

    pairs: Mapping[tuple[Status, Status], int]
    disagreed: int

    @property
    def judged(self) -> int:
        """Findings with a person's judgement."""
        return sum(self.pairs.values())

    @property
    def agreed(self) -> int:
        """Those whose judgement is what the run said."""
        return sum(count for (run, person), count in self.pairs.items() if run is person)

    @property
    def agreed_pct(self) -> float | None:
        """None where nothing was judged."""
        return 100 * self.agreed / self.judged if self.judged else None


@dataclass(frozen=True, slots=True)
class Trend:
    """A group in a run and in the run before; None where the run before did not have it."""

    now: GroupFigures
    before: GroupFigures | None

    @property
    def change_points(self) -> float | None:
        """How many percentage points the pass rate has risen; None where either run has none."""
        now = self.now.pass_rate_pct
        before = self.before.pass_rate_pct if self.before is not None else None
        return now - before if now is not None and before is not None else None


@dataclass(frozen=True, slots=True)
class Change:
    """A poster whose status differs between two runs: its rows and statuses, and whether the picture that was
    judged is the same (None where a run judged none)."""

    row_before: int
    row_after: int
    before: Status
    after: Status
    same_picture: bool | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed between two runs, by the rows of the later one. `only_before` and `only_after` count
    findings whose poster the other run has not found anything about."""

    newly_failing: tuple[Change, ...]
    fixed: tuple[Change, ...]
    flipped: tuple[Change, ...]
    unchanged: int
    only_before: int
    only_after: int
