"""Shortening files: what is recognised, what is left to the whole decode, and what is seen of damage."""

from __future__ import annotations

import random
import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from redzone.errors import ErrorCode, ImageFault
from redzone.imaging import FramingOptions
from redzone.imaging.render import frame, frame_top, frame_whole
from redzone.imaging.truncate import StoredJpeg, StoredPng, measure, shorten
from redzone.models import ViewKind, Zone
from tests.pictures import encoded, gradient

RED = [Zone(name="red", x=0.0, y=0.0, w=0.6, h=0.1)]
LOW = [Zone(name="low", x=0.0, y=0.9, w=1.0, h=0.1)]
POSTER = gradient(200, 300)
JPEG = encoded(POSTER, "JPEG")
PNG = encoded(POSTER, "PNG")


def heights(data: bytes, rows: int) -> tuple[int, int]:
    """The rows of the picture and of the shortened one."""
    stored = measure(data)
    assert stored is not None
    short = shorten(data, stored, rows)
    assert short is not None
    with Image.open(BytesIO(short)) as top:
        top.load()
    return stored.height, top.height


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (encoded(POSTER, "JPEG", subsampling=2), 48 + 16),
        (encoded(POSTER, "JPEG", subsampling=0), 40 + 8),
        (encoded(POSTER.convert("L"), "JPEG"), 40 + 8),
        (encoded(POSTER, "JPEG", subsampling=2, progressive=True), 48 + 3 * 16),
        (encoded(POSTER, "JPEG", subsampling=0, progressive=True), 40 + 3 * 8),
        (PNG, 40),
    ],
    ids=["4:2:0", "4:4:4", "grey", "progressive 4:2:0", "progressive 4:4:4", "png"],
)
def test_a_few_rows_more_are_kept_where_pixels_depend_on_their_neighbours(data: bytes, rows: int) -> None:
    """A row of blocks for colour of half the height, three for smoothing; none in a PNG."""
    assert heights(data, 40) == (300, rows)


@pytest.mark.parametrize("data", [JPEG, PNG], ids=["jpeg", "png"])
def test_a_poster_s_corner_takes_the_short_way(data: bytes) -> None:
    """The view is there without the whole decode, and it is the view."""
    view = frame_top(data, RED, ViewKind.CROP)
    assert view is not None
    assert view == frame_whole(data, RED, ViewKind.CROP) == frame(data, RED, ViewKind.CROP)


@pytest.mark.parametrize("data", [JPEG, PNG], ids=["jpeg", "png"])
def test_a_zone_at_the_foot_or_another_view_takes_the_whole_picture(data: bytes) -> None:
    """Nothing would be saved."""
    assert frame_top(data, LOW, ViewKind.CROP) is None
    assert frame_top(data, [], ViewKind.CROP) is None
    assert frame_top(data, RED, ViewKind.POSTER) is None
    assert frame_top(data, RED, ViewKind.PIXELS) is None
    stored = measure(data)
    assert stored is not None
    assert shorten(data, stored, 300) is None
    assert shorten(data, stored, 1000) is None


def frame_header(data: bytes) -> int:
    """Where a JPEG's frame header begins."""
    stored = measure(data)
    assert isinstance(stored, StoredJpeg)
    return stored.height_at - 5


def jpeg_with(offset: int, value: bytes) -> bytes:
    """The JPEG with other bytes in its frame header."""
    at = frame_header(JPEG) + offset
    return JPEG[:at] + value + JPEG[at + len(value) :]


def png_with(offset: int, value: int) -> bytes:
    """The PNG with another byte in its header, and a checksum that fits."""
    header = bytearray(PNG[16:29])
    header[offset] = value
    return PNG[:8] + chunk(b"IHDR", bytes(header)) + PNG[33:]


SOF = JPEG[frame_header(JPEG) :][:19]
DOUBTFUL = {
    "nothing": b"",
    "webp": encoded(POSTER, "WEBP"),
    "gif": encoded(POSTER, "GIF"),
    "cmyk": encoded(POSTER.convert("CMYK"), "JPEG"),
    "jpeg of 12 bits": jpeg_with(4, b"\x0c"),
    "jpeg whose height comes later": jpeg_with(5, b"\0\0"),
    "jpeg without width": jpeg_with(7, b"\0\0"),
    "jpeg of two components": jpeg_with(9, b"\2"),
    "jpeg without sampling": jpeg_with(11, b"\0\2\0\0\3\0\0"),
    "jpeg, lossless": jpeg_with(1, b"\xc3"),
    "jpeg, arithmetic": jpeg_with(1, b"\xc9"),
    "jpeg, hierarchical": JPEG[:2] + segment(0xDE, SOF[4:]) + JPEG[2:],
    "jpeg with two frame headers": JPEG[:2] + SOF + JPEG[2:],
    "jpeg with a stray byte": JPEG[:2] + b"\0" + JPEG[2:],
    "jpeg with a segment of no length": JPEG[:2] + b"\xff\xe0\0\0" + JPEG[2:],
    "jpeg that begins with its pixels": JPEG[:2] + segment(0xDA, b"") + b"\xff\xd9",
    "jpeg of segments alone": JPEG[:2] + segment(0xFE, b"joke") * 1000 + JPEG[2:],
    "jpeg without an end": JPEG[:-2],
    "jpeg that ends in its header": JPEG[:20] + b"\xff\xd9",
    "png, interlaced": png_with(12, 1),
    "png with a wrong checksum": PNG[:29] + b"\0\0\0\0" + PNG[33:],
    "png, animated": PNG[:33] + chunk(b"acTL", struct.pack(">II", 1, 0)) + PNG[33:],
    "png with two headers": PNG[:33] + PNG[8:33] + PNG[33:],
    "png of texts alone": PNG[:33] + chunk(b"tEXt", b"a\0b") * 1000 + PNG[33:],
    "png without pixels": PNG[:33] + PNG[-12:],
    "png without an end": PNG[:-4],
    "png of a signature": PNG[:16] + PNG[-8:],
}


