"""JSON and JSON Lines: complete, and safe to print."""

from __future__ import annotations

import io
import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from redzone.models import Outcome, Status
from redzone.reports import Format, TableLayout, write_results
from redzone.review import ReviewedOutcome
from tests.reports.samples import NOW, URL, bad, errored, failed, poster, verdict

LAYOUT = TableLayout(("content_id", "url"), ("red",))


def rendered(form: Format, *reviewed_outcomes: ReviewedOutcome) -> str:
    stream = io.StringIO(newline="")
    assert write_results(stream, form, reviewed_outcomes, LAYOUT) == len(reviewed_outcomes)
    return stream.getvalue()


def test_one_object_a_line_with_the_input_s_columns_and_the_outcome() -> None:
    """The names are the checkpoint's."""
    (line,) = rendered(Format.JSONL, ReviewedOutcome(poster(1), failed(1))).splitlines()
    result = json.loads(line)
    assert list(result)[:7] == ["row", "id", "title", "group", "image", "columns", "status"]
    assert result["columns"] == {"content_id": "0012", "url": URL}
    assert result["zones"][0]["elements"][0] == {"kind": "text", "label": "HEAT", "box": None}
    assert (result["status"], result["tokens"]) == ("fail", {"input": 300, "output": 40})
    outcome = {name: value for name, value in result.items() if name in Outcome.model_fields}
    assert Outcome.model_validate_json(json.dumps(outcome)) == failed(1).model_copy(update={"group": "award"})


def test_every_row_has_the_same_keys() -> None:
    """Pending and bad rows too; a bad row has no image."""
    lines = rendered(
        Format.JSONL,
        ReviewedOutcome(poster(1), failed(1)),
        ReviewedOutcome(bad(2), errored(2)),
        ReviewedOutcome(poster(3), None),
    ).splitlines()
    first, second, third = map(json.loads, lines)
    assert list(first) == list(second) == list(third)
    assert (second["status"], second["image"], second["error"]["code"]) == ("error", "", "input")
    assert (third["status"], third["zones"], third["error"]) == ("pending", [], None)


def test_an_array_holds_the_same_objects() -> None:
    """One valid JSON document, also of no rows."""
    reviewed_outcomes = [ReviewedOutcome(poster(1), failed(1)), ReviewedOutcome(poster(2), None)]
    lines = rendered(Format.JSONL, *reviewed_outcomes).splitlines()
    assert json.loads(rendered(Format.JSON, *reviewed_outcomes)) == [json.loads(line) for line in lines]
    assert json.loads(rendered(Format.JSON)) == []
    assert rendered(Format.JSONL) == ""


def test_a_review_stands_beside_the_model_s_verdict() -> None:
    """The status is what counts now, the zones are the model's; the fields are there without a review too."""
    model = ReviewedOutcome(poster(1), failed(1))
    judged = ReviewedOutcome(poster(1), failed(1), (model.judge("ann", NOW, Status.PASS, "only the sky"),))
    plain, reviewed = map(json.loads, rendered(Format.JSONL, model, judged).splitlines())
    assert (reviewed["status"], reviewed["original_status"]) == ("pass", "fail")
    assert reviewed["justification"] == "only the sky"
    assert reviewed["original_justification"] == reviewed["zones"][0]["justification"]
    assert (reviewed["reviewed"], reviewed["reviewed_by"]) == (True, "ann")
    assert reviewed["reviewed_at"] == NOW.isoformat()
    assert (plain["reviewed"], plain["reviewed_by"], plain["original_status"]) == (False, None, "fail")


@given(
    text=st.text(st.characters(), max_size=20)
    | st.text(st.sampled_from("\x1b\x9b\u202e\ud800\x7f\\u0"), max_size=8)
)
def test_nothing_is_lost_and_nothing_steers_a_terminal(text: str) -> None:
    """Unsafe characters are escaped, not stripped: what is read back is what was there."""
    outcome = failed(1, verdict(justification=text.encode("utf-8", "replace").decode()))
    line = rendered(Format.JSONL, ReviewedOutcome(poster(1, content_id=text, url=URL), outcome))
    assert not [char for char in line[:-1] if unicodedata.category(char) in {"Cc", "Cs"} or char == "\u202e"]
    assert json.loads(line)["columns"]["content_id"] == text
