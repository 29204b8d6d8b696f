"""JSON Lines, and a JSON array read as a stream: objects become rows of text cells."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from redzone.errors import InputUnusable
from redzone.inputs.columns import Record, Roles, required_roles
from redzone.inputs.text_file import LINE_LIMIT_CHARS, TextFile

# Cells are kept per row, column names for the whole run: data in the place of names must not fill the memory.
COLUMN_LIMIT = 1_000

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
        """Which of the columns are used for what."""
        return required_roles(self.name, self.columns, self._mapping)

    def records(self) -> Iterator[Record]:
        """Every value in order; one that is no object, or no valid JSON on its line, is a faulty row."""
        image = self.roles.image
        for line, value in self._values():
            if isinstance(value, _Invalid):
                yield line, {}, str(value)
            elif not isinstance(value, dict):
                yield line, {}, "it is no JSON object"
            else:
                fault = None if isinstance(value.get(image), str | None) else f"{image} is no text"
                yield line, {_name(key): _cell(cell) for key, cell in value.items()}, fault

    def _values(self) -> Iterator[tuple[int, object]]:
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
