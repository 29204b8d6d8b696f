"""The texts of a report about one poster."""

from __future__ import annotations

import pytest

from redzone.models import Element, ElementKind
from redzone.reports.cards import report_card, without_folders
from redzone.review import ReviewedOutcome
from tests.reports.samples import NOW, failed, judged, poster, verdict


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("/home/ann/posters/a.png cannot be read", "a.png cannot be read"),
        ("row 3 of /data/x.csv: empty", "row 3 of x.csv: empty"),
        ("https://img.example.com/posters/a.png said 404", "https://img.example.com/posters/a.png said 404"),
        ("posters/a.png is no picture", "posters/a.png is no picture"),
        ("and/or 3 / 4", "and/or 3 / 4"),
    ],
)
def test_folders_of_this_machine_are_not_told(message: str, told: str) -> None:
    """Addresses and relative paths are."""
    assert without_folders(message, 100) == told


def test_what_was_found_is_told_once_with_its_number() -> None:
    """A label that only says the kind again is left out."""
    elements = [
        Element(kind=ElementKind.FACE, label="face"),
        Element(kind=ElementKind.TEXT, label="HEAT"),
        Element(kind=ElementKind.FACE),
    ]
    said = verdict().model_copy(update={"elements": tuple(elements)})
    assert report_card(ReviewedOutcome(poster(1), failed(1, said))).found == "2x face, text “HEAT”"


def test_a_note_alone_is_no_review() -> None:
    """It is told, and nothing is said about who reviewed."""
    reviewed = judged(1)
    noted = report_card(
        ReviewedOutcome(reviewed.row, reviewed.outcome, (reviewed.annotate("Ann", NOW, "ask legal"),))
    )
    assert (noted.note, noted.review, noted.original) == ("ask legal", "", "")


def test_a_pending_row_has_no_card() -> None:
    """There is nothing to tell of it."""
    with pytest.raises(ValueError, match="row 1 is pending"):
        report_card(ReviewedOutcome(poster(1), None))
