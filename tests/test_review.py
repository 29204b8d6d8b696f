"""What stands after people have reviewed an outcome."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from redzone.models import Poster, Status, ZoneVerdict
from redzone.review import TEXT_LIMIT, Action, Review, ReviewedOutcome, active_reviews
from tests.outcomes import outcome

NOW = datetime(2026, 10, 4, 9, 0, tzinfo=UTC)
POSTER = Poster(7, "0007", "https://posters.example/7.jpg", "The Long Way Up", "award")
ZONE = ZoneVerdict(name="red", contains_key_elements=True, confidence_pct=80, justification="a face")
FOUND = ReviewedOutcome(POSTER, outcome(7, Status.FAIL, zones=(ZONE,)))


def after(*reviews: Review) -> ReviewedOutcome:
    return replace(FOUND, reviews=reviews)


def test_without_a_review_everything_is_the_run_s_own() -> None:
    """And nobody has reviewed it."""
    assert (FOUND.status, FOUND.original_status) == (Status.FAIL, Status.FAIL)
    assert (FOUND.justification, FOUND.original_justification) == ("a face", "a face")
    assert (FOUND.reviewed, FOUND.reviewed_by, FOUND.reviewed_at) == (False, None, None)
    assert (FOUND.note, FOUND.disagreed) == (None, False)


def test_a_pending_row_has_no_status() -> None:
    """Neither its own nor an original one."""
    pending = ReviewedOutcome(POSTER, None)
    assert (pending.status, pending.original_status, pending.original_justification) == (None, None, "")


def test_the_latest_judgement_counts_and_the_model_s_stays_known() -> None:
    """By the order in which they were written, whatever the clocks of two people say."""
    late = FOUND.judge("ann", NOW + timedelta(hours=1), Status.PASS, "only the sky")
    early = FOUND.judge("ben", NOW, Status.UNSURE)
    found = after(late, early)
    assert (found.status, found.original_status) == (Status.UNSURE, Status.FAIL)
    assert (found.justification, found.original_justification) == ("only the sky", "a face")
    assert (found.reviewed_by, found.reviewed_at) == ("ben", NOW)


def test_two_people_s_judgements_both_stand_and_may_disagree() -> None:
    """Only the last judgement of each person counts for it."""
    ann, ben = FOUND.judge("ann", NOW, Status.PASS), FOUND.judge("ben", NOW, Status.FAIL)
    assert after(ann, ben).disagreed
    assert not after(ann, ben, FOUND.judge("ann", NOW, Status.FAIL)).disagreed
    assert active_reviews((ann, ben)) == (ann, ben)


def test_undo_takes_back_one_s_own_latest_event_only() -> None:
    """Again and again down to the model's verdict; another person's judgement is never touched."""
    one, two = FOUND.judge("ann", NOW, Status.PASS), FOUND.justify("ann", NOW, "it is a bird")
    other, undo = FOUND.judge("ben", NOW, Status.UNSURE), FOUND.undo("ann", NOW)
    assert active_reviews((one, two, other, undo)) == (one, other)
    assert active_reviews((one, two, other, undo, undo)) == (other,)
    assert active_reviews((one, two, other, undo, undo, undo)) == (other,)
    assert after(one, undo).status is Status.FAIL
    assert not after(one, undo).reviewed


def test_a_note_is_kept_but_is_no_review() -> None:
    """An empty one clears it."""
    note = FOUND.annotate("ann", NOW, "ask the studio")
    assert (after(note).note, after(note).reviewed) == ("ask the studio", False)
    assert after(note, FOUND.annotate("ben", NOW, "")).note == ""


def test_a_justification_alone_is_a_review_that_leaves_the_status() -> None:
    """The exported text is a person's then, so the export says whose."""
    found = after(FOUND.justify("ann", NOW, "a hand"))
    assert (found.status, found.justification, found.reviewed_by) == (Status.FAIL, "a hand", "ann")


def test_an_event_knows_its_poster_and_what_the_person_saw() -> None:
    """The status before it is the one that counted then."""
    seen = after(FOUND.judge("ann", NOW, Status.PASS))
    event = seen.judge("ben", NOW, Status.FAIL)
    assert (event.row, event.id, event.image) == (7, "0007", POSTER.image)
    assert (event.old_status, event.new_status) == (Status.PASS, Status.FAIL)


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": Action.JUDGE},
        {"action": Action.JUDGE, "new_status": Status.ERROR},
        {"action": Action.NOTE, "note": "x", "new_status": Status.PASS},
        {"action": Action.NOTE},
        {"action": Action.JUSTIFY},
        {"action": Action.UNDO, "note": "x"},
        {"action": Action.NOTE, "note": "x" * (TEXT_LIMIT + 1)},
        {"action": Action.NOTE, "note": "x", "by": ""},
        {"action": Action.NOTE, "note": "x", "at": datetime(2026, 10, 4)},  # noqa: DTZ001  refused for this
        {"action": Action.NOTE, "note": "x", "row": 0},
    ],
)
def test_an_event_that_makes_no_sense_cannot_be_made(wrong: dict[str, object]) -> None:
    """Nor one without a name, a time zone or an end."""
    with pytest.raises(ValidationError):
        Review.model_validate({"row": 1, "by": "ann", "at": NOW, **wrong})
