"""The figures of a report, in one pass."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from redzone.models import ElementKind, Status
from redzone.reports.digest import BUCKETS, digest
from redzone.review import ReviewedOutcome
from tests.reports.samples import NOW, judged, poster

STATUSES = st.lists(st.sampled_from(Status) | st.none(), max_size=40)


def reviewed_outcomes(statuses: list[Status | None]) -> Iterator[ReviewedOutcome]:
    for row, status in enumerate(statuses, 1):
        group = f"g{row % 3}"
        yield ReviewedOutcome(poster(row), None) if status is None else judged(row, status, group=group)


@given(STATUSES, st.integers(0, 10))
def test_every_finding_is_counted_once_in_each_figure(statuses: list[Status | None], most: int) -> None:
    """And of each status the first ones are kept, in their order."""
    found = digest(reviewed_outcomes(statuses), most)
    judged_ones = [status for status in statuses if status is not None]
    assert (found.rows, found.pending) == (len(statuses), len(statuses) - len(judged_ones))
    for status in Status:
        assert found.counts[status] == judged_ones.count(status)
        assert sum(counts[status] for counts in found.groups.values()) == judged_ones.count(status)
        rows = [row for row, one in enumerate(statuses, 1) if one is status]
        assert [reviewed.row.row for reviewed in found.kept[status]] == rows[:most]
    with_verdict = len(judged_ones) - judged_ones.count(Status.ERROR)
    assert sum(counts.total() for counts in found.confidence) == with_verdict
    assert found.kinds[ElementKind.FACE] == judged_ones.count(Status.FAIL)


def test_what_counts_is_the_status_after_review() -> None:
    """The model's own is overruled."""
    first = judged(1)
    cleared = ReviewedOutcome(first.row, first.outcome, (first.judge("Ann", NOW, Status.PASS),))
    found = digest([cleared, judged(2)], 10)
    assert (found.counts[Status.PASS], found.counts[Status.FAIL]) == (1, 1)
    assert (found.reviewed, found.overruled) == (1, 1)
    assert found.kinds[ElementKind.FACE] == 1


def test_a_confidence_of_100_is_in_the_last_bucket() -> None:
    """The buckets include their lower edge, the last one both."""
    sure = judged(1)
    assert sure.outcome is not None
    zone = sure.outcome.zones[0].model_copy(update={"confidence_pct": 100.0})
    outcome = sure.outcome.model_copy(update={"zones": (zone,)})
    found = digest([ReviewedOutcome(sure.row, outcome)], 1)
    assert [counts.total() for counts in found.confidence] == [0] * (BUCKETS - 1) + [1]


def test_groups_stand_in_the_order_of_their_fails() -> None:
    """Six at most; a run with one group has nothing to compare."""
    rows = [judged(row, Status.FAIL, group=f"g{row % 12}") for row in range(1, 40)]
    bars = digest(rows, 0).top_groups()
    assert [bar.name for bar in bars][:4] == ["g1", "g2", "g3", "g0"]
    assert len(bars) == 6
    assert digest([judged(1), judged(2)], 0).top_groups() == ()
