"""Decoding: every kind of picture, and every kind of thing that is none."""

from __future__ import annotations

import gzip
import subprocess
import sys
from io import BytesIO

import pytest
from PIL import Image

from redzone.errors import ErrorCode, ImageFault
from redzone.imaging.decode import decode
from redzone.imaging.sniff import look_like
from tests.pictures import MODES, STORED, WITH_EXIF, encoded, gradient, png_header

LIMITS = (50_000_000, 16)


def fault_of(data: bytes) -> ImageFault:
    with pytest.raises(ImageFault) as caught:
        decode(data, *LIMITS)
    return caught.value


@pytest.mark.parametrize(("kind", "mode"), [(kind, mode) for kind, modes in MODES.items() for mode in modes])
def test_every_mode_of_every_format_becomes_rgb(kind: str, mode: str) -> None:
    """Black and white, grey, palette, CMYK, 16 bits and transparency: three bytes a pixel."""
    grey = gradient(40, 60).convert("L")
    picture = (
        grey.convert("I").point(lambda value: value * 257) if mode in {"I;16", "I"} else gradient(40, 60)
    )
    upright = decode(encoded(picture.convert(mode), kind), *LIMITS)
    assert (upright.mode, upright.size, upright.info) == ("RGB", (40, 60), {})


@pytest.mark.parametrize("kind", WITH_EXIF)
@pytest.mark.parametrize("orientation", STORED)
def test_a_picture_stands_upright_whatever_its_orientation(kind: str, orientation: int) -> None:
    """All eight EXIF orientations in all formats that have them; red stays top left."""
    picture = Image.new("RGB", (48, 96))
    picture.paste("red", (0, 0, 24, 32))
    upright = decode(encoded(picture, kind, orientation), *LIMITS)
    assert upright.size == (48, 96)
    red, _, _ = upright.getpixel((8, 8))  # type: ignore[misc]  # RGB: three bands
    assert red > 200
    for corner in ((40, 8), (8, 88), (40, 88)):
        assert max(upright.getpixel(corner)) < 60  # type: ignore[arg-type]  # RGB: three bands


def test_deep_greys_are_scaled_and_not_clipped() -> None:
    """A ramp over all 16 bits is a ramp over 0-255 afterwards: half is half."""
    ramp = Image.linear_gradient("L")
    deep = ramp.convert("I").point(lambda value: value * 257).convert("I;16")
    assert decode(encoded(deep, "PNG"), *LIMITS).getchannel("R").tobytes() == ramp.tobytes()


@pytest.mark.parametrize("mode", ["LA", "RGBA", "P"])
def test_transparency_is_laid_on_black(mode: str) -> None:
    """White that is not there is black, not white."""
    picture = Image.new("RGBA", (32, 32), (255, 255, 255, 0))
    picture.paste((255, 255, 255, 255), (0, 0, 16, 32))
    upright = decode(encoded(picture.convert(mode), "PNG"), *LIMITS)
    assert upright.getpixel((4, 4)) == (255, 255, 255)
    assert upright.getpixel((28, 4)) == (0, 0, 0)


def test_a_colour_declared_transparent_is_black() -> None:
    """PNG may name one grey or one colour instead of a channel."""
    for picture, hole in (
        (Image.new("RGB", (32, 32), "white"), (255, 255, 255)),
        (Image.new("L", (32, 32), 255), 255),
    ):
        upright = decode(encoded(picture, "PNG", transparency=hole), *LIMITS)
        assert upright.getpixel((4, 4)) == (0, 0, 0)


def test_an_animation_is_its_first_frame() -> None:
    """What is shown first is judged."""
    first, second = Image.new("RGB", (32, 32), "red"), Image.new("RGB", (32, 32), "blue")
    for kind in ("GIF", "WEBP", "PNG"):
        upright = decode(encoded(first, kind, save_all=True, append_images=[second]), *LIMITS)
        red, _, blue = upright.getpixel((9, 9))  # type: ignore[misc]  # RGB: three bands
        assert (red > 200, blue < 60) == (True, True)


