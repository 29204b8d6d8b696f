"""CSV and TSV, one record at a time, where a broken quote costs one row and not the rest of the file."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from redzone.errors import InputUnusable
from redzone.inputs.columns import (
    SAMPLE_ROWS,
    Record,
    Roles,
    find_roles,
    header_names,
    image_choice,
    required_roles,
    sniff_delimiter,
)
from redzone.inputs.text_file import TextFile

# Lines in which a header is looked for.
HEADER_LINES = 20
# A record of more lines than this has a quote that was never closed.
RECORD_LIMIT_LINES = 10_000
# Each recovery may read up to 131,072 characters (the csv module's field limit) again, so bound their number.
RECOVERY_LIMIT = 1_000

if TYPE_CHECKING:
    from _csv import Reader as _Reader


class Table:
    """A table with a header line. Reads the header at once; raises InputUnusable without an image column."""

    def __init__(self, file: TextFile, base_dir: Path, mapping: Mapping[str, str]) -> None:
        self.name = file.name
        self.base_dir = base_dir
        self._file = file
        self._mapping = mapping
        self._skipped_lines, self._delimiter = _find_header(file, mapping)
        self._space_before_quotes = bool(re.search(rf"{re.escape(self._delimiter)} +\"", file.head))
        header, _ = self._begin(_Lines(file.lines()))
        self.columns = header_names(header)
        sample = [cells for _, cells, fault in islice(self.records(), SAMPLE_ROWS) if fault is None]
        self.roles: Roles = required_roles(self.name, self.columns, mapping, sample)

    @property
    def notes(self) -> tuple[str, ...]:
        """The encoding, if it was detected, and the image column, if there was a choice."""
        choice = image_choice(self.name, self.columns, self.roles, self._mapping)
        skipped = None
        if self._skipped_lines:
            skipped = f"{self.name}: the header is on line {self._skipped_lines + 1}"
        return tuple(note for note in (self._file.note, skipped, choice) if note)

    def digest(self) -> str:
        """sha256 of the file's bytes, hex."""
        return self._file.digest()

    def records(self) -> Iterator[Record]:
        """Every record after the header. Blank lines are no rows; everything else is one, good or faulty."""
        lines = _Lines(self._file.lines())
        _, reader = self._begin(lines)
        columns, width = self.columns, len(self.columns)
        while True:
            taken = lines.start_record()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield self._recover(lines, _fault(error, lines))
                continue
            if taken[0].isspace():
                continue
            if len(cells) != width:
                yield self._recover(lines, _RUNAWAY if len(taken) > 1 else _wrong_cells(cells, width))
            else:
                text = taken[0] if len(taken) == 1 else "".join(taken)
                fault = "it contains a NUL character" if "\0" in text else None
                yield lines.first, dict(zip(columns, cells, strict=True)), fault

    def _begin(self, lines: _Lines) -> tuple[list[str], _Reader]:
        """The cells of the header, and a reader that is at the first record."""
        for _ in range(self._skipped_lines):
            lines.start_record()
            next(lines, "")
        lines.start_record()
        reader = csv.reader(
            lines, delimiter=self._delimiter, strict=True, skipinitialspace=self._space_before_quotes
        )
        try:
            return next(reader), reader
        except csv.Error as error:
            raise InputUnusable(f"{self.name}: the header line cannot be read as CSV: {error}") from error

    def _recover(self, lines: _Lines, fault: str) -> Record:
        """The record's first line as a faulty row; its other lines are read again as rows of their own."""
        line, text = lines.first, lines.taken[0]
        lines.give_back()
        if lines.times_given_back > RECOVERY_LIMIT:
            raise InputUnusable(
                f"{self.name} line {line:,}: more than {RECOVERY_LIMIT:,} quotes are never closed; "
                "write the file again with every quote inside a cell doubled"
            )
        try:
            cells = next(csv.reader([text], delimiter=self._delimiter), [])
        except csv.Error:
            cells = []
        surplus = self._delimiter.join(cells[len(self.columns) :])
        if surplus:
            fault = f"{fault}; beyond the header's columns: {surplus[:200]}"
        return line, dict(zip(self.columns, cells, strict=False)), fault


def _find_header(file: TextFile, mapping: Mapping[str, str]) -> tuple[int, str]:
    """How many lines are before the header, and the delimiter.

    Excel's `sep=;` line names the delimiter. Titles above the header are passed over if one of the next lines
    names an image column and the first one does not.
    """
    first: tuple[int, str] | None = None
    separator: str | None = None
    for number, line in enumerate(islice(file.lines(), HEADER_LINES)):
        text = line.strip("\ufeff \t\r\n")
        if not text:
            continue
        separator_line = re.fullmatch(r"sep=(.)", text, re.IGNORECASE)
        if separator_line and first is None:
            separator = separator_line[1]
            continue
        delimiter = separator or sniff_delimiter(line, mapping)
        # a cell of the data may be called like a column, so a later line has to name two
        if _named_roles(line, delimiter, mapping, least=1 if first is None else 2):
            return number, delimiter
        first = first or (number, delimiter)
    if first is None:
        raise InputUnusable(f"{file.name} is empty; a table needs a header line and rows")
    return first


def _named_roles(line: str, delimiter: str, mapping: Mapping[str, str], least: int) -> bool:
    """Whether the line names an image column, and as many roles in all."""
    try:
        cells = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return False
    roles = find_roles(header_names(cells), mapping)
    named = (roles.id, roles.image, roles.title, roles.group)
    return roles.image is not None and sum(role is not None for role in named) >= least


_RUNAWAY = "a quote is opened on this line and not closed where a cell ends"


def _fault(error: csv.Error, lines: _Lines) -> str:
    if len(lines.taken) > 1:
        return _RUNAWAY
    text = str(error)
    if "expected after" in text:
        return 'text follows a closing quote (a quote inside a quoted cell is written "")'
    if "field larger" in text:
        return f"a cell is longer than {csv.field_size_limit():,} characters"
    return _RUNAWAY if "end of data" in text else text


def _wrong_cells(cells: list[str], width: int) -> str:
    return f"it has {len(cells)} cells where the header has {width}"


class _Lines:
    """Lines for csv.reader that know their numbers and can be given back."""

    __slots__ = ("_again", "_source", "number", "taken", "times_given_back")

    def __init__(self, source: Iterator[str]) -> None:
        self._source = source
        self._again: deque[str] = deque()
        self.number = 0
        self.times_given_back = 0
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._source)
        self.number += 1
        taken = self.taken
        taken.append(line)
        if len(taken) > RECORD_LIMIT_LINES:
            raise csv.Error(f"a record of more than {RECORD_LIMIT_LINES:,} lines")
        return line

    @property
    def first(self) -> int:
        """Number of the current record's first line, from 1."""
        return self.number - len(self.taken) + 1

    def start_record(self) -> list[str]:
        """Forget the last record's lines; the returned list fills up with the next one's."""
        self.taken = []
        return self.taken

    def give_back(self, keep: int = 1) -> None:
        """Read all lines of the record but the first `keep` once more."""
        rest = self.taken[keep:]
        self._again.extendleft(reversed(rest))
        self.number -= len(rest)
        self.times_given_back += bool(rest)