@pytest.mark.parametrize("data", DOUBTFUL.values(), ids=DOUBTFUL)
def test_where_there_is_doubt_nothing_is_shortened(data: bytes) -> None:
    """What is not recognised, is stored in another order, or may be incomplete."""
    assert measure(data) is None


def test_a_preview_inside_the_file_is_not_taken_for_the_picture() -> None:
    """EXIF brings a whole small JPEG with a header of its own."""
    preview = encoded(gradient(20, 30), "JPEG")
    data = JPEG[:2] + segment(0xE1, b"Exif\0\0" + preview) + JPEG[2:]
    stored = measure(data)
    assert stored is not None
    assert (stored.width, stored.height) == (200, 300)
    assert frame(data, RED, ViewKind.CROP) == frame(JPEG, RED, ViewKind.CROP)


def test_padding_after_the_end_is_no_doubt() -> None:
    """Some writers fill up to a multiple of four or more."""
    assert measure(JPEG + b"\0" * 16) == measure(JPEG)
    assert measure(PNG + b"\n") == StoredPng(200, 300)


def turned_by_xmp() -> bytes:
    text = b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta><rdf:Description tiff:Orientation="3"/></x:xmpmeta>'
    return JPEG[:2] + segment(0xE1, text) + JPEG[2:]


def turned_after_the_pixels() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return PNG[:-12] + chunk(b"eXIf", exif.tobytes()[6:]) + PNG[-12:]


@pytest.mark.parametrize(
    "data",
    [
        encoded(POSTER, "JPEG", 3),
        encoded(POSTER, "PNG", 8),
        turned_by_xmp(),
        turned_after_the_pixels(),
    ],
    ids=["exif", "png", "xmp", "exif at the end"],
)
def test_a_picture_that_must_be_turned_is_decoded_whole(data: bytes) -> None:
    """Its upper rows are not where the poster's are, wherever the file says so."""
    assert measure(data) is not None
    assert frame_top(data, RED, ViewKind.CROP) is None
    assert frame(data, RED, ViewKind.CROP) == frame_whole(data, RED, ViewKind.CROP)


@pytest.mark.parametrize("data", [JPEG, PNG], ids=["jpeg", "png"])
@pytest.mark.parametrize(
    ("options", "code"),
    [
        (FramingOptions(max_pixels=59_999), ErrorCode.IMAGE_TOO_LARGE),
        (FramingOptions(min_side_px=201), ErrorCode.IMAGE_UNREADABLE),
    ],
    ids=["too large", "too small"],
)
def test_bounds_are_those_of_the_whole_picture(data: bytes, options: FramingOptions, code: ErrorCode) -> None:
    """A picture that is too large is not let in by its upper part."""
    assert frame_top(data, RED, ViewKind.CROP, options) is None
    with pytest.raises(ImageFault) as caught:
        frame(data, RED, ViewKind.CROP, options)
    assert caught.value.code is code


def test_a_picture_beyond_pillow_s_own_bound_is_too_large_for_the_short_way_too() -> None:
    """However much the caller allows."""
    data = png_with(1, 255)  # 16,711,880 px wide
    options = FramingOptions(max_pixels=10**12)
    assert frame_top(data, RED, ViewKind.CROP, options) is None
    with pytest.raises(ImageFault) as caught:
        frame(data, RED, ViewKind.CROP, options)
    assert caught.value.code is ErrorCode.IMAGE_TOO_LARGE


def noisy(kind: str) -> bytes:
    pixels = random.Random(1).randbytes(200 * 300 * 3)  # noqa: S311 - a picture, no secret
    return encoded(Image.frombytes("RGB", (200, 300), pixels), kind)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_file_that_is_cut_off_below_the_zone_is_still_an_error(kind: str) -> None:
    """The rows needed are there; but one and the same file is not good for one zone and bad for another."""
    data = noisy(kind)
    with pytest.raises(ImageFault) as caught:
        frame(data[: len(data) * 3 // 4], RED, ViewKind.CROP)
    assert caught.value.code is ErrorCode.IMAGE_UNREADABLE


def test_damage_below_the_zone_goes_unnoticed_and_in_it_it_does_not() -> None:
    """The price of not looking: whoever needs all of a picture decodes all of it."""
    data = noisy("PNG")
    low = data[: len(data) * 3 // 4] + b"damage" * 100 + data[len(data) * 3 // 4 + 600 :]
    assert frame(low, RED, ViewKind.CROP) == frame(data, RED, ViewKind.CROP)
    with pytest.raises(ImageFault):
        frame(low, LOW, ViewKind.CROP)
    high = data[:200] + b"damage" * 100 + data[800:]
    with pytest.raises(ImageFault):
        frame(high, RED, ViewKind.CROP)
