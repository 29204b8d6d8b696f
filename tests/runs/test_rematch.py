"""Outcomes and reviews follow their posters when the rows of the input move."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from redzone.models import Outcome, Poster, Row, Status, Tokens
from redzone.query import RunIndex, compare
from redzone.review import Action, Review
from redzone.runs.checkpoint import Spent, render_intent, render_spent
from redzone.runs.index import CheckpointIndex
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


def unnamed(*images: str) -> list[Poster]:
    """A list without an id column: each id is the number of its row."""
    urls = [f"https://posters.example/{image}.jpg" for image in images]
    return [Poster(row, str(row), url) for row, url in enumerate(urls, 1)]


def judged(posters: Sequence[Poster], *statuses: Status) -> list[Outcome]:
    pairs = zip(posters, statuses, strict=True)
    return [outcome(one.row, status, id=one.id, image=one.image) for one, status in pairs]


def test_without_an_id_column_an_inserted_line_detaches_nothing(tmp_path: Path) -> None:
    """Outcomes and reviews belong to the image, the second appearance of one to the second."""
    before, after = unnamed("a", "b", "a"), unnamed("new", "a", "b", "a")
    statuses = (Status.PASS, Status.FAIL, Status.UNSURE)
    reviews = [
        note(2, "of b").model_copy(update={"id": "2", "image": before[1].image}),
        note(3, "of the second a").model_copy(update={"id": "3", "image": before[2].image}),
    ]
    folder = run_of(tmp_path, judged(before, *statuses), reviews)
    for _ in range(2):  # and once more, as after a crash
        rematch(folder, lambda: after)
        with RunIndex(folder) as browser:
            found = {one.row.row: (one.row.id, one.status, one.note) for one in browser.reviewed_outcomes()}
        assert found == {
            2: ("2", Status.PASS, None),
            3: ("3", Status.FAIL, "of b"),
            4: ("4", Status.UNSURE, "of the second a"),
        }


def test_two_runs_of_lists_without_ids_are_compared_by_image(tmp_path: Path) -> None:
    """An inserted line changes every row number and no verdict."""
    before = run_of(tmp_path / "one", judged(unnamed("a", "b"), Status.PASS, Status.FAIL))
    after = run_of(tmp_path / "two", judged(unnamed("new", "a", "b"), Status.PASS, Status.PASS, Status.PASS))
    with RunIndex(before) as one, RunIndex(after) as other:
        found = compare(one, other)
    assert (found.unchanged, found.only_before, found.only_after) == (1, 0, 1)
    assert [change.row_after for change in found.fixed] == [3]


def test_the_money_stays_the_same_whatever_the_new_list_holds(tmp_path: Path) -> None:
    """Of posters that are gone, replaced answers, requests in doubt, and one poster a thousand times."""
    outcomes = [outcome(1), outcome(1, cost_usd=0.5, attempts=1), outcome(2, cost_usd=0.25), outcome(3)]
    folder = run_of(tmp_path, outcomes)
    with folder.checkpoint_path.open("ab") as file:
        file.write(render_intent(4, "m", NOW, 0.125))
        file.write(render_spent(Spent(row=5, attempts=1, cost_usd=0.0625, tokens=Tokens(input=10, output=1))))
    old = CheckpointIndex.read(folder.checkpoint_path)
    assert old.most_spent_usd == pytest.approx(0.5 + 0.25 + 0.002 + 0.125 + 0.0625)
    for new in (rows(*[1] * 1000), rows(3, 2), rows(9), rows()):
        rematch(folder, lambda new=new: new)  # type: ignore[misc]  # bound now
        index = CheckpointIndex.read(folder.checkpoint_path)
        assert index.cost_usd == pytest.approx(old.cost_usd, abs=1e-9)
        assert index.most_spent_usd == pytest.approx(old.most_spent_usd, abs=1e-9)
        assert index.tokens == old.tokens
        assert index.in_doubt == ()
