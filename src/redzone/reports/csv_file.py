"""Results as CSV that a spreadsheet opens without running any of it."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import TextIO

from redzone.reports.table import TableLayout
from redzone.review import ReviewedOutcome
from redzone.text import clean

# How formulas begin in spreadsheets, and the full-width forms that some of them fold.
_FORMULA_STARTS = frozenset("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 - the full-width forms are meant


def write_csv(stream: TextIO, reviewed_outcomes: Iterable[ReviewedOutcome], layout: TableLayout) -> int:
    """Write a header line and a line per row (UTF-8 without BOM, `\\n`) and return the number of rows."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(map(safe_cell, layout.columns))
    count = 0
    for reviewed in reviewed_outcomes:
        writer.writerow(map(safe_cell, layout.cells(reviewed)))
        count += 1
    return count


def safe_cell(text: str) -> str:
    """The text without control characters, and with an apostrophe before a possible formula.

    Line breaks inside a cell stay. `-5` gets an apostrophe too: a rule without exceptions is safe.
    """
    text = clean(text, keep_lines=True)
    return f"'{text}" if text[:1] in _FORMULA_STARTS else text
