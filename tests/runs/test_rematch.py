"""Outcomes and reviews follow their posters when the rows of the input move."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from redzone.models import Poster, Row, Status
from redzone.query import RunIndex
from redzone.review import Action, Review
from redzone.runs.rematch import rematch
from redzone.runs.reviews import read_reviews
from tests.outcomes import outcome
from tests.query.runs import plainly_read, run_of

NOW = datetime(2026, 10, 4, 9, 0, tzinfo=UTC)


def note(row: int, text: str) -> Review:
    about = outcome(row)
    return Review(row=row, id=about.id, image=about.image, by="ann", at=NOW, action=Action.NOTE, note=text)


def rows(*was: int) -> Sequence[Row]:
    """An input whose rows hold the posters that had these numbers before."""
    posters = [outcome(number) for number in was]
    return [Poster(row, one.id, one.image) for row, one in enumerate(posters, start=1)]


def test_outcomes_and_reviews_move_with_their_posters(tmp_path: Path) -> None:
    """What is gone is kept in the old files; what is new is pending; the browser follows."""
    said = [note(1, "a"), note(3, "b"), note(1, "c"), note(2, "d")]
    folder = run_of(tmp_path, [outcome(1), outcome(2, Status.FAIL), outcome(3)], said)
    old = (folder.checkpoint_path.read_bytes(), folder.reviews_path.read_bytes())
    with RunIndex(folder) as browser:
        assert browser.rows() == (1, 2, 3)
        rematch(folder, lambda: rows(3, 4, 1))
        found = list(browser.reviewed_outcomes())
    assert [(one.row.row, one.row.id) for one in found] == [(1, "0003"), (3, "0001")]
    assert [[review.note for review in one.reviews] for one in found] == [["b"], ["a", "c"]]
    assert found == plainly_read(folder)
    kept = {path.read_bytes() for path in tmp_path.glob("*.*.jsonl")}
    assert kept == set(old)


def test_matching_again_changes_nothing_more(tmp_path: Path) -> None:
    """As after a crash between the two files, or a run resumed twice."""
    folder = run_of(tmp_path, [outcome(1), outcome(2)], [note(1, "a"), note(2, "b")])
    rematch(folder, lambda: rows(2, 1))
    once = read_reviews(folder.reviews_path)
    rematch(folder, lambda: rows(2, 1))
    assert read_reviews(folder.reviews_path) == once
    assert [one.note for one in plainly_read(folder)] == ["b", "a"]


def test_of_rows_with_the_same_poster_a_review_keeps_its_own(tmp_path: Path) -> None:
    """Or goes to the first, where its own holds another poster now."""
    folder = run_of(tmp_path, [outcome(1), outcome(2)], [note(1, "a"), note(2, "b")])
    rematch(folder, lambda: rows(2, 1, 1, 2))
    assert {
        row: [one.note for one in events] for row, events in read_reviews(folder.reviews_path).items()
    } == {
        1: ["b"],
        2: ["a"],
    }
    rematch(folder, lambda: rows(2, 2, 1))
    assert sorted(read_reviews(folder.reviews_path)) == [1, 3]
