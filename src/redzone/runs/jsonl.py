"""Checksummed JSON Lines: how a line is sealed and verified, and what happens to a torn last one.

A line is one JSON object, ASCII only, and a newline. Its last key is `sum`: the first 16 hex digits of the
SHA-256 of the line without `,"sum":"..."` and without its newline. A line that a killed process began has no
newline: readers ignore it and the next writer cuts it off.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from redzone.runs.files import open_regular

TORN = "torn: the file ends before the line does"
WRONG_CHECKSUM = "its checksum does not match"
SEAL_BYTES = len(b',"sum":"0123456789abcdef"}\n')
_SEAL = re.compile(rb',"sum":"[0-9a-f]{16}"\}\n\Z')


class RawLine(NamedTuple):
    """A line with its newline, if it has one: its number from 1 and the offset where it begins."""

    number: int
    offset: int
    raw: bytes


def seal(body: bytes) -> bytes:
    """The line of a JSON object: with its checksum as the last key, and a newline."""
    digest = hashlib.sha256(body).hexdigest()[:16]
    return b'%b,"sum":"%b"}\n' % (body[:-1], digest.encode("ascii"))


def is_sealed(raw: bytes) -> bool:
    """Whether a line's checksum matches its content."""
    return seal(raw[:-SEAL_BYTES] + b"}") == raw


def has_seal(raw: bytes) -> bool:
    """Whether a line has a checksum, right or wrong."""
    return _SEAL.search(raw) is not None


def unseal(raw: bytes, prefix: bytes) -> bytes:
    """The JSON object of a sealed line, without its checksum and without the keys of `prefix`."""
    return b"{" + raw[len(prefix) : -SEAL_BYTES] + b"}"


def read_lines(path: Path) -> Iterator[RawLine]:
    """Every line in order, a torn last one too; nothing if there is no file. Raises OSError."""
    try:
        file = open_regular(path, buffer_bytes=1 << 20)
    except FileNotFoundError:
        return
    offset = 0
    with file:
        for number, raw in enumerate(file, start=1):
            yield RawLine(number, offset, raw)
            offset += len(raw)


def cut_torn_line(descriptor: int) -> int:
    """Cut off a torn last line; the length of the file then, in bytes. Raises OSError."""
    length = os.fstat(descriptor).st_size
    if not length or os.pread(descriptor, 1, length - 1) == b"\n":
        return length
    whole = os.pread(descriptor, length, 0).rfind(b"\n") + 1
    os.ftruncate(descriptor, whole)
    return whole


def append_lines(
    descriptor: int, length: int, data: bytes, sync: Callable[[int], None], *, keep_whole: bool
) -> None:
    """Append lines to a file of this length and sync it. Blocks.

    Raises OSError; then the file has none of the lines, or with `keep_whole` those that were written whole.
    """
    written = 0
    try:
        while written < len(data):
            written += os.write(descriptor, data[written:] if written else data)
        sync(descriptor)
    except OSError:
        kept = data.rfind(b"\n", 0, written) + 1 if keep_whole else 0
        # if this fails as well, the next writer cuts the torn line off
        with suppress(OSError):
            os.ftruncate(descriptor, length + kept)
        raise
