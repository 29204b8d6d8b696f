"""Bytes on disk to lines of text: gzip, encodings, and a name for files that are no text at all."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from redzone.errors import InputUnusable

HEAD_BYTES = 1 << 16
CHUNK_CHARS = 1 << 16
# A line of data is a few hundred characters; without a bound, a file without line breaks fills the memory.
LINE_LIMIT_CHARS = 1 << 24
# An encoding is guessed from the first lines beyond ASCII, by statistics if they have enough such bytes.
ODD_LINES = 200
SURE_BYTES = 32
UNUSED_IN_CP1252 = frozenset(b"\x81\x8d\x8f\x90\x9d")

_BOMS = (  # UTF-32 before UTF-16: its mark begins with the same two bytes
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_EXPORT = "export it as CSV (UTF-8) or JSONL"
_IMAGE = "give its folder, or a text file with one path or URL a line"
_MAGIC = (  # (offset, bytes, what it is, what to do)
    (0, b"PK\x03\x04", "an Excel workbook or another ZIP archive", f"unpack it, or {_EXPORT}"),
    (0, b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)", _EXPORT),
    (0, b"PAR1", "a Parquet file", _EXPORT),
    (0, b"SQLite format 3\0", "an SQLite database", _EXPORT),
    (0, b"%PDF-", "a PDF document", _EXPORT),
    (0, b"\x89PNG", "a PNG image", _IMAGE),
    (0, b"\xff\xd8\xff", "a JPEG image", _IMAGE),
    (0, b"GIF8", "a GIF image", _IMAGE),
    (8, b"WEBP", "a WebP image", _IMAGE),
    (4, b"ftyp", "an AVIF or HEIC image, or a video", _IMAGE),
    (0, b"II*\0", "a TIFF image", _IMAGE),
    (0, b"MM\0*", "a TIFF image", _IMAGE),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard archive", "unpack it; .gz is the only compression that is read"),
    (0, b"\xfd7zXZ\0", "an xz archive", "unpack it; .gz is the only compression that is read"),
    (0, b"BZh91AY&SY", "a bzip2 archive", "unpack it; .gz is the only compression that is read"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it; .gz is the only compression that is read"),
    (257, b"ustar", "a tar archive", "unpack it and give the file or folder inside"),
)


@dataclass(frozen=True, slots=True)
class TextFile:
    """A text file, gzipped or not, that can be read again and again. `head` is its beginning, `note` a
    sentence about an encoding that was detected."""

    path: Path
    name: str
    encoding: str
    head: str
    note: str | None = None

    def lines(self) -> Iterator[str]:
        """Lines with their ends (LF, CRLF, CR). Raises InputUnusable at an undecodable or endless one."""
        with self._open() as text:
            for number, line in enumerate(iter(partial(text.readline, LINE_LIMIT_CHARS), ""), 1):
                if len(line) >= LINE_LIMIT_CHARS:
                    raise InputUnusable(
                        f"{self.name} line {number:,}: longer than {LINE_LIMIT_CHARS:,} characters; "
                        "one row a line is expected"
                    )
                yield line

    def chunks(self) -> Iterator[str]:
        """The text in pieces of CHUNK_CHARS, regardless of lines. Raises as `lines` does."""
        with self._open() as text:
            yield from iter(partial(text.read, CHUNK_CHARS), "")

    def digest(self) -> str:
        """sha256 of the bytes as they lie on disk, hex: what `sha256sum` prints."""
        try:
            with self.path.open("rb") as raw:
                return hashlib.file_digest(raw, "sha256").hexdigest()
        except OSError as error:
            raise _unreadable(self.name, error) from error

    @contextmanager
    def _open(self) -> Iterator[io.TextIOWrapper]:
        try:
            with (
                _open_bytes(self.path, self.name) as raw,
                io.TextIOWrapper(raw, encoding=self.encoding, newline="") as text,
            ):
                yield text
        except UnicodeDecodeError as error:
            raise self._undecodable() from error

    def _undecodable(self) -> InputUnusable:
        """The error with line and byte, by a second reading: a decoder only knows the offset in its chunk."""
        decoder = codecs.getincrementaldecoder(self.encoding)()
        line, offset = 1, 0
        with _open_bytes(self.path, self.name) as raw:
            while True:
                chunk = raw.read(HEAD_BYTES)
                try:
                    line += decoder.decode(chunk, final=not chunk).count("\n")
                except UnicodeDecodeError as error:
                    offset += len(chunk) - len(error.object) + error.start
                    before = bytes(error.object[: error.start]).decode(error.encoding, "replace")
                    byte = error.object[error.start]
                    return self._not_utf8(line + before.count("\n"), offset, byte)
                offset += len(chunk)
                if not chunk:  # only when the file was repaired between the two readings
                    return InputUnusable(f"{self.name} changed while it was read; try again")

    def _not_utf8(self, line: int, offset: int, byte: int) -> InputUnusable:
        shown = "UTF-8" if self.encoding.startswith("utf-8") else self.encoding.upper()
        return InputUnusable(
            f"{self.name} line {line:,}: byte 0x{byte:02X} at offset {offset:,} is not {shown}; save it as "
            "UTF-8, or name its encoding with --encoding"
        )


def open_text_file(path: Path, name: str, encoding: str | None = None) -> TextFile:
    """A text file, checked at its beginning, and read through once to find out its encoding.

    Without `encoding`: by the byte order mark, else UTF-8, else what its bytes look like. Raises
    InputUnusable: unreadable, empty, no text, unknown encoding.
    """
    with _open_bytes(path, name) as raw:
        head = raw.read(HEAD_BYTES)
    if not head.strip():
        raise InputUnusable(f"{name} is empty; a table needs a header line and rows, a list one URL a line")
    _refuse_known_binary(head, name)
    if encoding is not None:
        try:
            return TextFile(path, name, codecs.lookup(encoding).name, head.decode(encoding, "replace"))
        except LookupError:
            raise InputUnusable(f"--encoding {encoding}: there is no such encoding; try cp1252") from None
    found = next((codec for bom, codec in _BOMS if head.startswith(bom)), "utf-8")
    if found.startswith("utf-8"):
        _refuse_binary(head, name)
    legacy = _legacy_encoding(path, name) if found == "utf-8" else None
    if legacy is None:
        return TextFile(path, name, found, head.decode(found, "replace"))
    note = f"{name} is not UTF-8; it is read as {legacy} (--encoding changes it)"
    return TextFile(path, name, legacy, head.decode(legacy, "replace"), note)


def _legacy_encoding(path: Path, name: str) -> str | None:
    """The likely encoding of a text that has bytes beyond ASCII, none of them UTF-8; else None.

    A text with some valid UTF-8, or one that ends within a character, is damaged UTF-8: guessing would hide
    the damage.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    odd_lines: list[bytes] = []
    with _open_bytes(path, name) as raw:
        for chunk in iter(partial(raw.read, HEAD_BYTES), b""):
            if chunk.isascii() and not decoder.getstate()[0]:
                continue
            text = decoder.decode(chunk)
            if any(letter > "\x7f" and not "\udc80" <= letter <= "\udcff" for letter in text):
                return None
            if len(odd_lines) < ODD_LINES:
                odd_lines += [line for line in chunk.splitlines() if not line.isascii()]
            if not text.isascii() and len(odd_lines) >= ODD_LINES:
                break
        else:
            if not odd_lines or not _has_invalid(odd_lines):
                return None
    sample = b"\n".join(odd_lines[:ODD_LINES])
    if sum(byte > 0x7F for byte in sample) >= SURE_BYTES:
        from charset_normalizer import from_bytes

        best = from_bytes(sample).best()
        if best is not None and "cp1252" not in (best.encoding, *best.could_be_from_charset):
            return best.encoding
    return "cp1252" if not UNUSED_IN_CP1252.intersection(sample) else None


