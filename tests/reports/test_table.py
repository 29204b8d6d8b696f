"""The flat columns of an outcome."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from redzone.models import Outcome, Status
from redzone.reports import TableLayout, result_cells, result_columns
from redzone.review import ReviewedOutcome
from tests.reports.samples import NOW, bad, errored, failed, poster, verdict


def cells_of(reviewed: ReviewedOutcome, *zones: str) -> dict[str, str]:
    return dict(zip(result_columns(zones), result_cells(reviewed, zones), strict=True))


def found(outcome: Outcome) -> ReviewedOutcome:
    return ReviewedOutcome(poster(), outcome)


def test_an_outcome_s_cells_stand_under_its_columns() -> None:
    """Status, four columns per zone, source, model, error, how it came about, then what people said."""
    cells = cells_of(found(failed()), "red")
    assert cells == {
        "status": "fail",
        "red_contains_key_elements": "true",
        "red_confidence_pct": "97.5",
        "red_elements": "text: HEAT; face",
        "red_justification": "the title reaches in",
        "source": "model",
        "model": "gpt-6-luna",
        "error_code": "",
        "error": "",
        "strategy": "crop-full",
        "attempts": "2",
        "cost_usd": "0.000050",
        "image_sha256": "ab" * 32,
        "finished_at": "2026-10-01T12:00:00+00:00",
        "justification": "the title reaches in",
        "reviewed": "false",
        "reviewed_by": "",
        "reviewed_at": "",
        "original_status": "fail",
        "original_justification": "the title reaches in",
        "disagreed": "false",
        "note": "",
    }


def test_every_zone_has_its_own_columns_whatever_the_order_of_the_answer() -> None:
    """Cells are found by the zone's name; a zone without a verdict is empty."""
    outcome = failed(1, verdict("blue", label="B"), verdict("red", label="R"))
    zones = ("red", "green", "blue")
    cells = cells_of(found(outcome), *zones)
    assert [cells[f"{zone}_elements"] for zone in zones] == ["text: R; face", "", "text: B; face"]


def test_a_row_without_an_outcome_is_pending() -> None:
    """It is in the table all the same."""
    assert result_cells(ReviewedOutcome(poster(), None), ("red",)) == ("pending", *[""] * 21)


def test_an_error_has_its_code_and_message_and_no_verdict() -> None:
    """An infrastructure fault never looks like a verdict."""
    cells = cells_of(found(errored()), "red")
    assert (cells["status"], cells["error_code"], cells["error"]) == (
        "error",
        "input",
        "p.csv line 3: url is empty",
    )
    assert cells["red_contains_key_elements"] == cells["red_confidence_pct"] == cells["source"] == ""


def test_a_review_changes_the_status_and_leaves_the_model_s_words() -> None:
    """`status` and `justification` are what counts now; who, when and what was before stand at the end."""
    model = found(failed(1, verdict("red"), verdict("blue", justification="a face")))
    ann = model.judge("ann", NOW, Status.PASS, "only the sky")
    ben = model.judge("ben", NOW, Status.FAIL)
    cells = cells_of(
        replace(model, reviews=(ben, ann, model.annotate("ben", NOW, "see\x1b[2J\nme"))), "red", "blue"
    )
    assert cells["status"] == "pass"
    assert cells["justification"] == "only the sky"
    assert cells["red_justification"] == "the title reaches in"
    assert cells["original_status"] == "fail"
    assert cells["original_justification"] == "red: the title reaches in; blue: a face"
    assert (cells["reviewed"], cells["reviewed_by"], cells["reviewed_at"]) == ("true", "ann", NOW.isoformat())
    assert (cells["disagreed"], cells["note"]) == ("true", "see\nme")


def test_text_of_the_model_cannot_steer_a_terminal() -> None:
    """Labels and justifications are cleaned; markup is left as the text that it is."""
    outcome = failed(1, verdict(label="\x1b[2J\nHEAT", justification="\x1b]0;x\x07[/bold] why"))
    cells = cells_of(found(outcome), "red")
    assert cells["red_elements"] == "text:  HEAT; face"
    assert cells["red_justification"] == "[/bold] why"


def test_the_input_s_columns_come_first_and_as_they_are() -> None:
    """A row that lacks one has an empty cell."""
    layout = TableLayout(("content_id", "url"), ("red",))
    assert layout.columns[:3] == ("content_id", "url", "status")
    assert layout.cells(ReviewedOutcome(bad(), None))[:3] == ("7", "", "pending")
    assert layout.cells(found(failed()))[:3] == ("0012", "https://img.example.com/a.jpg", "fail")


def test_a_name_that_the_input_has_already_gets_a_prefix() -> None:
    """So that an export can be an input again, twice and in any case."""
    layout = TableLayout(("Status", "redzone_status", "error"), ("red",))
    assert "redzone_redzone_status" in layout.columns
    assert "redzone_error" in layout.columns


@given(
    columns=st.lists(
        st.sampled_from([*result_columns(("red",)), "Model", "redzone_model", "id"]), unique=True
    )
)
def test_no_two_columns_have_the_same_name(columns: list[str]) -> None:
    """Not even for readers that ignore case; and there is a cell for each."""
    layout = TableLayout(tuple(columns), ("red",))
    own = {column.casefold() for column in columns}
    added = [column.casefold() for column in layout.columns[len(columns) :]]
    assert len(set(added)) == len(added)
    assert not own & set(added)
    assert len(layout.cells(found(failed()))) == len(layout.columns)
