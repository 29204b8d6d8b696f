"""From a filled-in form to the event that is written down."""

from __future__ import annotations

import pytest

from redzone.errors import UsageError
from redzone.models import Poster, Status
from redzone.review import Action, ReviewedOutcome
from redzone.web.services.reviewing import ReviewForm, review_event
from tests.outcomes import NOON
from tests.web.posters import judged

FINDING = ReviewedOutcome(Poster(1, "0001", "/p.jpg"), judged(1))
SHOWN = {"shown_justification": "The title\nreaches in.", "shown_note": ""}


def said(wish: str, **fields: str) -> ReviewForm:
    texts = {"justification": "The title\r\nreaches in.", "note": ""}
    return ReviewForm.of({"wish": wish, **SHOWN, **texts, **fields})


@pytest.mark.parametrize(("wish", "status"), [("pass", Status.PASS), ("fail", Status.FAIL)])
def test_a_judgement_holds_the_texts_only_if_the_person_changed_them(wish: str, status: Status) -> None:
    """What was merely shown may be out of date when it comes back; forms turn line breaks into CR LF."""
    event = review_event(said(wish), FINDING, "ann", NOON)
    assert event is not None
    assert (event.action, event.new_status, event.old_status) == (Action.JUDGE, status, Status.FAIL)
    assert (event.justification, event.note) == (None, None)


def test_one_press_of_a_button_is_one_event() -> None:
    """So one undo takes it back, with the words that were changed."""
    event = review_event(said("pass", justification="Only sky.", note="ask Ben"), FINDING, "ann", NOON)
    assert event is not None
    assert (event.action, event.justification, event.note) == (Action.JUDGE, "Only sky.", "ask Ben")


def test_texts_can_be_saved_without_a_judgement() -> None:
    """The justification, the note, both; with nothing changed there is nothing to write down."""
    justified = review_event(said("save", justification="Only sky.", note="ask Ben"), FINDING, "ann", NOON)
    assert justified is not None
    assert (justified.action, justified.justification, justified.note) == (
        Action.JUSTIFY,
        "Only sky.",
        "ask Ben",
    )
    noted = review_event(said("save", note="ask Ben"), FINDING, "ann", NOON)
    assert noted is not None
    assert (noted.action, noted.note, noted.justification) == (Action.NOTE, "ask Ben", None)
    assert review_event(said("save"), FINDING, "ann", NOON) is None


def test_a_note_can_be_cleared_and_a_justification_cannot() -> None:
    """An empty justification says nothing, so the one before stays."""
    cleared = review_event(
        ReviewForm.of({"wish": "save", "note": "", "shown_note": "old"}), FINDING, "ann", NOON
    )
    assert cleared is not None
    assert (cleared.action, cleared.note) == (Action.NOTE, "")
    assert review_event(said("save", justification="  "), FINDING, "ann", NOON) is None


def test_an_undo_says_nothing_else() -> None:
    """Whatever stands in the fields."""
    event = review_event(said("undo", justification="x", note="y"), FINDING, "ann", NOON)
    assert event is not None
    assert (event.action, event.justification, event.note) == (Action.UNDO, None, None)


def test_a_text_is_kept_without_what_no_reader_should_meet() -> None:
    """Terminal escapes and bidi overrides go, line breaks stay."""
    event = review_event(said("save", justification="a\x1b[31m\u202eb\r\nc"), FINDING, "ann", NOON)
    assert event is not None
    assert event.justification == "ab\nc"


@pytest.mark.parametrize("wish", ["", "delete", "PASS", "unsure"])
def test_another_wish_is_refused(wish: str) -> None:
    """With those that there are."""
    with pytest.raises(UsageError, match="one of pass, fail, save, undo"):
        said(wish)


def test_a_text_that_is_too_long_is_refused_not_cut() -> None:
    """The person still has it, and can shorten it."""
    with pytest.raises(UsageError, match="longer than 4,000 characters"):
        said("save", note="x" * 4001)
