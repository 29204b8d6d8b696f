"""Laws of framing, tried with pictures of any kind and with bytes of none."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from redzone.errors import ImageFault
from redzone.imaging.geometry import lay_out, view_size, zone_box
from redzone.imaging.render import frame
from redzone.imaging.sniff import look_like
from redzone.models import ViewKind, Zone
from tests.pictures import MODES, WITH_EXIF, encoded, gradient

# as redzone.imaging.decode has it outside of tests, where warnings are no errors
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

kinds = st.sampled_from(list(ViewKind))
sides = st.integers(16, 3000)


@st.composite
def zones(draw: st.DrawFn) -> Zone:
    """Any zone, down to slivers far thinner than a pixel."""
    x, y = draw(st.floats(0.0, 0.999)), draw(st.floats(0.0, 0.999))
    w, h = draw(st.floats(1e-6, 1.0 - x)), draw(st.floats(1e-6, 1.0 - y))
    return Zone(name="z", x=x, y=y, w=w, h=h)


several = st.lists(zones(), max_size=3)


@given(zones(), st.integers(1, 5000), st.integers(1, 5000))
def test_a_zone_s_box_is_inside_the_picture_and_holds_the_zone(zone: Zone, width: int, height: int) -> None:
    """At least a pixel each way, every touched pixel, and less than one more on each side."""
    left, top, right, bottom = zone_box(zone, width, height)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    for start, end, from_frac, length_frac, size in (
        (left, right, zone.x, zone.w, width),
        (top, bottom, zone.y, zone.h, height),
    ):
        assert start <= from_frac * size + 1e-3
        assert end >= min(size, (from_frac + length_frac) * size) - 1e-3
        assert end - start <= max(1.0, length_frac * size) + 2


@given(st.integers(1, 400), st.integers(1, 400), st.data())
def test_a_box_of_whole_pixels_comes_back_as_it_is(width: int, height: int, data: st.DataObject) -> None:
    """Fractions that mean whole pixels are not rounded to one more by a float's last digit."""
    left, right = sorted(data.draw(st.sets(st.integers(0, width), min_size=2, max_size=2)))
    top, bottom = sorted(data.draw(st.sets(st.integers(0, height), min_size=2, max_size=2)))
    zone = Zone(name="z", x=left / width, y=top / height, w=(right - left) / width, h=(bottom - top) / height)
    assert zone_box(zone, width, height) == (left, top, right, bottom)


@given(sides, sides, several, kinds)
def test_a_layout_keeps_its_bounds(width: int, height: int, given_zones: list[Zone], kind: ViewKind) -> None:
    """Views stay within their size, shapes are kept to the rounding, and every zone is in the source."""
    layout = lay_out(width, height, given_zones, kind)
    left, top, right, bottom = layout.source
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    across, down = view_size(width, height, given_zones, kind)
    if kind is ViewKind.PIXELS:
        assert across == 640 or down == 1280 or (across, down) == (width, height)
        assert across <= 640
        assert down <= 1280
    else:
        assert max(across, down) <= (768 if kind is ViewKind.CROP else 1024)
    assert layout.width / (right - left) * (bottom - top) == pytest.approx(
        layout.height, abs=0.51 + 0.51 * (bottom - top) / (right - left)
    )
    for zone in given_zones:
        box = zone_box(zone, width, height)
        assert left <= box[0] < box[2] <= right
        assert top <= box[1] < box[3] <= bottom


@st.composite
def files(draw: st.DrawFn) -> tuple[bytes, int, int]:
    """A file of any format, mode and orientation, with its upright size."""
    kind = draw(st.sampled_from(list(MODES)))
    mode = draw(st.sampled_from(MODES[kind]))
    width, height = draw(st.integers(16, 120)), draw(st.integers(16, 120))
    orientation = draw(st.integers(1, 8)) if kind in WITH_EXIF else 1
    picture = gradient(width, height)
    if mode == "I;16":
        picture = picture.convert("L").convert("I").point(lambda value: value * 257)
    return encoded(picture.convert(mode), kind, orientation), width, height


@settings(max_examples=80, deadline=None)
@given(files(), several, kinds)
def test_a_view_has_the_size_that_was_announced(
    file: tuple[bytes, int, int], given_zones: list[Zone], kind: ViewKind
) -> None:
    """Any format, mode, size and orientation: a JPEG or raw pixels of exactly `view_size`."""
    data, width, height = file
    view = frame(data, given_zones, kind)
    assert (view.width, view.height) == view_size(width, height, given_zones, kind)
    if kind is ViewKind.PIXELS:
        assert len(view.data) == view.width * view.height * 3
        return
    with Image.open(BytesIO(view.data)) as picture:
        picture.load()
        assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (view.width, view.height))


def view_or_fault(data: bytes) -> None:
    try:
        view = frame(data, [Zone(name="z", x=0.0, y=0.0, w=0.6, h=0.1)], ViewKind.CROP)
    except ImageFault:
        return
    assert view.data.startswith(b"\xff\xd8")


STARTS = [
    b"",
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"RIFF\x40\0\0\0WEBPVP8 ",
    b"GIF89a",
    b"BM",
    b"II*\0\x08\0\0\0",
    b"MM\0*\0\0\0\x08",
    b"\0\0\0\x1cftypavif",
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(STARTS), st.binary(max_size=300))
def test_any_bytes_are_a_view_or_a_fault(start: bytes, rest: bytes) -> None:
    """Nothing but an ImageFault ever comes out of bytes."""
    view_or_fault(start + rest)


SEEDS = [encoded(gradient(24, 36), kind, 6 if kind in WITH_EXIF else 1) for kind in MODES]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SEEDS), st.data())
def test_any_damaged_image_is_a_view_or_a_fault(seed: bytes, data: st.DataObject) -> None:
    """Bytes changed, cut out and put in, in the header as in the pixels."""
    damaged = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, min(len(damaged), 200)) | st.integers(0, len(damaged)))
        damaged[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    view_or_fault(bytes(damaged))


@given(st.binary(max_size=2000))
def test_naming_what_is_no_image_never_fails(data: bytes) -> None:
    """Sniffing is total."""
    assert look_like(data) != ""
