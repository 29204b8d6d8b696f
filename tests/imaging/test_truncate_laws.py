"""Laws of partial decoding: what is made from the upper rows of a file is what all of it would give."""

from __future__ import annotations

import random
import struct
import zlib
from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from redzone.errors import ErrorCode, ImageFault
from redzone.imaging.flatten import cut_out
from redzone.imaging.geometry import lay_out
from redzone.imaging.render import frame, frame_whole
from redzone.imaging.truncate import StoredJpeg, measure, shorten
from redzone.models import View, ViewKind, Zone
from tests.pictures import MODES, WITH_EXIF, encoded

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

seeds = st.integers(0, 2**32)
# among them ends of blocks, where a row's neighbour is in the next one
row_counts = st.integers(1, 300) | st.integers(1, 18).map(lambda blocks: 16 * blocks)


def noise(width: int, height: int, seed: int) -> Image.Image:
    """A picture in which every row is unlike its neighbours, so that a wrong one cannot hide."""
    pixels = random.Random(seed).randbytes(width * height * 3)  # noqa: S311 - a picture, no secret
    return Image.frombytes("RGB", (width, height), pixels)


@st.composite
def jpegs(draw: st.DrawFn) -> bytes:
    """JPEGs of any size, sampling, order of scans and distance of restart markers, grey or in colour."""
    picture = noise(draw(st.integers(1, 70)), draw(st.integers(1, 300)), draw(seeds))
    restart = draw(st.sampled_from([{}, {"restart_marker_rows": 1}, {"restart_marker_blocks": 3}]))
    return encoded(
        picture.convert(draw(st.sampled_from(["L", "RGB"]))),
        "JPEG",
        quality=draw(st.sampled_from([30, 75, 98])),
        subsampling=draw(st.integers(0, 2)),
        progressive=draw(st.booleans()),
        optimize=draw(st.booleans()),
        **restart,
    )


@st.composite
def pngs(draw: st.DrawFn) -> bytes:
    """PNGs of any size, mode and compression."""
    picture = noise(draw(st.integers(1, 60)), draw(st.integers(1, 200)), draw(seeds))
    mode = draw(st.sampled_from(MODES["PNG"]))
    return encoded(in_mode(picture, mode), "PNG", compress_level=draw(st.integers(0, 9)))


def in_mode(picture: Image.Image, mode: str) -> Image.Image:
    if mode == "I;16":
        return picture.convert("L").convert("I").point(lambda value: value * 257).convert(mode)
    if mode in ("LA", "RGBA"):
        picture = picture.copy()
        picture.putalpha(picture.getchannel("G"))
    return picture.convert(mode)


def assert_top_is_exact(data: bytes, rows: int) -> None:
    stored = measure(data)
    assert stored is not None
    with Image.open(BytesIO(data)) as whole:
        whole.load()
    assert (stored.width, stored.height) == whole.size
    short = shorten(data, stored, rows)
    if short is None:
        return
    with Image.open(BytesIO(short)) as top:
        top.load()
    assert top.mode == whole.mode
    assert rows <= top.height < whole.height
    box = (0, 0, whole.width, rows)
    assert top.crop(box).tobytes() == whole.crop(box).tobytes()


@settings(max_examples=150, deadline=None)
@given(st.one_of(jpegs(), pngs()), row_counts)
def test_the_top_of_a_shortened_file_is_the_top_of_the_whole(data: bytes, rows: int) -> None:
    """Pixel by pixel, in the file's own mode, and never more rows than there are."""
    assert_top_is_exact(data, rows)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 2), st.booleans(), st.tuples(*[st.sampled_from([0x11, 0x12, 0x21, 0x22, 0x14])] * 3), seeds
)
def test_any_sampling_of_the_colours_keeps_the_top(
    subsampling: int, progressive: bool, samplings: tuple[int, ...], seed: int
) -> None:
    """Samplings that Pillow never writes, such as 4:4:0, by claiming them: the picture is scrambled, and
    its scrambled top is the same."""
    data = bytearray(
        encoded(noise(64, 256, seed), "JPEG", subsampling=subsampling, progressive=progressive, quality=50)
    )
    stored = measure(bytes(data))
    assert isinstance(stored, StoredJpeg)
    components = stored.height_at + 5
    for index, sampling in enumerate(samplings):
        data[components + 3 * index + 1] = sampling
    with Image.open(BytesIO(data)) as whole, suppress(OSError):  # libjpeg cannot scale by 4 to 3 and the like
        whole.load()
        assert_top_is_exact(bytes(data), 64)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(0, 2), row_counts, seeds)
