"""Decodes a poster's bytes to an upright RGB picture, or explains why that is not possible.

The format is detected from the bytes alone, and the size is checked in the header before anything is decoded.
Embedded colour profiles are ignored: a colour shift hides neither a title nor a face, and a broken profile
does no harm.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

from PIL import ExifTags, Image, UnidentifiedImageError, features

from redzone.errors import ErrorCode, ImageFault, Retry
from redzone.imaging import webp
from redzone.imaging.cost import decode_bytes
from redzone.imaging.flatten import UPRIGHT, cut_out, upright_size
from redzone.imaging.geometry import DECODE_BYTES, Cut, FramingOptions
from redzone.imaging.memory import BUDGET
from redzone.imaging.sniff import look_like
from redzone.imaging.truncate import Stored, closed, ends_in_last_scan, measure, measure_start, shorten

# No TIFF: posters are not served in it, and libtiff writes its warnings directly to stderr, into the live
# view (measured: 2,600 lines for a minute of damaged files).
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", *(["AVIF"] if features.check("avif") else []))

# Pillow checks its own pixel limit before ours; beyond it, decoding must fail. Its warnings about odd
# metadata would disturb the live view. Both filters are set once for the process, because
# `warnings.catch_warnings` changes the filters of all threads.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
warnings.simplefilter("error", Image.DecompressionBombWarning)

log = logging.getLogger(__name__)

# How much of a JPEG's picture its missing last bytes may be: less than 1 in 200 pixels.
_MISSING_SHARE = 0.005

Plan = Callable[[int, int], Cut]


@dataclass(frozen=True, slots=True)
class Decoded:
    """A cut of a poster as an upright RGB picture, and the poster's upright size in pixels."""

    picture: Image.Image
    size: tuple[int, int]


def decode(data: bytes, max_pixels: int, min_side_px: int) -> Image.Image:
    """The whole first frame at its own size, as `decode_cut` makes it."""

    def whole(width: int, height: int) -> Cut:
        return Cut((0, 0, width, height), (width, height))

    return decode_cut(data, FramingOptions(max_pixels, min_side_px), whole).picture


def decode_cut(data: bytes, options: FramingOptions, plan: Plan) -> Decoded:
    """The cut that `plan` chooses for a poster of a width and height, from the first frame.

    16 bits are scaled to 8, and transparency is composited on a colour that shows what is visible. Blocks
    until the memory is free that decoding takes.

    Raises ImageFault: `image-too-large` for more than `max_pixels` or more memory than may be used, both
    before anything is decoded; `image-unreadable` for anything but a complete image of at least `min_side_px`
    per side; `internal`, which can be retried, if this machine runs out of memory.
    """
    try:
        return _decode_cut(data, options, plan)
    except ImageFault:
        raise
    except MemoryError as error:
        raise _out_of_memory() from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageFault(ErrorCode.IMAGE_TOO_LARGE, f"the image has too many pixels: {error}") from error
    # Pillow's decoders raise many exceptions on hostile bytes: OSError, SyntaxError, struct.error, KeyError,
    # ZeroDivisionError. From here on all of them are one error.
    except Exception as error:
        if "out of memory" in str(error):
            raise _out_of_memory() from error
        completed = _completed(data)
        if completed is not None:
            log.info(
                "a JPEG of %s bytes lacks its last bytes; it is judged as browsers show it", f"{len(data):,}"
            )
            return decode_cut(completed, options, plan)
        raise ImageFault(ErrorCode.IMAGE_UNREADABLE, _complaint(data, error)) from error


def decode_top(data: bytes, options: FramingOptions, plan: Plan, *, wait: bool = True) -> Decoded | None:
    """The same as `decode_cut` makes, from the upper rows of the file only; None if `decode_cut` is needed.

    The result is None for anything but an upright picture in a file that can be shortened, so every error is
    reported by `decode_cut`. Without `wait` it is also None if the memory is not free.
    """
    return _decode_upper(data, measure(data), options, plan, wait=wait)


def decode_start(start: bytes, options: FramingOptions, plan: Plan) -> Decoded | None:
    """As `decode_top`, from the beginning of a file; also None if it does not contain all needed rows.

    Metadata after the pixels is not seen: a PNG whose orientation is stored at the end is not turned.
    """
    return _decode_upper(closed(start), measure_start(start), options, plan, wait=True)


def _decode_cut(data: bytes, options: FramingOptions, plan: Plan) -> Decoded:
    with Image.open(BytesIO(data), formats=FORMATS) as image:
        _check_size(image.size, options)
        stored = image.size
        # Pillow would load a PNG to look for EXIF behind the pixels
        early = image.format != "PNG" or "exif" in image.info
        turn = _turn(image) if early else None
        size = upright_size(stored, turn)
        cut = plan(*size)
        shrink = _draft(image, cut)
        cost = decode_bytes(image, stored, data, cut, shrink)
        _check_cost(stored, cost, options)
        with BUDGET.reserved(cost, options.decode_bytes):
            try:
                picture = cut_out(_loaded(image, data), stored, cut, turn, shrink)
            except OSError as error:
                # some decoders report it as damage that they ran out of memory: is there as much left?
                bytearray(cost)
                raise error from None
            if _turn(image) is not turn:  # a PNG's EXIF may follow its pixels
                turn = _turn(image)
                size = upright_size(stored, turn)
                picture = cut_out(image, stored, plan(*size), turn, shrink)
            return Decoded(picture, size)


