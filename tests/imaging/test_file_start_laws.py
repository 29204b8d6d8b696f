"""Laws of a file's beginning: what is made from it is the view, and it is made as soon as it can be."""

from __future__ import annotations

import struct

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from redzone.imaging.geometry import lay_out
from redzone.imaging.render import frame_start, frame_top, frame_whole
from redzone.imaging.truncate import closed, measure_start
from redzone.models import ViewKind, Zone
from tests.imaging.test_truncate_laws import files, in_mode, interlaced, jpegs, noise, seeds, top_zones
from tests.pictures import MODES, encoded

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

CORNER = [Zone(name="red", x=0.0, y=0.0, w=0.6, h=0.1)]
shares = st.floats(0.0, 1.0)


@st.composite
def posters(draw: st.DrawFn) -> bytes:
    """Baseline JPEGs of any sampling and distance of restart markers, and PNGs of any mode and compression,
    high enough for a corner that is worth cutting out."""
    picture = noise(draw(st.integers(16, 90)), draw(st.integers(120, 300)), draw(seeds))
    if draw(st.booleans()):
        mode = draw(st.sampled_from(MODES["PNG"]))
        return encoded(in_mode(picture, mode), "PNG", compress_level=draw(st.integers(0, 9)))
    restart = draw(st.sampled_from([{}, {"restart_marker_rows": 1}, {"restart_marker_blocks": 3}]))
    return encoded(
        picture.convert(draw(st.sampled_from(["L", "RGB"]))),
        "JPEG",
        quality=draw(st.sampled_from([30, 75, 98])),
        subsampling=draw(st.integers(0, 2)),
        optimize=draw(st.booleans()),
        **restart,
    )


@settings(max_examples=200, deadline=None)
@given(st.one_of(files(), jpegs(), posters()), top_zones(), st.sampled_from(list(ViewKind)), shares)
def test_a_view_from_the_beginning_of_a_file_is_the_view_or_none(
    data: bytes, zones: list[Zone], kind: ViewKind, share: float
) -> None:
    """Byte by byte the same as from the whole file, wherever the file is cut and whatever it is."""
    view = frame_start(data[: round(share * len(data))], zones, kind)
    assert view is None or view == frame_whole(data, zones, kind)


@settings(max_examples=60, deadline=None)
@given(posters(), shares, shares)
def test_more_of_the_file_shows_no_less(data: bytes, share: float, more: float) -> None:
    """Once the view is there it stays, and it is there with all but the last byte at the latest."""
    at = round(share * (len(data) - 1))
    if frame_start(data[:at], CORNER, ViewKind.CROP) is not None:
        assert frame_start(data[: at + round(more * (len(data) - at))], CORNER, ViewKind.CROP) is not None
    assert frame_start(data[:-1], CORNER, ViewKind.CROP) == frame_top(data, CORNER, ViewKind.CROP) is not None


@settings(max_examples=30, deadline=None)
@given(posters(), st.floats(0.0, 0.2))
def test_rows_that_are_not_in_the_beginning_are_never_made_up(data: bytes, height_frac: float) -> None:
    """With too little of the file for the rows asked for there is no view: noise packs all rows alike, so
    that less than half of the needed share of the bytes cannot hold them."""
    stored = measure_start(data)
    assert stored is not None
    zones = [Zone(name="z", x=0.0, y=0.0, w=1.0, h=0.3 + height_frac)]
    needed = lay_out(stored.width, stored.height, zones, ViewKind.CROP).source[3] / stored.height
    assume(len(data) > 4000)
    assert frame_start(data[: round(len(data) * needed / 2)], zones, ViewKind.CROP) is None


@settings(max_examples=30, deadline=None)
@given(st.integers(16, 60), st.integers(120, 200), seeds, shares)
def test_rows_that_are_spread_over_the_file_are_left_to_the_whole(
    width: int, height: int, seed: int, share: float
) -> None:
    """Progressive and scan by scan, interlaced: only the end of the file has the last of any row."""
    picture = noise(width, height, seed)
    for data in (
        encoded(picture, "JPEG", progressive=True),
        colour_by_colour(picture),
        interlaced(width, height, seed),
    ):
        assert frame_start(data[: round(share * (len(data) - 2))], CORNER, ViewKind.CROP) is None


def test_a_jpeg_that_stores_colour_by_colour_is_one_that_can_be_read() -> None:
    """Else the law above would be about rubbish."""
    data = colour_by_colour(noise(48, 160, 1))
    assert frame_whole(data, CORNER, ViewKind.CROP).width > 0
    assert measure_start(data) is not None


def colour_by_colour(picture: Image.Image) -> bytes:
    """A baseline JPEG with one scan for each colour, which Pillow reads but does not write."""
    greys = [encoded(channel, "JPEG", quality=75) for channel in picture.convert("YCbCr").split()]
    segments = [dict(segments_of(grey)) for grey in greys]
    frame = struct.pack(">BHHB", 8, picture.height, picture.width, 3)
    frame += b"".join(bytes((number, 0x11, 0)) for number in (1, 2, 3))
    parts = [b"\xff\xd8", segment(0xDB, segments[0][0xDB]), segment(0xC0, frame)]
    for number, (grey, own) in enumerate(zip(greys, segments, strict=True), start=1):
        parts.append(segment(0xC4, own[0xC4]))
        parts.append(segment(0xDA, bytes((1, number, 0, 0, 63, 0))))
        parts.append(grey[grey.index(b"\xff\xda") + 2 + 8 : -2])
    return b"".join([*parts, b"\xff\xd9"])


def segments_of(jpeg: bytes) -> list[tuple[int, bytes]]:
    """The segments before a JPEG's pixels; those with one marker are joined into one."""
    joined: dict[int, bytes] = {}
    at = 2
    while jpeg[at + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", jpeg, at + 2)
        joined[jpeg[at + 1]] = joined.get(jpeg[at + 1], b"") + jpeg[at + 4 : at + 2 + length]
        at += 2 + length
    return list(joined.items())


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


@settings(max_examples=200, deadline=None)
@given(posters(), st.data())
def test_damage_at_the_beginning_makes_no_other_view_than_in_the_whole(
    data: bytes, draws: st.DataObject
) -> None:
    """Bytes changed, cut out and put in: what is shown is what the short way makes of all of it."""
    damaged = bytearray(data)
    for _ in range(draws.draw(st.integers(1, 4))):
        at = draws.draw(st.integers(0, 700) | st.integers(0, len(damaged)))
        damaged[at : at + draws.draw(st.integers(0, 3))] = draws.draw(st.binary(max_size=3))
    start = bytes(damaged[: draws.draw(st.integers(0, len(damaged)))])
    view = frame_start(start, CORNER, ViewKind.CROP)
    whole = frame_top(bytes(damaged), CORNER, ViewKind.CROP)
    assert view is None or whole is None or view == whole


@given(st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", b""]), st.binary(max_size=300))
def test_any_bytes_are_measured_and_closed_without_a_fault(start: bytes, rest: bytes) -> None:
    """Rubbish has no view."""
    measure_start(start + rest)
    closed(start + rest)
    assert frame_start(start + rest, CORNER, ViewKind.CROP) is None
