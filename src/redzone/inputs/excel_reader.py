"""The first sheet of an Excel workbook as rows of text cells. Needs the extra `excel`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from functools import cached_property
from itertools import islice
from pathlib import Path

from redzone.errors import InputUnusable
from redzone.inputs.columns import (
    SAMPLE_ROWS,
    Record,
    Roles,
    find_roles,
    header_names,
    image_choice,
    required_roles,
)

WORKBOOK_SUFFIXES = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})
HEADER_ROWS = 20
INSTALL = "install the reader (pip install python-calamine), or export it as CSV"


class Workbook:
    """A workbook's first sheet with a header row. Raises InputUnusable without an image column.

    Numbers without a fraction become text without a decimal point, so that an id stays as it is shown.
    """

    def __init__(self, path: Path, name: str, base_dir: Path, mapping: Mapping[str, str]) -> None:
        self.name = name
        self.base_dir = base_dir
        self._path = path
        self._mapping = mapping
        self._header_row, cells = self._find_header()
        self.columns = header_names(cells)
        sample = [row for _, row, _ in islice(self.records(), SAMPLE_ROWS)]
        self.roles: Roles = required_roles(name, self.columns, mapping, sample)

    @property
    def notes(self) -> tuple[str, ...]:
        """The sheet, if there are several, and the image column, if there was a choice."""
        sheets, _ = self._sheet
        other = f"{self.name}: the first of {len(sheets)} sheets is read, {sheets[0]}" if sheets[1:] else None
        choice = image_choice(self.name, self.columns, self.roles, self._mapping)
        return tuple(note for note in (other, choice) if note)

    def digest(self) -> str:
        """sha256 of the file's bytes, hex."""
        try:
            with self._path.open("rb") as raw:
                return hashlib.file_digest(raw, "sha256").hexdigest()
        except OSError as error:
            raise InputUnusable(f"{self.name} cannot be read: {error.strerror}") from error

    def records(self) -> Iterator[Record]:
        """Every row below the header that is not empty; `line` is the row's number in the sheet."""
        width = len(self.columns)
        for number, row in enumerate(self._rows, 1):
            if number > self._header_row and any(row):
                padded = [*row, *[""] * (width - len(row))]
                yield number, dict(zip(self.columns, padded, strict=False)), None

    def _find_header(self) -> tuple[int, Sequence[str]]:
        """The row that names an image column, among the first ones; else the first row that is not empty."""
        filled = [(number, row) for number, row in enumerate(self._rows[:HEADER_ROWS], 1) if any(row)]
        if not filled:
            raise InputUnusable(f"{self.name} is empty; a table needs a header row and rows below it")
        for number, row in filled:
            if find_roles(header_names(row), self._mapping).image is not None:
                return number, row
        return filled[0]

    @property
    def _rows(self) -> list[list[str]]:
        return self._sheet[1]

    @cached_property
    def _sheet(self) -> tuple[list[str], list[list[str]]]:
        try:
            from python_calamine import CalamineError, CalamineWorkbook
        except ImportError:
            raise InputUnusable(f"{self.name} is an Excel workbook; {INSTALL}") from None
        try:
            book = CalamineWorkbook.from_path(self._path)
            rows = book.get_sheet_by_index(0).to_python(skip_empty_area=False)
            return list(book.sheet_names), [[_cell(value) for value in row] for row in rows]
        except (CalamineError, OSError, ValueError) as error:
            raise InputUnusable(f"{self.name} cannot be read as a workbook: {error}") from error


def _cell(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return "" if value is None else str(value)
