"""What runs found in sums: equal to counting by hand, counted anew only when something was added."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redzone.errors import CheckpointUnusable
from redzone.models import Outcome, Status
from redzone.review import ReviewedOutcome
from redzone.runs import RunFolder
from redzone.runs.checkpoint import render_outcome
from redzone.runs.journal import Journal
from redzone.runs.reviews import append_reviews
from redzone.web.services.totals_cache import BINS, RunTotals, TotalsCache
from tests.any_outcome import outcomes
from tests.outcomes import NOON
from tests.query.runs import plainly_read, run_of
from tests.web.posters import judged


def _by_hand(reviewed_outcomes: Sequence[ReviewedOutcome]) -> dict[str, object]:
    """The same sums from the findings themselves."""
    said = [(one, one.outcome, one.status) for one in reviewed_outcomes]
    bins: Counter[tuple[int, Status | None]] = Counter()
    for _, outcome, status in said:
        if outcome is not None and outcome.zones:
            sure_pct = min(zone.confidence_pct for zone in outcome.zones)
            bins[min(BINS - 1, int(sure_pct / (100 / BINS))), status] += 1
    return {
        "groups": Counter((one.row.group, status) for one, _, status in said),
        "bins": bins,
        "days": Counter((outcome.finished_at.date(), status) for _, outcome, status in said if outcome),
        "pairs": Counter((one.original_status, status) for one, _, status in said if one.judged),
        "disagreed": sum(one.disagreed for one, *_ in said if one.judged),
    }


def _counted(tally: RunTotals) -> dict[str, object]:
    return {
        "groups": Counter({(g.name, s): n for g in tally.groups for s, n in g.counts.items() if n}),
        "bins": Counter({(i, s): n for i, b in enumerate(tally.bins) for s, n in b.counts.items() if n}),
        "days": Counter({(day, s): n for day, counts in tally.days.items() for s, n in counts.items() if n}),
        "pairs": Counter(tally.agreement.pairs),
        "disagreed": tally.agreement.disagreed,
    }


def _reviewed(folder: RunFolder, every: int, status: Status, by: str = "ann") -> None:
    found = plainly_read(folder)[::every]
    append_reviews(folder.reviews_path, [one.judge(by, NOON, status) for one in found])


@settings(max_examples=20)
@given(st.data())
def test_sums_over_runs_are_what_counting_by_hand_gives(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Of each run and of all together, after review."""
    path = tmp_path_factory.mktemp("runs")
    some = st.lists(outcomes(st.sampled_from(["", "a", "b"]), st.integers(1, 9)), max_size=6)
    folders = [run_of(path / str(number), data.draw(some)) for number in range(3)]
    for number, folder in enumerate(folders, 1):
        _reviewed(folder, number, data.draw(st.sampled_from([Status.PASS, Status.FAIL, Status.UNSURE])))
        _reviewed(folder, number + 1, Status.FAIL, by="bob")
    tallies = [RunTotals.read(folder) for folder in folders]
    found = [plainly_read(folder) for folder in folders]
    assert [_counted(tally) for tally in tallies] == [
        _by_hand(reviewed_outcomes) for reviewed_outcomes in found
    ]
    everything = [reviewed for reviewed_outcomes in found for reviewed in reviewed_outcomes]
    whole = RunTotals.summed(tallies)
    assert _counted(whole) == _by_hand(everything)
    counts = Counter(reviewed.status for reviewed in everything)
    assert whole.counts == {status: counts[status] for status in Status}
    decided = counts[Status.PASS] + counts[Status.FAIL]
    assert whole.pass_rate_pct == (pytest.approx(100 * counts[Status.PASS] / decided) if decided else None)


def _add(folder: RunFolder, *found: Outcome) -> None:
    with Journal(folder.checkpoint_path) as journal:
        journal.append([render_outcome(one) for one in found])


def test_a_run_is_counted_anew_when_something_was_added(tmp_path: Path) -> None:
    """An outcome or a review; else the tally is the same one."""
    tallies, folder = TotalsCache(), run_of(tmp_path / "r", [judged(1), judged(2, Status.PASS)])
    first, unread = tallies.of([folder], 5)
    assert (first["r"].counts[Status.FAIL], unread) == (1, set())
    assert tallies.of([folder], 5)[0]["r"] is first["r"]
    _add(folder, judged(3))
    assert tallies.of([folder], 5)[0]["r"].counts[Status.FAIL] == 2
    _reviewed(folder, 1, Status.PASS)
    assert tallies.of([folder], 5)[0]["r"].counts[Status.FAIL] == 0


def test_a_run_that_takes_long_to_read_is_waited_for_no_longer_than_asked(tmp_path: Path) -> None:
    """It is among those that are still being read, and there once it is read."""
    tallies, folder = TotalsCache(), run_of(tmp_path / "r", [judged(1)])
    RunTotals.read(folder)
    _add(folder, judged(2))
    with closing(sqlite3.connect(folder.browse_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # another process is filling the tables
        assert tallies.of([folder], 0.05) == ({}, {"r"})
        assert tallies.of([folder], 0.05) == ({}, {"r"})
        other.execute("ROLLBACK")
    found, unread = tallies.of([folder], 5)
    assert (found["r"].counts[Status.FAIL], unread) == (2, set())


def test_a_checkpoint_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    """And does not keep the others waiting."""
    broken = run_of(tmp_path / "broken", [])
    broken.checkpoint_path.write_text('{"schema": 99}\n')
    whole = run_of(tmp_path / "whole", [judged(1)])
    tallies, unread = TotalsCache().of([broken, whole], 5)
    assert (list(tallies), unread) == (["whole"], set())


def test_a_comparison_is_kept_until_a_run_changes(tmp_path: Path) -> None:
    """By its outcomes or its reviews."""
    tallies = TotalsCache()
    old, new = run_of(tmp_path / "old", [judged(1, Status.PASS)]), run_of(tmp_path / "new", [judged(1)])
    first = tallies.compared(old, new)
    assert len(first.newly_failing) == 1
    assert tallies.compared(old, new) is first
    _reviewed(new, 1, Status.PASS)
    assert tallies.compared(old, new).unchanged == 1
    new.checkpoint_path.write_text('{"schema": 99}\n')
    with pytest.raises(CheckpointUnusable):
        tallies.compared(old, new)
