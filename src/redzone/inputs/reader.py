"""All inputs of a run as one stream of numbered rows, which can be read again and again."""

from __future__ import annotations

import csv
import hashlib
import random
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from itertools import islice
from pathlib import Path, PurePath

from redzone.errors import InputUnusable
from redzone.inputs.columns import (
    EMPTY,
    IMAGE_SUFFIXES,
    InputSource,
    check_mapping,
    find_roles,
    header_names,
    sniff_delimiter,
)
from redzone.inputs.csv_reader import Table
from redzone.inputs.excel_reader import WORKBOOK_SUFFIXES, Workbook
from redzone.inputs.json_reader import JsonRows
from redzone.inputs.listing import Folder, UrlList
from redzone.inputs.stdin import SpooledStdin
from redzone.inputs.text_file import open_text_file
from redzone.models import BadRow, Poster, Row

STDIN = "-"
# `Mission: Impossible.jpg` is a file, so a colon alone makes no scheme.
_HAS_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|(?:data|file):", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What to read. `-` among the paths is standard input, whose bytes `stdin` says where to find.

    `mapping` names columns by role (`{"image": "COVER"}`). `limit` takes the first rows; `sample` draws that
    many of them, the same ones for the same `seed`. Relative image paths are appended to the address
    `image_base`, if it is set. `encoding` is that of text files; None: it is detected.
    """

    paths: tuple[str, ...]
    mapping: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None
    sample: int | None = None
    seed: int = 0
    stdin: SpooledStdin | None = None
    image_base: str | None = None
    encoding: str | None = None


@dataclass(frozen=True, slots=True)
class InputSurvey:
    """What one pass over everything found. `rows` are selected by limit and sample out of `total_rows`;
    `bad_rows` counts all that cannot be used, selected or not. `notes` are sentences for people about choices
    that were made, such as the image column."""

    rows: int
    total_rows: int
    bad_rows: int
    sha256: str
    columns: tuple[str, ...]
    notes: tuple[str, ...] = ()


class Inputs:
    """The rows of all inputs, numbered from 1 without a gap. Made by `open_inputs`."""

    def __init__(self, spec: InputSpec, sources: Sequence[InputSource]) -> None:
        self._spec = spec
        self._sources = sources

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns of all inputs, in order of first appearance. Reads JSON inputs through."""
        return tuple(dict.fromkeys(column for source in self._sources for column in source.columns))

    def rows(self) -> Iterator[Row]:
        """The selected rows in input order, from the beginning at each call, in constant memory.

        Row numbers are those of the full input. Raises InputUnusable as `survey` does.
        """
        if self._spec.sample is None:
            return islice(self._all_rows(), self._spec.limit)
        return self._sampled_rows()

    def survey(self) -> InputSurvey:
        """Read everything once, so that an unreadable line surfaces before anything is paid for.

        Raises InputUnusable: an input has no row, no image column, a wrong encoding, broken JSON.
        """
        return self._survey

    @cached_property
    def _survey(self) -> InputSurvey:
        total_rows = bad_rows = 0
        for source in self._sources:
            before = total_rows
            for row in _bound(source, total_rows + 1, self._spec.image_base):
                total_rows += 1
                bad_rows += isinstance(row, BadRow)
            if total_rows == before:
                raise InputUnusable(f"{source.name} has no rows; there is nothing to analyse")
        return InputSurvey(
            rows=min(self._spec.sample or total_rows, self._limited(total_rows)),
            total_rows=total_rows,
            bad_rows=bad_rows,
            sha256=self.digest(),
            columns=self.columns,
            notes=tuple(note for source in self._sources for note in source.notes),
        )

    def _all_rows(self) -> Iterator[Row]:
        row_number = 0
        for source in self._sources:
            for row in _bound(source, row_number + 1, self._spec.image_base):
                row_number = row.row
                yield row

    def _sampled_rows(self) -> Iterator[Row]:
        survey = self.survey()
        drawing = random.Random(self._spec.seed)  # noqa: S311 - to be repeatable, not secret
        numbers = sorted(drawing.sample(range(1, self._limited(survey.total_rows) + 1), survey.rows))
        wanted = iter(numbers)
        number = next(wanted, None)
        for row in self._all_rows():
            if row.row == number:
                yield row
                number = next(wanted, None)
                if number is None:
                    return

    def _limited(self, total_rows: int) -> int:
        return total_rows if self._spec.limit is None else min(self._spec.limit, total_rows)

    def digest(self) -> str:
        """One input's own sha256; of several, the sha256 of their digests, one a line."""
        digests = [source.digest() for source in self._sources]
        return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()


def open_inputs(spec: InputSpec) -> Inputs:
    """The inputs, with their heads checked: they exist, are text, and tables have an image column.

    Raises InputUnusable with what, where and the next step.
    """
    if not spec.paths:
        raise InputUnusable("no input; name a CSV, TSV, JSON, JSONL or .txt file, a folder of images, or `-`")
    if spec.paths.count(STDIN) > 1:
        raise InputUnusable("stdin (`-`) can be given only once")
    for name, number in (("--limit", spec.limit), ("--sample", spec.sample)):
        if number is not None and number < 1:
            raise InputUnusable(f"{name} {number}: at least 1 row")
    check_mapping(spec.mapping)
    return Inputs(spec, [_open_source(path, spec) for path in spec.paths])


