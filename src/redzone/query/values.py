"""The results of queries, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from redzone.errors import ErrorCode
from redzone.models import ElementKind, Source, Status
from redzone.review import ReviewedOutcome


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a filtered, sorted list. `number` counts from 1; pages behind the last one are empty."""

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
    """A row's place in a filtered, sorted list: the rows before and after it, its position from 1, and the
    length of the list. A row that does not match the filter (any more) has neighbours but no position."""

    previous: int | None
    next: int | None
    position: int | None
    total: int


@dataclass(frozen=True, slots=True)
class Facets:
    """Counts for each value of each part of a filter, under all its other parts: the length of the list with
    only that value. Values without outcomes are omitted; the largest groups come first. `total` is the
    count under the whole filter.
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
    """Counts of one group, by status after review. The empty name means "no group"."""

    name: str
    counts: Mapping[Status, int]

    @property
    def total(self) -> int:
        """All outcomes of the group."""
        return sum(self.counts.values())

    @property
    def pass_rate_pct(self) -> float | None:
        """The share of passes among passes and fails; None if there are none."""
        return pass_rate_pct(self.counts)


def pass_rate_pct(counts: Mapping[Status, int]) -> float | None:
    """The share of passes among passes and fails; None if there are none."""
    decided = counts[Status.PASS] + counts[Status.FAIL]
    return 100 * counts[Status.PASS] / decided if decided else None


@dataclass(frozen=True, slots=True)
class Bin:
    """Outcomes by status with a confidence of at least `low_pct` and below `high_pct`; 100 is in the last."""

    low_pct: float
    high_pct: float
    counts: Mapping[Status, int]


@dataclass(frozen=True, slots=True)
class Agreement:
    """The run compared with its reviewers. `pairs` counts outcomes that people gave a status, by the run's
    status and theirs; `disagreed` counts those about which people differ."""

    pairs: Mapping[tuple[Status, Status], int]
    disagreed: int

    @property
    def judged(self) -> int:
        """Outcomes with a person's status."""
        return sum(self.pairs.values())

    @property
    def agreed(self) -> int:
        """Those whose status a person confirmed."""
        return sum(count for (run, person), count in self.pairs.items() if run is person)

    @property
    def agreed_pct(self) -> float | None:
        """The share of confirmed ones, per cent; None if there are none."""
        return 100 * self.agreed / self.judged if self.judged else None


@dataclass(frozen=True, slots=True)
class Trend:
    """A group in a run and in the run before; None if the run before did not have it."""

    now: GroupFigures
    before: GroupFigures | None

    @property
    def change_points(self) -> float | None:
        """The rise of the pass rate in percentage points; None if either run has none."""
        now = self.now.pass_rate_pct
        before = self.before.pass_rate_pct if self.before is not None else None
        return now - before if now is not None and before is not None else None


@dataclass(frozen=True, slots=True)
class Change:
    """A poster whose status differs between two runs: its rows and statuses, and whether the judged picture
    is the same (None if a run judged none)."""

    row_before: int
    row_after: int
    before: Status
    after: Status
    same_picture: bool | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed between two runs, by the rows of the later one. `only_before` and `only_after` count
    posters without an outcome in the other run."""

    newly_failing: tuple[Change, ...]
    fixed: tuple[Change, ...]
    flipped: tuple[Change, ...]
    unchanged: int
    only_before: int
    only_after: int
