"""Pictures for tests, made on the spot."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

from PIL import Image

# Pillow writes these modes in these formats.
MODES = {
    "JPEG": ("1", "L", "RGB", "CMYK"),
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "WEBP": ("RGB", "RGBA"),
    "GIF": ("1", "L", "P", "RGB"),
    "BMP": ("1", "L", "P", "RGB"),
    "AVIF": ("RGB", "RGBA"),
}
WITH_EXIF = ("JPEG", "PNG", "WEBP", "AVIF")

# How an upright picture is stored so that the orientation turns it upright again.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def stored(picture: Image.Image, orientation: int) -> Image.Image:
    turn = STORED[orientation]
    return picture if turn is None else picture.transpose(turn)


def encoded(picture: Image.Image, kind: str, orientation: int = 1, **options: object) -> bytes:
    """A picture's file; with an orientation other than 1 it is stored turned."""
    file = BytesIO()
    if orientation != 1:
        exif = Image.Exif()
        exif[0x0112] = orientation
        options["exif"] = exif
    stored(picture, orientation).save(file, kind, **options)
    return file.getvalue()


def gradient(width: int, height: int) -> Image.Image:
    """A picture with something going on everywhere."""
    across, down = Image.linear_gradient("L"), Image.linear_gradient("L").transpose(Image.Transpose.ROTATE_90)
    return Image.merge("RGB", (across, down, Image.radial_gradient("L"))).resize((width, height))


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and brings next to no data."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0" * 100)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