def test_a_progressive_file_without_its_last_scans_keeps_the_top(
    scans: int, subsampling: int, rows: int, seed: int
) -> None:
    """It is smoothed across its blocks, as a slow connection shows it, and so is its top."""
    smooth = noise(8, 30, seed).resize((64, 240), Image.Resampling.BICUBIC)
    data = encoded(smooth, "JPEG", progressive=True, subsampling=subsampling)
    starts = [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xda"]
    end = [*starts[1:], len(data) - 2][min(scans, len(starts)) - 1]
    assert_top_is_exact(data[:end] + b"\xff\xd9", rows)


@st.composite
def top_zones(draw: st.DrawFn) -> list[Zone]:
    """One or two zones, most of them in the upper part."""
    zones = []
    for _ in range(draw(st.integers(1, 2))):
        x, y = draw(st.floats(0.0, 0.9)), draw(st.floats(0.0, 0.3) | st.floats(0.0, 0.9))
        w, h = draw(st.floats(0.01, 1.0 - x)), draw(st.floats(0.01, 0.1))
        zones.append(Zone(name="z", x=x, y=y, w=w, h=h))
    return zones


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A file of any format, mode and orientation that is high enough to be worth shortening."""
    kind = draw(st.sampled_from(["JPEG", "JPEG", "PNG", "PNG", *MODES]))
    mode = draw(st.sampled_from(MODES[kind]))
    orientation = draw(st.sampled_from([1, 1, 1, *range(1, 9)])) if kind in WITH_EXIF else 1
    picture = noise(draw(st.integers(16, 120)), draw(st.integers(16, 240)), draw(seeds))
    options: dict[str, object] = {"progressive": draw(st.booleans())} if kind == "JPEG" else {"speed": 10}
    return encoded(in_mode(picture, mode), kind, orientation, **options)


@settings(max_examples=120, deadline=None)
@given(files(), top_zones(), st.sampled_from(list(ViewKind)))
def test_a_view_is_the_same_with_and_without_the_short_way(
    data: bytes, zones: list[Zone], kind: ViewKind
) -> None:
    """Byte by byte: any format, mode, size, orientation and zone, so that caches and versions stay good."""
    assert frame(data, zones, kind) == frame_whole(data, zones, kind)


@settings(max_examples=15, deadline=None)
@given(st.integers(16, 7000), st.integers(300, 1200), top_zones(), seeds)
def test_what_is_not_shown_has_no_part_in_a_view(
    width: int, height: int, zones: list[Zone], seed: int
) -> None:
    """Enlarged, shrunk, or reduced before it is shrunk: neither pixels below the crop nor how many there
    are change anything."""
    poster = noise(100, height, seed).resize((width, height), Image.Resampling.NEAREST)
    layout = lay_out(width, height, zones, ViewKind.CROP)
    top = poster.crop((0, 0, width, layout.source[3]))
    cuts = [cut_out(image, poster.size, layout.cut, None, 1) for image in (top, poster)]
    assert cuts[0].tobytes() == cuts[1].tobytes()


def interlaced(width: int, height: int, seed: int) -> bytes:
    """A grey PNG by Adam7, which Pillow reads but does not write."""
    grey = noise(width, height, seed).convert("L").tobytes()
    passes = [
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ]
    lines = bytearray()
    for left, top, across, down in passes:
        for y in range(top, height, down):
            line = grey[y * width : (y + 1) * width][left::across]
            lines += b"\0" + line if line else b""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 1)),
        (b"IDAT", zlib.compress(bytes(lines))),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(16, 60), st.integers(100, 200), top_zones(), seeds)
def test_an_interlaced_png_is_decoded_whole(width: int, height: int, zones: list[Zone], seed: int) -> None:
    """Its upper rows are spread over all of the file."""
    data = interlaced(width, height, seed)
    assert measure(data) is None
    assert frame(data, zones, ViewKind.CROP) == frame_whole(data, zones, ViewKind.CROP)


CORNER = [Zone(name="red", x=0.0, y=0.0, w=0.6, h=0.1)]
WHOLE_FILES = [
    encoded(noise(40, 200, 1), "JPEG", quality=60),
    encoded(noise(40, 200, 2), "JPEG", quality=60, progressive=True),
    encoded(noise(40, 200, 3), "PNG"),
]


def judged(data: bytes, whole: bool) -> View | ErrorCode:
    try:
        return (frame_whole if whole else frame)(data, CORNER, ViewKind.CROP)
    except ImageFault as fault:
        return fault.code


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(WHOLE_FILES), st.floats(0.0, 1.0, exclude_max=True), st.binary(max_size=80))
def test_a_file_that_is_cut_off_comes_out_as_ever(data: bytes, share: float, padding: bytes) -> None:
    """Wherever it ends and whatever fills the hole: an error stays one, though the needed rows are there."""
    cut = data[: int(len(data) * share)] + padding.replace(b"\xff\xd9", b"").replace(b"IEND", b"")
    assert judged(cut, whole=False) == judged(cut, whole=True)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(WHOLE_FILES), st.data())
def test_the_short_way_fails_no_file_that_the_long_one_reads(data: bytes, draws: st.DataObject) -> None:
    """Bytes changed, cut out and put in: an error of the one is an error of the other."""
    damaged = bytearray(data)
    for _ in range(draws.draw(st.integers(1, 4))):
        at = draws.draw(st.integers(0, 700) | st.integers(0, len(damaged)))
        damaged[at : at + draws.draw(st.integers(0, 3))] = draws.draw(st.binary(max_size=3))
    quick = judged(bytes(damaged), whole=False)
    if isinstance(quick, ErrorCode):
        assert judged(bytes(damaged), whole=True) == quick


@given(st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"]), st.binary(max_size=300))
def test_measuring_any_bytes_never_fails(start: bytes, rest: bytes) -> None:
    """It gives a size or nothing."""
    for end in (b"\xff\xd9", b"IEND\xaeB`\x82"):
        stored = measure(start + rest + end)
        assert stored is None or stored.height >= 0
