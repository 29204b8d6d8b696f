"""Still WebP pictures, decoded by the libwebp that Pillow is linked with, in a quarter of Pillow's memory.

Pillow decodes every WebP as an animation, which takes 16 bytes per pixel; libwebp's simple API writes into
one buffer of 4 bytes per pixel. If the library cannot be reached (in a statically linked Pillow) or the file
is an animation, Pillow decodes it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

from PIL import Image

PIXEL_BYTES = 4
_ANIMATION_FLAG = 0x02

_Decode = Callable[[bytes, int, int, int, int], int | None]


@cache
def _library() -> _Decode | None:
    try:
        from PIL import _webp

        decode = ctypes.CDLL(_webp.__file__).WebPDecodeRGBAInto
    except (ImportError, OSError, AttributeError):
        return None
    decode.restype = ctypes.c_void_p
    decode.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    found: _Decode = decode
    return found


def can_decode(data: bytes) -> bool:
    """Whether `decode_still` will try: libwebp is reachable and the file is not an animation."""
    animated = data[12:16] == b"VP8X" and bool(data[20] & _ANIMATION_FLAG)
    return _library() is not None and not animated


def decode_still(data: bytes, size: tuple[int, int], mode: str) -> Image.Image | None:
    """The picture as RGBA, or as RGB with an unused fourth byte if `mode` is RGB; None if it fails."""
    decode = _library()
    if decode is None:
        return None
    width, height = size
    stride = width * PIXEL_BYTES
    pixels = bytearray(stride * height)
    address = ctypes.addressof((ctypes.c_char * len(pixels)).from_buffer(pixels))
    if not decode(data, len(data), address, len(pixels), stride):
        return None
    layout = "RGBX" if mode == "RGB" else "RGBA"
    return Image.frombuffer(layout, size, pixels, "raw", layout, 0, 1)