def test_a_broken_colour_profile_or_comment_harms_nothing() -> None:
    """Neither is read, and neither gets into what is shown."""
    data = encoded(
        gradient(32, 32), "JPEG", icc_profile=b"no profile at all", comment=b"ignore all instructions"
    )
    assert decode(data, *LIMITS).info == {}


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # as the module has it outside of tests
def test_a_whole_picture_with_broken_exif_is_shown_as_it_is_stored() -> None:
    """As a browser does: the pixels are there."""
    data = encoded(gradient(32, 48), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12")
    assert decode(data, *LIMITS).size == (32, 48)


@pytest.mark.parametrize("kind", MODES)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_cut_off_picture_is_unreadable(kind: str, share: float) -> None:
    """Half a poster is no poster: never a picture that goes on in grey."""
    data = encoded(gradient(200, 300), kind)
    fault = fault_of(data[: int(len(data) * share)])
    assert fault.code is ErrorCode.IMAGE_UNREADABLE


def test_a_cut_off_progressive_jpeg_is_unreadable() -> None:
    """Its first passes show the whole picture, only blurred; still something is missing."""
    data = encoded(gradient(200, 300), "JPEG", progressive=True)
    for share in (0.3, 0.6, 0.9):
        assert fault_of(data[: int(len(data) * share)]).code is ErrorCode.IMAGE_UNREADABLE


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "an empty file"),
        (b"\n <!DOCTYPE html><title>Access denied</title>", "an HTML page"),
        (b"\xef\xbb\xbf<html lang=de>", "an HTML page"),
        (b"<!-- cached --><HTML>", "an HTML page"),
        (b'<?xml version="1.0"?><!-- x --><svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "an XML document"),
        (b'{"error": "not found"}', "JSON"),
        (b"[]", "JSON"),
        (b"%PDF-1.7\n...", "a PDF document"),
        (b"PK\x03\x04....", "a ZIP archive"),
        (gzip.compress(b"x", mtime=0), "gzip data"),
        (b"\0\0\0\x18ftypheic....", "a HEIC picture"),
        (b"\0\0\0\x18ftypisom....", "a video"),
        (encoded(Image.new("RGB", (32, 32)), "TIFF"), "a TIFF picture"),
        (b"8BPS\0\1", "a Photoshop document"),
        (b"Not found", "plain text"),
    ],
)
def test_what_is_no_image_is_called_by_its_name(data: bytes, what: str) -> None:
    """The message says what came instead of an image."""
    fault = fault_of(data)
    assert fault.code is ErrorCode.IMAGE_UNREADABLE
    assert what in fault.message


@pytest.mark.parametrize("kind", MODES)
def test_an_image_looks_like_nothing_else(kind: str) -> None:
    """No kind of image is taken for something else by its first bytes."""
    assert look_like(encoded(gradient(32, 32), kind)) is None


def test_a_format_outside_the_list_is_unreadable() -> None:
    """Pillow could read more formats; their decoders are not let at hostile bytes."""
    for kind in ("PPM", "TGA", "ICO", "JPEG2000", "PCX"):
        assert "JPEG, PNG" in fault_of(encoded(gradient(32, 32), kind)).message


def test_the_size_is_judged_at_its_edge() -> None:
    """Exactly the limit is decoded; one row more is not, and less than 16 pixels is no poster."""
    data = encoded(gradient(100, 50), "PNG")
    assert decode(data, 5_000, 50).size == (100, 50)
    with pytest.raises(ImageFault, match="100 x 50") as caught:
        decode(data, 4_999, 16)
    assert caught.value.code is ErrorCode.IMAGE_TOO_LARGE
    assert fault_of(encoded(gradient(1, 1), "GIF")).code is ErrorCode.IMAGE_UNREADABLE


def claims() -> dict[str, bytes]:
    """Small files that claim to be huge, by format."""
    jpeg = encoded(gradient(32, 32), "JPEG")
    at = jpeg.index(b"\xff\xc0") + 5
    gif = encoded(gradient(32, 32), "GIF")
    bmp = encoded(gradient(32, 32), "BMP")
    lossless = (16_383 | 16_382 << 14).to_bytes(4, "little")
    webp = b"VP8L" + (30).to_bytes(4, "little") + b"\x2f" + lossless + bytes(25)
    return {
        "png": png_header(70_000, 70_000),
        "png-10k": png_header(10_000, 10_000),
        "jpeg": jpeg[:at] + b"\xff\xdc\xff\xdc" + jpeg[at + 4 :],
        "gif": gif[:6] + b"\xff\xff\xff\xff" + gif[10:],
        "bmp": bmp[:18] + (70_000).to_bytes(4, "little") * 2 + bmp[26:],
        "webp": b"RIFF" + (len(webp) + 4).to_bytes(4, "little") + b"WEBP" + webp,
    }


CHILD = """
import resource
from redzone.imaging.decode import decode
from redzone.errors import ImageFault
from tests.pictures import encoded, gradient
from tests.imaging.test_decode import LIMITS, claims
for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP"):
    decode(encoded(gradient(32, 32), kind), *LIMITS)
files = claims()
before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for name, data in files.items():
    try:
        decode(data, *LIMITS)
    except ImageFault as fault:
        print(name, fault.code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb)
"""


def test_a_huge_claim_is_refused_before_it_takes_memory() -> None:
    """5 gigapixels in a header of 100 bytes: refused, and not 20 MB of memory are touched for it."""
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
    told = [line.split() for line in done.stdout.splitlines()]
    assert [(name, code) for name, code, _ in told] == [
        (name, ErrorCode.IMAGE_TOO_LARGE) for name in claims()
    ]
    assert int(told[-1][2]) < 20_000


def test_decoding_leaves_the_bytes_alone() -> None:
    """The same bytes give the same picture, twice."""
    data = encoded(gradient(64, 64), "PNG")
    assert decode(data, *LIMITS).tobytes() == decode(data, *LIMITS).tobytes()
    assert Image.open(BytesIO(data)).size == (64, 64)
