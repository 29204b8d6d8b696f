"""Laws of reviews: nothing said is lost, and undo is the inverse of the person's own last word."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from redzone.models import Status
from redzone.review import Action, Review, active_reviews
from redzone.runs.reviews import append_reviews, parse_review, read_reviews, render_review, scan_reviews

NOW = datetime(2026, 10, 4, 9, 0, tzinfo=UTC)
TEXT = st.text(st.characters(), max_size=20)
PEOPLE = st.sampled_from(["ann", "ben", "\ud800"])


def reviews(rows: st.SearchStrategy[int]) -> st.SearchStrategy[Review]:
    """Any event that a person could cause."""
    maybe, judgements = st.none() | TEXT, st.sampled_from([Status.PASS, Status.FAIL, Status.UNSURE])
    about = {
        "row": rows,
        "id": TEXT,
        "image": TEXT,
        "by": PEOPLE,
        "at": st.datetimes(timezones=st.just(UTC)),
        "old_status": st.none() | st.sampled_from(Status),
    }
    judge = {"action": st.just(Action.JUDGE), "new_status": judgements, "justification": maybe, "note": maybe}
    justify = {"action": st.just(Action.JUSTIFY), "justification": TEXT, "note": maybe}
    note = {"action": st.just(Action.NOTE), "note": TEXT}
    undo = {"action": st.just(Action.UNDO)}
    return st.one_of(*(st.builds(Review, **about, **kind) for kind in (judge, justify, note, undo)))


ONE_ROW = st.lists(reviews(st.just(1)), max_size=12)


@given(reviews(st.integers(1, 10**9)))
def test_an_event_comes_back_as_it_was(review: Review) -> None:
    """parse(render(x)) == x, and a line is one line."""
    line = render_review(review)
    assert parse_review(line) == review
    assert line.find(b"\n") == len(line) - 1


@given(st.lists(st.lists(reviews(st.integers(1, 3)), max_size=3), max_size=4))
@settings(max_examples=30, deadline=None)
def test_what_is_appended_in_any_portions_is_replayed_in_order(portions: list[list[Review]]) -> None:
    """read(append(a) append(b)) == a + b for each row."""
    everything = [review for portion in portions for review in portion]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "reviews.jsonl"
        for portion in portions:
            append_reviews(path, portion)
        found = read_reviews(path)
        assert [line.review for line in scan_reviews(path)] == everything
    rows = {review.row for review in everything}
    assert found == {row: tuple(one for one in everything if one.row == row) for row in rows}


@given(st.lists(reviews(st.integers(1, 3)), max_size=4), st.data())
@settings(max_examples=30, deadline=None)
def test_cut_anywhere_the_whole_events_before_the_cut_are_kept(
    written: list[Review], data: st.DataObject
) -> None:
    """And the next event is appended to them."""
    content = b"".join(map(render_review, written))
    cut = data.draw(st.integers(0, len(content)))
    whole = written[: content[:cut].count(b"\n")]
    new = Review(row=4, by="ann", at=NOW, action=Action.UNDO)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "reviews.jsonl"
        path.write_bytes(content[:cut])
        append_reviews(path, [new])
        assert [line.review for line in scan_reviews(path)] == [*whole, new]


@given(ONE_ROW, reviews(st.just(1)))
def test_an_undo_takes_back_exactly_what_the_person_did_last(before: list[Review], last: Review) -> None:
    """Of h + [x, undo by the same person] the same is in effect as of h, for every x but an undo."""
    undo = Review(row=1, by=last.by, at=NOW, action=Action.UNDO)
    if last.action is not Action.UNDO:
        assert active_reviews([*before, last, undo]) == active_reviews(before)


@given(ONE_ROW)
def test_what_one_person_does_never_takes_back_another_s_word(history: list[Review]) -> None:
    """Each person's standing events are those of their own history alone, in its order."""
    together = active_reviews(history)
    for by in {review.by for review in history}:
        alone = active_reviews([review for review in history if review.by == by])
        assert tuple(review for review in together if review.by == by) == alone
    assert all(review.action is not Action.UNDO for review in together)