def _has_invalid(lines: list[bytes]) -> bool:
    """Whether a line breaks UTF-8 otherwise than by ending within a character."""
    for line in lines:
        try:
            codecs.getincrementaldecoder("utf-8")().decode(line)
        except UnicodeDecodeError:
            return True
    return False


@contextmanager
def _open_bytes(path: Path, name: str) -> Iterator[BinaryIO]:
    """The bytes, unpacked where they begin as gzip does, whatever the file is called."""
    try:
        with path.open("rb") as raw:
            if raw.peek(2)[:2] == b"\x1f\x8b":
                with gzip.GzipFile(fileobj=raw) as unpacked:
                    yield cast("BinaryIO", unpacked)
            else:
                yield raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputUnusable(f"{name} is a damaged or cut-off gzip file: {error}; pack it again") from error
    except OSError as error:
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: OSError) -> InputUnusable:
    return InputUnusable(f"{name} cannot be read: {error.strerror or error}")


def _refuse_known_binary(head: bytes, name: str) -> None:
    for offset, magic, what, advice in _MAGIC:
        if head.startswith(magic, offset):
            raise InputUnusable(f"{name} is {what}, not a table or list; {advice}")


def _refuse_binary(head: bytes, name: str) -> None:
    """A NUL in the first line, or many anywhere: not text. A few NULs further on are bad rows, no more."""
    zeros = head.count(0)
    for first, codec in ((0, "UTF-16BE"), (1, "UTF-16LE")):
        if head[first::2].count(0) > 0.3 * len(head) / 2 and zeros < 0.7 * len(head):
            raise InputUnusable(
                f"{name} looks like {codec} without a byte order mark; save it as UTF-8, or convert it: "
                f"`iconv -f {codec} -t UTF-8 OLD > NEW`"
            )
    if 0 in head.split(b"\n", 1)[0] or zeros > 0.1 * len(head):
        raise InputUnusable(f"{name} is binary data, not a table or list; {_EXPORT}")
