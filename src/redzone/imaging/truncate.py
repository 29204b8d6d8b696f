"""Truncates an image file to its upper rows, without decoding it.

JPEG and PNG store their rows from top to bottom, and the height is in the header. With a smaller height
there, a decoder reads the upper rows as usual and ignores the rest. Only well-known layouts are truncated:
in case of doubt the caller decodes the whole file.

Damage below the kept rows is not detected. A truncated download is: without its end marker a file is not
shortened, so the full decode reports it. The exception is a file whose rest was not downloaded on purpose
(`measure_start`): it is shortened so that the decoder fails if a single byte of the rows is missing, which
makes a successful decode proof that the rows are complete.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

# Some writers pad a file after its end marker.
_PADDING_BYTES = 64
# Posters have 5 to 30 segments before their pixels; more than this is an attack on CPU time.
_MOST_SEGMENTS = 200

_JPEG_START = b"\xff\xd8\xff"
_JPEG_END = b"\xff\xd9"
_START_OF_SCAN = 0xDA
# baseline, extended, progressive; not the lossless, arithmetic and hierarchical ones
_FRAME_HEADERS = frozenset({0xC0, 0xC1, 0xC2})
_PROGRESSIVE = 0xC2
# tables, restart interval, application data, comment: segments that do not affect the height
_OTHER_SEGMENTS = frozenset({0xC4, 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE})
_BLOCK_PX = 8
# Rows of blocks to keep below the rows that must be exact: subsampled colour is interpolated into the next
# row of pixels, and libjpeg smooths a progressive file without its last scans over two blocks up and down.
_SPARE_ROWS = 1
_SPARE_ROWS_PROGRESSIVE = 3

_PNG_START = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"
_PNG_END = b"IEND\xaeB`\x82"
_PNG_HEADER = slice(12, 29)  # the chunk's name and content, which the checksum covers
_PNG_HEIGHT = slice(20, 24)
_PNG_INTERLACING = 28
_PNG_CHECKSUM = slice(29, 33)
# animations, a second header, and Apple's non-standard PNG
_DOUBTFUL_CHUNKS = frozenset({b"acTL", b"IHDR", b"CgBI"})


@dataclass(frozen=True, slots=True)
class StoredJpeg:
    """The stored size in pixels, before EXIF orientation.

    `height_at` is the byte offset of the height, `row_px` the height of a row of blocks (an MCU row), and
    `spare_rows` the number of MCU rows to keep below the rows that must be exact.
    """

    width: int
    height: int
    height_at: int
    row_px: int
    spare_rows: int


@dataclass(frozen=True, slots=True)
class StoredPng:
    """The stored size in pixels, before EXIF orientation."""

    width: int
    height: int


Stored = StoredJpeg | StoredPng


def measure(data: bytes) -> Stored | None:
    """The size of a file that can be shortened; None for all but complete, common JPEGs and PNGs.

    Common are Huffman-coded 8-bit JPEGs, grey or with three components, and PNGs that are neither interlaced
    nor animated.
    """
    if data.startswith(_JPEG_START) and _JPEG_END in data[-_PADDING_BYTES:]:
        return _measure_jpeg(data, _FRAME_HEADERS)
    if data.startswith(_PNG_START) and len(data) > _PNG_CHECKSUM.stop and _PNG_END in data[-_PADDING_BYTES:]:
        return _measure_png(data)
    return None


def measure_start(start: bytes) -> Stored | None:
    """As `measure`, for the beginning of a file whose rest was not downloaded.

    Also None for progressive JPEGs, whose rows are spread over the whole file.
    """
    if start.startswith(_JPEG_START):
        return _measure_jpeg(start, _FRAME_HEADERS - {_PROGRESSIVE})
    if start.startswith(_PNG_START) and len(start) > _PNG_CHECKSUM.stop:
        return _measure_png(start)
    return None


def ends_in_last_scan(data: bytes) -> bool:
    """Whether a JPEG has no end marker, but its last scan has begun: at most a part of that is missing.

    The last scan of a progressive file is the lowest bit of the first component, as encoders order them.
    """
    stored = None if _JPEG_END in data[-_PADDING_BYTES:] else _measure_jpeg(data, _FRAME_HEADERS)
    if stored is None:
        return False
    names_at = stored.height_at + 5
    names = data[names_at : names_at + 3 * data[names_at - 1] : 3]
    scan = data[data.rfind(b"\xff\xda") :][:16]
    if len(scan) < 5 or len(scan) < 8 + 2 * scan[4]:
        return False
    scanned = scan[5 : 5 + 2 * scan[4] : 2]
    if stored.spare_rows != _SPARE_ROWS_PROGRESSIVE:
        return scanned[-1:] == names[-1:]
    end, bits = scan[6 + 2 * scan[4]], scan[7 + 2 * scan[4]]
    return scanned == names[:1] and end == 63 and bits & 0x0F == 0


def closed(start: bytes) -> bytes:
    """The beginning of a PNG as a file of complete chunks; a JPEG unchanged.

    Pillow reads chunks to the end after the last row and fails on an incomplete one. A JPEG must not get an
    end marker: libjpeg would fill its missing rows with grey.
    """
    if not start.startswith(_PNG_START):
        return start
    at = _PNG_CHECKSUM.stop
    while at + 8 < len(start) and (end := at + 12 + int.from_bytes(start[at : at + 4])) <= len(start):
        at = end
    name, content = start[at + 4 : at + 8], start[at + 8 :]
    return start[:at] + (_chunk(name, content) if name == b"IDAT" else b"") + _chunk(b"IEND", b"")


def shorten(data: bytes, stored: Stored, rows: int) -> bytes | None:
    """A file whose first `rows` rows decode as in the original; None if that needs every row."""
    file = memoryview(data)
    if isinstance(stored, StoredJpeg):
        kept = (-(-rows // stored.row_px) + stored.spare_rows) * stored.row_px
        if kept >= stored.height:
            return None
        at = stored.height_at
        return b"".join((file[:at], struct.pack(">H", kept), file[at + 2 :]))
    if rows >= stored.height:
        return None
    start, checksum = _PNG_HEADER.start, _PNG_CHECKSUM
    header = b"".join(
        (
            file[start : _PNG_HEIGHT.start],
            struct.pack(">I", rows),
            file[_PNG_HEIGHT.stop : checksum.start],
        )
    )
    return b"".join((file[:start], header, struct.pack(">I", zlib.crc32(header)), file[checksum.stop :]))


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(content, zlib.crc32(name))
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def _measure_jpeg(data: bytes, frame_headers: frozenset[int]) -> StoredJpeg | None:
    stored: StoredJpeg | None = None
    at = 2
    for _ in range(_MOST_SEGMENTS):
        fill, marker, length = struct.unpack_from(">BBH", data, at) if at + 4 <= len(data) else (0, 0, 0)
        if fill != 0xFF or length < 2:
            return None
        if marker == _START_OF_SCAN:
            return stored
        if marker in frame_headers and stored is None:
            spare_rows = _SPARE_ROWS_PROGRESSIVE if marker == _PROGRESSIVE else _SPARE_ROWS
            stored = _frame_header(data[at + 4 : at + 2 + length], at + 4, spare_rows)
            if stored is None:
                return None
        elif marker not in _OTHER_SEGMENTS:
            return None
        at += 2 + length
    return None


def _frame_header(header: bytes, at: int, spare_rows: int) -> StoredJpeg | None:
    """Parses bits, height, width and component count; per component an id, sampling and table."""
    if len(header) not in (6 + 3 * 1, 6 + 3 * 3):
        return None
    bits, height, width, components = struct.unpack_from(">BHHB", header)
    blocks_down = max(sampling & 0x0F for sampling in header[7::3])
    if bits != 8 or 0 in (height, width) or len(header) != 6 + 3 * components or not 1 <= blocks_down <= 4:
        return None
    return StoredJpeg(width, height, at + 1, blocks_down * _BLOCK_PX, spare_rows)


def _measure_png(data: bytes) -> StoredPng | None:
    checksum = zlib.crc32(data[_PNG_HEADER]).to_bytes(4)
    if data[_PNG_INTERLACING] or data[_PNG_CHECKSUM] != checksum:
        return None
    at = _PNG_CHECKSUM.stop
    for _ in range(_MOST_SEGMENTS):
        length, name = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        if name == b"IDAT":
            return StoredPng(*struct.unpack_from(">II", data, _PNG_HEIGHT.start - 4))
        if len(name) < 4 or name in _DOUBTFUL_CHUNKS:
            return None
        at += 12 + length
    return None