def _open_source(given: str, spec: InputSpec) -> InputSource:
    if given != STDIN:
        path, name = Path(given).absolute(), given
        base_dir = path.parent
    elif spec.stdin is None:
        raise InputUnusable("stdin was not kept in a file, so it cannot be read; give the input as a file")
    else:
        path, name, base_dir = Path(spec.stdin.path), "stdin", Path(spec.stdin.base_dir)
    try:
        mode = path.stat().st_mode
    except OSError as error:
        where = "" if name == str(path) else f"; the full path is {path}"
        raise InputUnusable(f"{name} cannot be read: {error.strerror}{where}; check the name") from error
    if stat.S_ISDIR(mode):
        return Folder(path, name)
    if not stat.S_ISREG(mode):
        raise InputUnusable(f"{name} is a pipe or device, which can be read only once; give it as stdin: `-`")
    if path.suffix.lower() in WORKBOOK_SUFFIXES:
        return Workbook(path, name, base_dir, spec.mapping)
    file = open_text_file(path, name, spec.encoding)
    file_name = "" if given == STDIN else path.name
    kind = detect_kind(file_name, file.head, spec.mapping)
    if kind is None:
        raise InputUnusable(
            f"{name} is neither a table nor a list of images; "
            "a list is a .txt file with one URL or image path a line"
        )
    if kind is Kind.URL_LIST:
        return UrlList(file, base_dir)
    if kind is Kind.TABLE:
        return Table(file, base_dir, spec.mapping)
    return JsonRows(file, base_dir, spec.mapping, array=kind is Kind.JSON_ARRAY)


def _bound(source: InputSource, first_row: int, image_base: str | None) -> Iterator[Row]:
    """Records as numbered rows: the cells that have a role, and the image as a URL or an absolute path."""
    roles, name, base_dir = source.roles, source.name, source.base_dir
    base_url = image_base.rstrip("/") if image_base else None
    for number, (line, cells, fault) in enumerate(source.records(), first_row):
        cell = cells.get
        # no column is called "": a role without a column reads as empty
        identity = cell(roles.id or "", "").strip() or str(number)
        image = cell(roles.image or "", "").strip()
        title = cell(roles.title or "", "").strip()
        group = cell(roles.group or "", "").strip()
        reason = fault or _image_fault(image, roles.image)
        if reason is not None:
            yield BadRow(number, f"{name} line {line:,}: {reason}", identity, title, group, cells)
        else:
            if image.startswith("//"):
                image = f"https:{image}"
            elif not _HAS_SCHEME.match(image):
                image = f"{base_url}/{image.lstrip('/')}" if base_url else str(base_dir / image)
            yield Poster(number, identity, image, title, group, cells)


def _image_fault(image: str, column: str | None) -> str | None:
    if image.casefold() in EMPTY:
        return f"{column} is empty" + (f" ({image})" if image else "")
    return f"{column} contains a control character" if _CONTROL.search(image) else None


class Kind(StrEnum):
    """How a text file is read."""

    TABLE = "table"
    JSON_LINES = "json-lines"
    JSON_ARRAY = "json-array"
    URL_LIST = "url-list"


LIST_LINES = 20
_NO_LISTS = frozenset({".cfg", ".conf", ".html", ".ini", ".md", ".py", ".toml", ".xml", ".yaml", ".yml"})
_TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".tab"})
_JSON_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson"})


def detect_kind(file_name: str, head: str, mapping: Mapping[str, str]) -> Kind | None:
    """The kind of the text that begins with `head`, or None if it is no list. A final `.gz` is ignored."""
    suffix = PurePath(file_name.lower().removesuffix(".gz")).suffix
    if suffix in _TABLE_SUFFIXES:
        return Kind.TABLE
    if suffix in _NO_LISTS:
        return None
    text = head.lstrip("\ufeff \t\r\n")
    if suffix in _JSON_SUFFIXES or text[:1] in {"[", "{"}:
        return Kind.JSON_ARRAY if text.startswith("[") else Kind.JSON_LINES
    first = text.split("\n", 1)[0].strip()
    if _names_an_image_column(first, mapping):
        return Kind.TABLE
    if suffix == ".txt" or _is_image_list(text):
        return Kind.URL_LIST
    return None if first.startswith("#") else Kind.TABLE


def _is_image_list(text: str) -> bool:
    """Whether the first lines that are no comments are addresses or image paths, all of them."""
    lines = [line.strip() for line in text.splitlines()[:LIST_LINES]]
    entries = [line for line in lines if line and not line.startswith("#")]
    return bool(entries) and all(
        _HAS_SCHEME.match(entry) or PurePath(entry.lower()).suffix in IMAGE_SUFFIXES for entry in entries
    )


def _names_an_image_column(line: str, mapping: Mapping[str, str]) -> bool:
    try:
        cells = next(csv.reader([line], delimiter=sniff_delimiter(line, mapping)), [])
    except csv.Error:
        return False
    return find_roles(header_names(cells), mapping).image is not None
