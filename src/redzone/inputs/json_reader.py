"""JSON Lines, and a JSON array read as a stream: objects become rows of text cells."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import islice
from pathlib import Path

from redzone.errors import InputUnusable
from redzone.inputs.columns import (
    SAMPLE_ROWS,
    Record,
    Roles,
    find_roles,
    image_choice,
    required_roles,
)
from redzone.inputs.text_file import LINE_LIMIT_CHARS, TextFile

# Cells are kept per row, column names for the whole run: data in the place of names must not fill the memory.
COLUMN_LIMIT = 1_000
# A document around the list is read as a whole: at most this many characters.
DOCUMENT_CHARS = 200_000_000

_SPACE = re.compile(r"[ \t\n\r]*")
_decode = json.JSONDecoder().raw_decode


class JsonRows:
    """Objects of a JSONL file or of one JSON array.

    Their columns are the union over all objects, so that one column means the same in every row; the first
    use of `columns`, `roles` or `records` reads the file once for it.
    """

    def __init__(self, file: TextFile, base_dir: Path, mapping: Mapping[str, str], *, array: bool) -> None:
        self.name = file.name
        self.base_dir = base_dir
        self._file = file
        self._mapping = mapping
        self._array = array
        self._wrapped = None if array else _find_list(file)

    @property
    def notes(self) -> tuple[str, ...]:
        """The list inside a document, a detected encoding, and the image column if there was a choice."""
        wrapped = f"{self.name}: the rows are the list under `{self._wrapped[0]}`" if self._wrapped else None
        choice = image_choice(self.name, self.columns, self.roles, self._mapping)
        return tuple(note for note in (self._file.note, wrapped, choice) if note)

    def digest(self) -> str:
        """sha256 of the file's bytes, hex."""
        return self._file.digest()

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The keys of all objects, in order of first appearance."""
        seen: dict[str, None] = {}
        for line, value in self._values():
            if isinstance(value, dict) and not value.keys() <= seen.keys():
                seen.update(dict.fromkeys(map(_name, value)))
                if len(seen) > COLUMN_LIMIT:
                    raise InputUnusable(
                        f"{self.name} line {line:,}: more than {COLUMN_LIMIT:,} different keys; "
                        "data seems to stand where column names are expected"
                    )
        return tuple(seen)

    @cached_property
    def roles(self) -> Roles:
        """Which of the columns are used for what. A nested value is named by its path: `images.poster`."""
        objects = [value for _, value in islice(self._values(), SAMPLE_ROWS) if isinstance(value, dict)]
        sample = [dict(_paths(value)) for value in objects]
        nested = dict.fromkeys(path for row in sample for path in row if path not in self.columns)
        roles = find_roles(self.columns, self._mapping, sample)
        if roles.image is not None and all(column in self.columns for column in self._mapping.values()):
            return roles
        return required_roles(self.name, (*self.columns, *nested), self._mapping, sample)

    def records(self) -> Iterator[Record]:
        """Every value in order; one that is no object, or no valid JSON on its line, is a faulty row."""
        roles = self.roles
        image = roles.image
        nested = [
            path for path in (roles.id, image, roles.title, roles.group) if path and path not in self.columns
        ]
        for line, value in self._values():
            if isinstance(value, _Invalid):
                yield line, {}, str(value)
            elif not isinstance(value, dict):
                yield line, {}, "it is no JSON object"
            else:
                cells = {_name(key): _cell(cell) for key, cell in value.items()}
                if nested:
                    by_path = dict(_paths(value))
                    cells |= {path: by_path.get(path, "") for path in nested}
                fault = None if isinstance(value.get(image), str | None) else f"{image} is no text"
                yield line, cells, fault

    def _values(self) -> Iterator[tuple[int, object]]:
        if self._wrapped is not None:
            return enumerate(self._wrapped[1], 1)
        return self._array_values() if self._array else self._line_values()

    def _line_values(self) -> Iterator[tuple[int, object]]:
        for number, line in enumerate(self._file.lines(), 1):
            if not line.isspace():
                yield number, _parsed(line)

    def _array_values(self) -> Iterator[tuple[int, object]]:
        window = _Window(self._file.chunks(), self.name)
        window.take()
        mark = window.take() if window.peek() == "]" else ","
        while mark == ",":
            value = window.value()
            yield window.line, value
            mark = window.take()
        if mark != "]":
            raise window.broken("`,` or `]` is missing")
        if window.peek():
            raise window.broken("text follows the end of the array")


def _find_list(file: TextFile) -> tuple[str, list[object]] | None:
    """The longest list of objects inside a file that is one JSON object, and its path; None for JSON Lines.

    Such a document has to be read as a whole, so it may have at most DOCUMENT_CHARS.
    """
    lines = (line for line in file.lines() if not line.isspace())
    first, second = next(lines, ""), next(lines, "")
    if second and isinstance(_parsed(first), dict) and isinstance(_parsed(second), dict):
        return None
    text = ""
    for chunk in file.chunks():
        text += chunk
        if len(text) > DOCUMENT_CHARS:
            return None
    document = _parsed(text)
    if not isinstance(document, dict):
        return None
    lists = list(_lists(document, ""))
    return max(lists, key=lambda found: len(found[1]), default=None)


def _lists(value: dict[str, object], path: str) -> Iterator[tuple[str, list[object]]]:
    for key, inner in value.items():
        place = f"{path}.{key}" if path else key
        if isinstance(inner, list) and inner and all(isinstance(item, dict) for item in inner):
            yield place, inner
        elif isinstance(inner, dict):
            yield from _lists(inner, place)


def _paths(value: dict[str, object], before: str = "") -> Iterator[tuple[str, str]]:
    """Cells by path, those of nested objects too."""
    for key, inner in value.items():
        path = f"{before}{_name(key)}"
        if isinstance(inner, dict):
            yield from _paths(inner, f"{path}.")
        else:
            yield path, _cell(inner)


class _Invalid(str):
    """A line that is no JSON: what is wrong with it."""

    __slots__ = ()


def _parsed(line: str) -> object:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        return _Invalid(f"invalid JSON at column {error.colno}: {error.msg}")
    except ValueError:  # a number of more than 4,300 digits
        return _Invalid("invalid JSON: a number has too many digits")
    except RecursionError:
        return _Invalid("invalid JSON: nested too deeply")


def _cell(value: object) -> str:
    """A JSON value as a text cell: text as it is, null empty, all else as compact JSON."""
    if isinstance(value, str):
        return _encodable(value)
    return "" if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _name(key: str) -> str:
    return _encodable(key) or "_"  # a name that is not empty: roles without a column are looked up as ""


def _encodable(text: str) -> str:
    """JSON can spell half a surrogate pair (`"\\ud800"`), which no file can hold as UTF-8."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class _Window:
    """The part of an array that is in memory: what is read is dropped, what is cut off grows."""

    def __init__(self, chunks: Iterator[str], name: str) -> None:
        self._chunks = chunks
        self._name = name
        self._text = ""
        self._at = 0
        self._counted = 0
        self.line = 1

    def peek(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            self._at = self._skip(self._at)
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._grow():
                return ""

    def take(self) -> str:
        """The next character that is no white space, and step over it."""
        mark = self.peek()
        self._at += len(mark)
        return mark

    def value(self) -> object:
        """The next value. It is whole only when a `,` or `]` follows: `12` may be the beginning of `123`."""
        if self.peek():
            self._count_lines()
        while True:
            try:
                value, end = _decode(self._text, self._at)
            except (ValueError, RecursionError) as error:
                message = error.msg if isinstance(error, json.JSONDecodeError) else "a value cannot be read"
                if not self._grow():
                    raise self.broken(message) from error
                continue
            follower = self._skip(end)
            if self._text[follower : follower + 1] in {",", "]"} or not self._grow():
                self._at = end
                return value

    def broken(self, what: str) -> InputUnusable:
        """The error: unlike lines, an array cannot be picked up again behind a bad place."""
        self._count_lines()
        return InputUnusable(
            f"{self._name} line {self.line:,}: the JSON array is broken: {what}; "
            "repair it, or write one object a line (JSONL), where a bad line costs only itself"
        )

    def _skip(self, at: int) -> int:
        space = _SPACE.match(self._text, at)
        return space.end() if space else at

    def _count_lines(self) -> None:
        self.line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at

    def _grow(self) -> bool:
        """Twice as much text, so that trying again and again stays linear; False at the end."""
        self._count_lines()
        kept = self._text[self._at :]
        if len(kept) > LINE_LIMIT_CHARS:
            raise self.broken(f"a value is longer than {LINE_LIMIT_CHARS:,} characters, or wrong")
        pieces, size = [kept], 0
        while size <= len(kept):
            piece = next(self._chunks, "")
            if not piece:
                break
            pieces.append(piece)
            size += len(piece)
        self._text, self._at, self._counted = "".join(pieces), 0, 0
        return size > 0
