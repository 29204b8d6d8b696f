"""How much memory decoding an image takes, estimated from its header. Rounded up, never down."""

from __future__ import annotations

from PIL import Image, JpegImagePlugin

from redzone.imaging import webp
from redzone.imaging.geometry import Cut

# Pillow stores these modes in fewer than 4 bytes per pixel.
_STORED_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}
_FULL_PIXEL = 4
_COEFFICIENT_BYTES = 2
_STRIPS_BYTES = 6_000_000  # what is converted at a time: see `flatten`
_WEBP_AS_ANIMATION = 16  # two canvases, a copy, and Pillow's own
_WEBP_ALPHA = 2
_AVIF_UNKNOWN = 12


def decode_bytes(image: Image.Image, size: tuple[int, int], data: bytes, cut: Cut, shrink: int) -> int:
    """Peak memory in bytes of decoding an opened image and scaling a cut out of it.

    `size` is the stored one, `shrink` the factor by which the JPEG decoder itself scales down.
    """
    width, height = size
    stored = _STORED_BYTES.get(image.mode, _FULL_PIXEL) / shrink**2
    codec = _CODECS.get(image.format or "", _jpeg)(image, data)  # a JPEG of several pictures is an MPO
    left, top, right, bottom = cut.box
    region = (right - left) * (bottom - top) / cut.factor**2
    across = cut.size[0] * (bottom - top) / cut.factor  # between the two passes of a resize
    scaled = _FULL_PIXEL * (region + across + 2 * cut.size[0] * cut.size[1])
    return round(width * height * (stored + codec) + scaled) + _STRIPS_BYTES


def _jpeg(image: Image.Image, data: bytes) -> float:
    """A file of several scans keeps all coefficients until the last one; one scan keeps a few rows."""
    assert isinstance(image, JpegImagePlugin.JpegImageFile)  # noqa: S101
    assert image.fp is not None  # noqa: S101
    components = len(image.layer)
    start_of_scan = image.fp.tell() - (6 + 2 * components) - 2
    one_scan = (
        data[start_of_scan : start_of_scan + 2] == b"\xff\xda" and data[start_of_scan + 4] == components
    )
    if one_scan and "progressive" not in image.info:
        return 0
    across = max(layer[1] for layer in image.layer)
    down = max(layer[2] for layer in image.layer)
    return _COEFFICIENT_BYTES * sum(layer[1] * layer[2] for layer in image.layer) / (across * down)


def _png(image: Image.Image, data: bytes) -> float:  # noqa: ARG001
    """Animations keep a second canvas."""
    return _FULL_PIXEL if getattr(image, "is_animated", False) else 0


def _gif(image: Image.Image, data: bytes) -> float:  # noqa: ARG001
    """The first frame is stored as palette indices, with a canvas to restore it to."""
    return 1


def _bmp(image: Image.Image, data: bytes) -> float:  # noqa: ARG001
    """A run-length encoded file is unpacked in Python first."""
    return 2 if image.mode in _STORED_BYTES else 0


def _webp(image: Image.Image, data: bytes) -> float:
    """Lossless data is decoded into 4 bytes per pixel of its own, alpha into 2."""
    if not webp.can_decode(data):
        return _WEBP_AS_ANIMATION - _FULL_PIXEL
    return _FULL_PIXEL if b"VP8L" in data else _WEBP_ALPHA * (image.mode == "RGBA")


def _avif(image: Image.Image, data: bytes) -> float:
    """The planes, and two copies of the pixels; of these one is left when Pillow makes its own."""
    at, planes = data.find(b"av1C"), 0.0
    while 0 <= at < len(data) - 7:
        flags = data[at + 6]
        chroma = 0 if flags & 0x10 else 2 / ((1 + (flags >> 3 & 1)) * (1 + (flags >> 2 & 1)))
        planes = max(planes, (1 + chroma) * (2 if flags & 0x40 else 1))
        at = data.find(b"av1C", at + 4)
    alpha = image.mode == "RGBA"
    pixel = 4 if alpha else 3
    deep = 2 if planes > 3 else 1
    return (planes or _AVIF_UNKNOWN) + alpha * deep + 2 * pixel - _FULL_PIXEL + (_FULL_PIXEL - pixel)


_CODECS = {"JPEG": _jpeg, "PNG": _png, "GIF": _gif, "BMP": _bmp, "WEBP": _webp, "AVIF": _avif}
