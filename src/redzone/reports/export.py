"""Writes results in every format, chosen by the extension; a file is complete or not written at all."""

from __future__ import annotations

import errno
import importlib.util
import io
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TextIO

from redzone.errors import UsageError
from redzone.reports.atomic_file import replacing
from redzone.reports.csv_file import write_csv
from redzone.reports.json_file import write_json, write_jsonl
from redzone.reports.metadata import Report
from redzone.reports.table import TableLayout
from redzone.review import ReviewedOutcome

TableWriter = Callable[[TextIO, Iterable[ReviewedOutcome], TableLayout], int]


class Format(StrEnum):
    """The formats of results."""

    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    PARQUET = "parquet"
    HTML = "html"
    PDF = "pdf"


_TABLES: Mapping[Format, TableWriter] = {
    Format.CSV: write_csv,
    Format.JSON: write_json,
    Format.JSONL: write_jsonl,
}
STREAMED = frozenset(_TABLES)
REPORTS = frozenset({Format.HTML, Format.PDF})
_EXTENSIONS: Mapping[str, Format] = {
    ".csv": Format.CSV,
    ".json": Format.JSON,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".parquet": Format.PARQUET,
    ".html": Format.HTML,
    ".pdf": Format.PDF,
}
# the package that a format needs, and the extra of redzone that installs it
_EXTRAS: Mapping[Format, tuple[str, str]] = {
    Format.PARQUET: ("duckdb", "parquet"),
    Format.PDF: ("typst", "pdf"),
}


def format_for(path: Path) -> Format:
    """The format of a file, by its extension. Raises UsageError that names the known ones, or the package
    that is missing for this one."""
    found = _EXTENSIONS.get(path.suffix.lower())
    if found is None:
        known = ", ".join(_EXTENSIONS)
        raise UsageError(
            f"{path}: {path.suffix or 'a file without extension'} is not a known format; use {known}"
        )
    if missing := missing_for(found):
        raise UsageError(f"{path} needs {_EXTRAS[found][0]}, which is not installed: {missing}")
    return found


def missing_for(form: Format) -> str:
    """The command that installs what a format still needs; empty if it needs nothing."""
    package, extra = _EXTRAS.get(form, ("", ""))
    needs = package and importlib.util.find_spec(package) is None
    return f"pip install 'redzone[{extra}]'" if needs else ""


def write_results(
    target: Path | TextIO,
    form: Format,
    reviewed_outcomes: Iterable[ReviewedOutcome],
    layout: TableLayout,
    report: Report | None = None,
) -> int:
    """Write the rows in the order given, in constant memory, and return their number.

    HTML and PDF need the `report` and show each row as a card. A file is replaced as a whole: the old one
    stays until the new one is on disk. A stream (stdout) takes CSV, JSON and JSONL, and is switched to UTF-8.
    Raises UsageError if the file or stream cannot be written, BrokenPipeError if its reader has gone.
    """
    if not isinstance(target, Path):
        return _write_stream(target, form, reviewed_outcomes, layout)
    with replacing(target, streamed=form in _TABLES) as path:
        if form in _TABLES:
            with path.open("w", encoding="utf-8", newline="") as stream:
                return _TABLES[form](stream, reviewed_outcomes, layout)
        # imported here: charts and templates take 50 ms to import, and every run imports this module
        if form is Format.PARQUET:
            from redzone.reports.parquet_file import write_parquet

            return write_parquet(path, reviewed_outcomes, layout)
        if report is None:
            raise ValueError(f"{form} needs a report")
        if form is Format.HTML:
            from redzone.reports.html_file import write_html

            return write_html(path, reviewed_outcomes, report)
        from redzone.reports.pdf_file import write_pdf

        return write_pdf(path, reviewed_outcomes, report)


def _write_stream(
    stream: TextIO, form: Format, reviewed_outcomes: Iterable[ReviewedOutcome], layout: TableLayout
) -> int:
    try:
        if isinstance(stream, io.TextIOWrapper):
            # whatever the locale: results are UTF-8, as in files
            stream.reconfigure(encoding="utf-8", newline="")
        count = _TABLES[form](stream, reviewed_outcomes, layout)
        stream.flush()  # a full disk is reported here, not at exit
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = "it is closed" if error.errno == errno.EBADF else error.strerror
        raise UsageError(f"stdout cannot be written: {reason}; name a file with --output") from error
    return count