def _decode_upper(
    data: bytes, stored: Stored | None, options: FramingOptions, plan: Plan, *, wait: bool
) -> Decoded | None:
    max_pixels = min(options.max_pixels, Image.MAX_IMAGE_PIXELS or options.max_pixels)
    if stored is None or stored.width * stored.height > max_pixels:
        return None
    size = stored.width, stored.height
    cut = plan(*size) if min(size) >= options.min_side_px else None
    short = shorten(data, stored, cut.box[3]) if cut is not None else None
    if cut is None or short is None:
        return None
    try:
        with Image.open(BytesIO(short), formats=FORMATS) as image:
            part = image.size
            shrink = _draft(image, cut)
            cost = decode_bytes(image, part, short, cut, shrink)
            with BUDGET.reserved(cost, options.decode_bytes, wait=wait) as granted:
                if not granted:
                    return None
                image.load()
                return (
                    Decoded(cut_out(image, size, cut, None, shrink), size) if _turn(image) is None else None
                )
    except Exception:  # noqa: BLE001 - hostile bytes, or no memory; `decode_cut` will look at the whole file
        return None


def _loaded(image: Image.Image, data: bytes) -> Image.Image:
    if image.format == "WEBP" and webp.can_decode(data):
        still = webp.decode_still(data, image.size, image.mode)
        if still is not None:
            return still
    image.load()
    return image


def _draft(image: Image.Image, cut: Cut) -> int:
    """Let a JPEG's decoder scale down as far as the cut allows; the factor: 1, 2, 4 or 8."""
    shrink = max(step for step in (1, 2, 4, 8) if step <= cut.factor)
    if image.format != "JPEG" or shrink == 1:
        return 1
    width, height = image.size
    done = image.draft(None, (width // shrink, height // shrink))
    image_size = -(-width // shrink), -(-height // shrink)
    if done is None or image.size != image_size:
        raise ValueError("the JPEG cannot be scaled while it is decoded")
    return shrink


def _completed(data: bytes) -> bytes | None:
    """A JPEG without its last bytes with an end marker, as browsers show it; None if more is missing.

    What is missing shows by what a decoder makes of two different endings: it differs there.
    """
    if not ends_in_last_scan(data):
        return None
    completed = data + b"\xff\xd9"
    try:
        first, second = _brightness(completed), _brightness(data + b"\x5a" * 4096 + b"\xff\xd9")
        differing = sum(one != other for one, other in zip(first, second, strict=True))
    except Exception:  # noqa: BLE001 - hostile bytes
        return None
    return completed if differing <= max(1, _MISSING_SHARE * len(first)) else None


def _brightness(data: bytes) -> bytes:
    """A JPEG's brightness, one byte per pixel; one per block where all of it is stored together."""
    with Image.open(BytesIO(data), formats=("JPEG",)) as image:
        shrink = 1 if "progressive" in image.info else 8
        image.draft("L", (max(1, image.width // shrink), max(1, image.height // shrink)))
        return image.convert("L").tobytes()


def _complaint(data: bytes, error: Exception) -> str:
    what = look_like(data)
    if what is not None:
        return f"this is {what}; the readable formats are {', '.join(FORMATS)}"
    if isinstance(error, UnidentifiedImageError):
        return f"these {len(data):,} bytes are not an image in a readable format ({', '.join(FORMATS)})"
    return f"the image is damaged or incomplete: {error or type(error).__name__}"


def _out_of_memory() -> ImageFault:
    return ImageFault(
        ErrorCode.INTERNAL, "this machine has not enough memory to decode the image", Retry.TRANSIENT
    )


def _check_size(size: tuple[int, int], options: FramingOptions) -> None:
    width, height = size
    if width * height > options.max_pixels:
        raise ImageFault(
            ErrorCode.IMAGE_TOO_LARGE,
            f"the image is {width:,} x {height:,} pixels; the limit is {options.max_pixels:,} pixels",
        )
    if min(size) < options.min_side_px:
        raise ImageFault(
            ErrorCode.IMAGE_UNREADABLE,
            f"the image is {width} x {height} pixels; a side of a poster has at least {options.min_side_px}",
        )


def _check_cost(size: tuple[int, int], cost: int, options: FramingOptions) -> None:
    """A budget below the default makes large images wait, but refuses none that the default accepts."""
    limit = max(options.decode_bytes, DECODE_BYTES)
    if cost > limit:
        raise ImageFault(
            ErrorCode.IMAGE_TOO_LARGE,
            f"decoding {size[0]:,} x {size[1]:,} pixels of this kind takes about {cost / 1e6:,.0f} MB; "
            f"the limit is {limit / 1e6:,.0f} MB (REDZONE_DECODE_MEMORY_MB)",
        )


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        return UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - as in a browser, broken metadata does not turn a picture
        return None
