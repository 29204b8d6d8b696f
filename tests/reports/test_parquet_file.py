"""Parquet that keeps every row, its order and its types: read back with DuckDB."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redzone.errors import UsageError
from redzone.models import Poster, Status
from redzone.reports import Format, TableLayout, format_for, write_results
from redzone.review import ReviewedOutcome
from tests.reports.samples import NOW, URL, bad, errored, failed, poster

LAYOUT = TableLayout(("content_id", "url"), ("red",))


def table(path: Path) -> tuple[dict[str, str], list[tuple[Any, ...]]]:
    """The types by column, and the rows."""
    with duckdb.connect() as database:
        described = database.execute("DESCRIBE FROM read_parquet(?)", [str(path)]).fetchall()
        rows = database.execute("FROM read_parquet(?)", [str(path)]).fetchall()
    return {column[0]: column[1] for column in described}, rows


def written(
    folder: Path, layout: TableLayout, *reviewed_outcomes: ReviewedOutcome
) -> tuple[dict[str, str], list[dict[str, Any]]]:
    path = folder / "out's.parquet"
    assert write_results(path, Format.PARQUET, reviewed_outcomes, layout) == len(reviewed_outcomes)
    types, rows = table(path)
    return types, [dict(zip(types, row, strict=True)) for row in rows]


def test_columns_have_types_and_what_is_not_there_is_null(tmp_path: Path) -> None:
    """Judged, pending, bad and reviewed rows, in the order given."""
    judged = ReviewedOutcome(poster(1), failed(1))
    at = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
    reviewed = ReviewedOutcome(poster(1), failed(1), (judged.judge("Ann", at, Status.PASS, "only sky"),))
    reviewed_outcomes = (
        reviewed,
        ReviewedOutcome(bad(2), errored(2)),
        ReviewedOutcome(poster(3), None),
        ReviewedOutcome(poster(4), failed(4)),
    )
    types, rows = written(tmp_path, LAYOUT, *reviewed_outcomes)
    assert list(types) == list(LAYOUT.columns)
    assert {name: kind for name, kind in types.items() if kind != "VARCHAR"} == {
        "red_contains_key_elements": "BOOLEAN",
        "red_confidence_pct": "DOUBLE",
        "attempts": "INTEGER",
        "cost_usd": "DOUBLE",
        "finished_at": "TIMESTAMP WITH TIME ZONE",
        "reviewed": "BOOLEAN",
        "reviewed_at": "TIMESTAMP WITH TIME ZONE",
        "disagreed": "BOOLEAN",
    }
    first = rows[0]
    assert (first["content_id"], first["url"], first["status"]) == ("0012", URL, "pass")
    assert (first["red_contains_key_elements"], first["red_confidence_pct"]) == (True, 97.5)
    assert (first["attempts"], first["cost_usd"], first["finished_at"]) == (2, 0.00005, NOW)
    assert (first["reviewed"], first["reviewed_by"], first["reviewed_at"]) == (True, "Ann", at)
    assert (first["justification"], first["original_status"]) == ("only sky", "fail")
    assert (rows[1]["status"], rows[1]["error_code"], rows[1]["model"]) == ("error", "input", None)
    assert rows[2]["status"] == "pending"
    assert {rows[2][name] for name in LAYOUT.columns[3:]} == {None}
    assert (rows[3]["reviewed"], rows[3]["reviewed_at"]) == (False, None)


TEXTS = st.text(max_size=8) | st.sampled_from(["", "\x00", "\ud800", "\x1b[31m", "=1+1", "0012", "a\nb", '"'])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=6, unique_by=lambda pair: pair[0]))
def test_the_inputs_own_columns_stay_text_under_usable_names(columns: list[tuple[str, str]]) -> None:
    """Any names, none among them, and any cells: nothing is read as a number, a date or SQL."""
    layout = TableLayout(tuple(name for name, _ in columns), ("red",))
    row = Poster(1, "1", URL, columns=dict(columns))
    with tempfile.TemporaryDirectory() as folder:
        types, rows = written(Path(folder), layout, ReviewedOutcome(row, failed(1)))
    own = list(rows[0].values())[: len(columns)]
    assert own == [cell.encode("utf-8", "replace").decode() for _, cell in columns]
    assert len(types) == len(layout.columns)
    assert list(types.values())[: len(columns)] == ["VARCHAR"] * len(columns)


def test_names_that_differ_by_case_only_are_told_apart(tmp_path: Path) -> None:
    """SQL would not."""
    layout = TableLayout(("URL", "url", ""), ())
    row = Poster(1, "1", URL, columns={"URL": "a", "url": "b", "": "c"})
    types, rows = written(tmp_path, layout, ReviewedOutcome(row, failed(1)))
    assert list(types)[:3] == ["URL", "url_2", "column_3"]
    assert list(rows[0].values())[:3] == ["a", "b", "c"]


def test_an_export_without_rows_has_its_columns(tmp_path: Path) -> None:
    """A filter may leave nothing."""
    types, rows = written(tmp_path, LAYOUT)
    assert (len(types), rows) == (len(LAYOUT.columns), [])


def test_the_order_is_kept_over_many_row_groups(tmp_path: Path) -> None:
    """Three of them."""
    path = tmp_path / "big.parquet"
    reviewed_outcomes = (
        ReviewedOutcome(Poster(row, str(row), URL, columns={"n": str(row)}), None) for row in range(1, 50_001)
    )
    assert write_results(path, Format.PARQUET, reviewed_outcomes, TableLayout(("n",), ())) == 50_000
    _, rows = table(path)
    assert [int(row[0]) for row in rows] == list(range(1, 50_001))


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    """The format's foot is written last and its head names it: a stream cannot take that."""
    path = tmp_path / "pipe.parquet"
    os.mkfifo(path)
    with pytest.raises(UsageError, match=r"is not a file, which \.parquet needs"):
        write_results(path, Format.PARQUET, [], LAYOUT)


def test_the_missing_package_is_named_with_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before anything is paid for or written."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"needs duckdb.*pip install 'redzone\[parquet\]'"):
        format_for(Path("a.parquet"))
    assert format_for(Path("a.csv")) is Format.CSV
