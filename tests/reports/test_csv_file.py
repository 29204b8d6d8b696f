"""CSV that is safe to open and complete to read."""

from __future__ import annotations

import csv
import io
import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.inputs import InputSpec, open_inputs
from redzone.models import Poster
from redzone.reports import Format, TableLayout, write_results
from redzone.reports.csv_file import safe_cell
from redzone.review import ReviewedOutcome
from tests.reports.samples import URL, bad, errored, failed, poster, verdict


def rendered(layout: TableLayout, *reviewed_outcomes: ReviewedOutcome) -> list[list[str]]:
    stream = io.StringIO(newline="")
    assert write_results(stream, Format.CSV, reviewed_outcomes, layout) == len(reviewed_outcomes)
    return list(csv.reader(io.StringIO(stream.getvalue(), newline=""), strict=True))


def test_a_line_per_row_in_the_order_given() -> None:
    """Judged, pending and bad rows alike."""
    stream = io.StringIO(newline="")
    layout = TableLayout(("content_id", "url"), ("red",))
    reviewed_outcomes = [
        ReviewedOutcome(poster(1), failed(1)),
        ReviewedOutcome(bad(2), errored(2)),
        ReviewedOutcome(poster(3), None),
    ]
    count = write_results(stream, Format.CSV, reviewed_outcomes, layout)
    lines = stream.getvalue().split("\n")
    assert count == 3
    assert lines[0].startswith(
        "content_id,url,status,red_contains_key_elements,red_confidence_pct,red_elements,"
    )
    assert lines[1].startswith(
        f"0012,{URL},fail,true,97.5,text: HEAT; face,the title reaches in,model,gpt-6-luna,"
    )
    assert lines[2].startswith("7,,error,,,,,,,input,p.csv line 3: url is empty,")
    assert lines[3] == f"0012,{URL},pending" + "," * 21
    assert lines[4:] == [""]


@pytest.mark.parametrize(
    ("cell", "exported"),
    [
        ("=cmd()", "'=cmd()"),
        ("+1", "'+1"),
        ("-5", "'-5"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\n=1"),
        ("\x1b[0m=1", "'=1"),
        ("＝1", "'＝1"),  # noqa: RUF001 - the full-width form is meant
        ("0012", "0012"),
        ("\x1b[31mred\x1b[0m [/bold]", "red [/bold]"),
        ("a=b", "a=b"),
        ("two\r\nlines", "two\nlines"),
        ("", ""),
    ],
)
def test_a_cell_that_could_be_a_formula_gets_an_apostrophe(cell: str, exported: str) -> None:
    """After cleaning, so that an escape in front hides nothing; `0012` stays."""
    assert safe_cell(cell) == exported


HOSTILE = st.text(st.sampled_from("=+-@\t\r\n'\"\x1b[m,;ab\x00\u202e＝"), max_size=10) | st.text(max_size=10)  # noqa: RUF001


@given(cells=st.lists(HOSTILE, min_size=1, max_size=5), text=HOSTILE)
def test_every_cell_of_an_export_is_safe(cells: list[str], text: str) -> None:
    """No formula and no control character, in any column of the input, its names, and the model's text."""
    columns = {f"{cell}{number}": cell for number, cell in enumerate(cells)}
    layout = TableLayout(tuple(columns), ("red",))
    outcome = failed(1, verdict(label=text, justification=text))
    table = rendered(
        layout,
        ReviewedOutcome(poster(1, **columns), outcome),
        ReviewedOutcome(poster(2, **columns), errored(2, text)),
    )
    assert [len(line) for line in table] == [len(layout.columns)] * 3
    for cell in (cell for line in table for cell in line):
        assert cell[:1] not in set("=+-@\t\r\n＝＋－＠")  # noqa: RUF001
        assert not [
            char for char in cell if unicodedata.category(char) in {"Cc", "Cs"} and char not in "\n\t"
        ]


PLAIN = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=10).filter(
    lambda text: safe_cell(text) == text
)


@given(rows=st.lists(st.tuples(PLAIN, PLAIN), min_size=1, max_size=6))
def test_an_export_is_an_input_with_the_same_rows(rows: list[tuple[str, str]]) -> None:
    """parse(render(rows)) == rows for every text that needs no disarming."""
    layout = TableLayout(("content_id", "title", "url"), ("red",))
    posters = [
        Poster(number, key, URL, title, "", {"content_id": key, "title": title, "url": URL})
        for number, (key, title) in enumerate(rows, 1)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.csv"
        write_results(path, Format.CSV, (ReviewedOutcome(row, failed(row.row)) for row in posters), layout)
        again = list(open_inputs(InputSpec((str(path),))).rows())
    assert [(row.columns["content_id"], row.columns["title"]) for row in again] == rows
    assert {row.columns["status"] for row in again} == {"fail"}
