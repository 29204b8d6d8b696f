"""Decodes a poster's bytes to an upright RGB picture, or explains why that is not possible.

The format is detected from the bytes alone, and the size is checked in the header before anything is decoded.
Embedded colour profiles are ignored: a colour shift hides neither a title nor a face, and a broken profile
does no harm.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from io import BytesIO

from PIL import ExifTags, Image, UnidentifiedImageError, features

from redzone.errors import ErrorCode, ImageFault
from redzone.imaging.truncate import Stored, closed, measure, measure_start, shorten

# No TIFF: posters are not served in it, and libtiff writes its warnings directly to stderr, into the live
# view (measured: 2,600 lines for a minute of damaged files).
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", *(["AVIF"] if features.check("avif") else []))

# Pillow checks its own pixel limit before ours; beyond it, decoding must fail. Its warnings about odd
# metadata would disturb the live view. Both filters are set once for the process, because
# `warnings.catch_warnings` changes the filters of all threads.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
warnings.simplefilter("error", Image.DecompressionBombWarning)

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# What is commonly served in place of an image. The first match names it.
_SNIFFED_BYTES = 1024
_LOOKS_LIKE = [
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), name)
    for pattern, name in (
        (
            rb"(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)*<(!doctype html|html|head|body|title|script)\b",
            "an HTML page",
        ),
        (rb"(\xef\xbb\xbf)?\s*(<[?!][^>]*>\s*)*<svg\b", "an SVG drawing"),
        (rb"(\xef\xbb\xbf)?\s*<[?!a-z]", "an XML document"),
        (rb"(\xef\xbb\xbf)?\s*(\{\s*[\"}]|\[)", "JSON"),
        (rb"%PDF-", "a PDF document"),
        (rb"PK\x03\x04", "a ZIP archive"),
        (rb"\x1f\x8b", "gzip data"),
        (rb".{4}ftyp(heic|heix|hevc|mif1|msf1)", "a HEIC picture"),
        (rb".{4}ftyp(?!avi[fs])", "a video"),
        (rb"\xff\x0a|\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
        (rb"II\*\x00|MM\x00\*", "a TIFF picture"),
        (rb"8BPS", "a Photoshop document"),
        (rb"version https://git-lfs", "a Git LFS pointer"),
        (rb"[\t\n\r\x20-\x7e]+\Z", "plain text"),
    )
]


def look_like(data: bytes) -> str | None:
    """A name for bytes that are not an image; None for an image or anything unknown."""
    if not data:
        return "an empty file"
    start = data[:_SNIFFED_BYTES]
    return next((name for pattern, name in _LOOKS_LIKE if pattern.match(start)), None)


def decode(data: bytes, max_pixels: int, min_side_px: int) -> Image.Image:
    """The first frame, upright, as RGB; transparency is laid on black, 16 bits are scaled to 8.

    Raises ImageFault: `image-too-large` above `max_pixels` (before it is unpacked),
    `image-unreadable` for anything that is no whole image of at least `min_side_px` each way.
    """
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            _check_size(image.size, max_pixels, min_side_px)
            image.load()
            return _on_black(_upright(image))
    except ImageFault:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageFault(ErrorCode.IMAGE_TOO_LARGE, f"the image has too many pixels: {error}") from error
    # Pillow's decoders raise many exceptions on hostile bytes: OSError, SyntaxError, struct.error, KeyError,
    # ZeroDivisionError. From here on all of them are one error.
    except Exception as error:
        raise ImageFault(ErrorCode.IMAGE_UNREADABLE, _complaint(data, error)) from error


def decode_top(
    data: bytes, max_pixels: int, min_side_px: int, rows: Callable[[int, int], int]
) -> tuple[Image.Image, tuple[int, int]] | None:
    """The upper part of `decode`'s result, and the size of the whole; None if `decode` is needed.

    `rows` gives the number of rows needed of a picture of a width and height. The result may have more rows,
    but only the needed ones are exact. The result is None for anything but an upright picture in a file
    that can be shortened, so every error is reported by `decode`.
    """
    return _decode_upper(data, measure(data), max_pixels, min_side_px, rows)


def decode_start(
    start: bytes, max_pixels: int, min_side_px: int, rows: Callable[[int, int], int]
) -> tuple[Image.Image, tuple[int, int]] | None:
    """As `decode_top`, from the beginning of a file; also None if it does not contain all needed rows.

    Metadata after the pixels is not seen: a PNG whose orientation is stored at the end is not turned.
    """
    return _decode_upper(closed(start), measure_start(start), max_pixels, min_side_px, rows)


def _decode_upper(
    data: bytes, stored: Stored | None, max_pixels: int, min_side_px: int, rows: Callable[[int, int], int]
) -> tuple[Image.Image, tuple[int, int]] | None:
    if stored is None or stored.width * stored.height > min(max_pixels, Image.MAX_IMAGE_PIXELS or max_pixels):
        return None
    size = stored.width, stored.height
    short = shorten(data, stored, rows(*size)) if min(size) >= min_side_px else None
    if short is None:
        return None
    try:
        with Image.open(BytesIO(short), formats=FORMATS) as image:
            image.load()
            return (_on_black(image), size) if _turn(image) is None else None
    except Exception:  # noqa: BLE001 - hostile bytes; `decode` will look at the whole file
        return None


def _complaint(data: bytes, error: Exception) -> str:
    what = look_like(data)
    if what is not None:
        return f"this is {what}; the readable formats are {', '.join(FORMATS)}"
    if isinstance(error, UnidentifiedImageError):
        return f"these {len(data):,} bytes are not an image in a readable format ({', '.join(FORMATS)})"
    return f"the image is damaged or incomplete: {error or type(error).__name__}"


def _check_size(size: tuple[int, int], max_pixels: int, min_side_px: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise ImageFault(
            ErrorCode.IMAGE_TOO_LARGE,
            f"the image is {width:,} x {height:,} pixels; the limit is {max_pixels:,} pixels",
        )
    if min(size) < min_side_px:
        raise ImageFault(
            ErrorCode.IMAGE_UNREADABLE,
            f"the image is {width} x {height} pixels; a poster has at least {min_side_px} pixels per side",
        )


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        return _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - as in a browser, broken metadata does not turn a picture
        return None


def _upright(image: Image.Image) -> Image.Image:
    turn = _turn(image)
    return image if turn is None else image.transpose(turn)


def _on_black(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        # a PNG's 16 bits; without the scaling all but the darkest 255 greys would be white
        image = image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.new("RGB", image.size)
        image.paste(layer, mask=layer)
    picture = image if image.mode == "RGB" else image.convert("RGB")
    picture.info = {}  # else a comment of the poster would be written into the view
    return picture
