"""Whole files or none, picked by extension."""

from __future__ import annotations

import json
import os
import stat
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from redzone.errors import ExitCode, UsageError
from redzone.reports import (
    REPORTS,
    Format,
    Report,
    TableLayout,
    format_for,
    html_file,
    pdf_file,
    write_results,
)
from redzone.review import ReviewedOutcome
from tests.reports.samples import FACTS, failed, poster

LAYOUT = TableLayout(("content_id", "url"), ("red",))


def reviewed_outcomes(count: int) -> Iterator[ReviewedOutcome]:
    return (ReviewedOutcome(poster(row), failed(row)) for row in range(1, count + 1))


@pytest.mark.parametrize(
    ("name", "form"),
    [("a.csv", Format.CSV), ("A.JSON", Format.JSON), ("a.jsonl", Format.JSONL), ("a.b.ndjson", Format.JSONL)],
)
def test_the_extension_picks_the_format(name: str, form: Format) -> None:
    """In any case."""
    assert format_for(Path(name)) is form


@pytest.mark.parametrize("name", ["a.xls", "results", "a.csv.gz"])
def test_an_unknown_extension_is_an_error_that_names_the_known_ones(name: str) -> None:
    """A usage error, before anything is written."""
    with pytest.raises(UsageError, match=r"use \.csv, \.json, \.jsonl, \.ndjson") as info:
        format_for(Path(name))
    assert info.value.exit_code is ExitCode.USAGE


def test_a_failed_export_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    """Whole or not at all."""
    path = tmp_path / "out.csv"
    path.write_text("old")

    def breaking() -> Iterator[ReviewedOutcome]:
        yield from reviewed_outcomes(100)
        raise RuntimeError("lost")

    with pytest.raises(RuntimeError, match="lost"):
        write_results(path, Format.CSV, breaking(), LAYOUT)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["out.csv"]  # noqa: PTH208 - hidden names too


def test_an_export_replaces_the_file_and_keeps_a_link_a_link(tmp_path: Path) -> None:
    """The folder holds nothing else afterwards."""
    path, link = tmp_path / "out.jsonl", tmp_path / "link.jsonl"
    path.write_text("old")
    link.symlink_to(path)
    assert write_results(link, Format.JSONL, reviewed_outcomes(3), LAYOUT) == 3
    assert link.is_symlink()
    assert [json.loads(line)["row"] for line in path.read_text().splitlines()] == [1, 2, 3]
    assert sorted(os.listdir(tmp_path)) == ["link.jsonl", "out.jsonl"]  # noqa: PTH208 - hidden names too


def test_a_pipe_is_written_and_not_replaced(tmp_path: Path) -> None:
    """So that `/dev/stdout` and `/dev/null` stay what they are."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    received: list[str] = []
    reader = threading.Thread(target=lambda: received.append(path.read_text()))
    reader.start()
    write_results(path, Format.JSON, reviewed_outcomes(2), LAYOUT)
    reader.join()
    assert len(json.loads(received[0])) == 2
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_a_place_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    """A missing folder, a folder in the file's place: the path and the reason."""
    with pytest.raises(UsageError, match=r"missing/out\.csv cannot be written: No such file or directory"):
        write_results(tmp_path / "missing" / "out.csv", Format.CSV, reviewed_outcomes(1), LAYOUT)
    with pytest.raises(UsageError, match="cannot be written: Is a directory"):
        write_results(tmp_path, Format.CSV, reviewed_outcomes(1), LAYOUT)


@pytest.mark.parametrize("form", [form for form in Format if form not in REPORTS])
def test_memory_does_not_grow_with_the_rows(tmp_path: Path, form: Format) -> None:
    """2,000 rows, more than 1 MB of output, are written in less than 0.5 MB of memory."""
    path = tmp_path / f"out.{form}"
    write_results(path, form, reviewed_outcomes(1), LAYOUT)
    tracemalloc.start()
    try:
        write_results(path, form, reviewed_outcomes(2_000), LAYOUT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 500_000
    assert path.stat().st_size > 500_000 or form in (Format.CSV, Format.PARQUET)


@pytest.mark.parametrize("form", sorted(REPORTS))
def test_the_memory_of_a_report_is_that_of_the_posters_it_tells(
    tmp_path: Path, form: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    """10 of them, however many the run has."""
    for writer in (html_file, pdf_file):
        monkeypatch.setattr(writer, "MOST_CARDS", 10)
    path = tmp_path / f"out.{form}"

    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            assert write_results(path, form, reviewed_outcomes(count), LAYOUT, Report(FACTS)) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1)
    assert peak(2_000) < 1.1 * peak(20)
