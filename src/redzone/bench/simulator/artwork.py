"""Generates posters: poster `number` is always the same, and no two are alike.

About a quarter have their title in the top-left corner, some have a drawing of a face there; the others have
a free corner and the title at the bottom.
"""

from __future__ import annotations

import csv
import random
from collections import OrderedDict
from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from io import BytesIO, StringIO

from PIL import Image, ImageDraw, ImageFont

from redzone.bench.simulator.seeded_random import fraction, generator

FORMATS = {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
MIME = {".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
GROUPS = ("award", "just_added", "trending", "editorial")
LIST_COLUMNS = ("content_id", "content_name", "poster_img_url", "sot_name")

_ADJECTIVES = ("Quiet", "Golden", "Broken", "Distant", "Paper", "Hollow", "Electric", "Northern", "Last")
_NOUNS = ("Harbour", "Orchard", "Signal", "River", "Witness", "Lantern", "Summer", "Empire", "Garden")
_TINY_BLOCKS = (4, 6)
_SKIN = ((241, 194, 155), (198, 134, 94), (141, 85, 54))

Image.init()  # loads all codecs now, so that the event loop reads no files


class ZoneContent(StrEnum):
    """The content of a poster's top-left corner."""

    TEXT = "text"
    FACE = "face"
    FREE = "free"


def zone_content(number: int) -> ZoneContent:
    """Return the content of the poster's corner: 25 % text, 15 % a face, 60 % nothing."""
    draw = fraction("corner", number)
    return ZoneContent.TEXT if draw < 0.25 else ZoneContent.FACE if draw < 0.4 else ZoneContent.FREE


def title(number: int) -> str:
    """Return the poster's title. It contains the number, so that titles are unique."""
    rng = generator("title", number)
    return f"{rng.choice(_ADJECTIVES)} {rng.choice(_NOUNS)} {number}"


def poster_rows(origin: str, count: int, size: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Yield the rows of an input list of `count` posters, with the columns LIST_COLUMNS."""
    query = f"?size={size}" if size else ""
    for number in range(1, count + 1):
        group = GROUPS[number % len(GROUPS)]
        yield f"{number:07d}", title(number), f"{origin}/posters/{number}.jpg{query}", group


def poster_list(origin: str, count: int, size: str = "") -> str:
    """Return a CSV input list of `count` posters."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(LIST_COLUMNS)
    writer.writerows(poster_rows(origin, count, size))
    return text.getvalue()


def draw_poster(number: int, size: tuple[int, int]) -> Image.Image:
    """Draw a poster of (width, height) px."""
    width, height = size
    rng = generator("poster", number)
    dusk = bytes(rng.randrange(30, 200) for _ in range(6))
    column = Image.frombytes("RGB", (1, 2), dusk).resize((1, height), Image.Resampling.BILINEAR)
    image = column.resize(size, Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(image)
    sun_x, sun_y, sun_r = rng.uniform(0.3, 0.8) * width, rng.uniform(0.3, 0.45) * height, 0.12 * width
    pen.ellipse((sun_x - sun_r, sun_y - sun_r, sun_x + sun_r, sun_y + sun_r), fill=(250, 220, 130))
    for layer in (0.6, 0.72):
        ridge = [(step / 6 * width, (layer + rng.uniform(-0.06, 0.06)) * height) for step in range(7)]
        shade = tuple(rng.randrange(10, 90) for _ in range(3))
        pen.polygon([*ridge, (width, height), (0, height)], fill=shade)
    content = zone_content(number)
    if content is ZoneContent.FACE:
        _draw_face(pen, size, rng)
    title_y = 0.02 if content is ZoneContent.TEXT else 0.85
    place = (0.04 * width, title_y * height)
    pen.text(place, title(number), fill=(250, 250, 245), font=_font(max(8.0, 0.05 * height)))
    return image


def poster_file(number: int, size: tuple[int, int] | None, extension: str, grain: float = 0.0) -> bytes:
    """Return an encoded poster, about 10 KB at 300x450; with size None a tiny one of a few hundred bytes.
    `extension` is a key of FORMATS, `grain` the share of noise in the picture."""
    image = draw_poster(number, size) if size else _draw_tiny(number)
    if grain and size:
        noise = generator("grain", number).randbytes(size[0] * size[1] * 3)
        image = Image.blend(image, Image.frombytes("RGB", size, noise), grain)
    file = BytesIO()
    kind = FORMATS[extension]
    if kind == "JPEG":
        # no chroma subsampling in tiny ones: the colours of their 8x8 blocks encode the number
        image.save(file, kind, quality=80, subsampling=2 if size else 0, optimize=size is None)
    else:
        image.save(file, kind)
    return file.getvalue()


class PosterCache:
    """A cache of encoded posters; drops the least recently used ones above `max_bytes`."""

    def __init__(self, size: tuple[int, int], grain: float = 0.0, max_bytes: int = 64 * 2**20) -> None:
        self._size = size
        self._grain = grain
        self._max_bytes = max_bytes
        self._bytes = 0
        self._files: OrderedDict[tuple[int, bool, str], bytes] = OrderedDict()

    def file(self, number: int, extension: str, tiny: bool = False) -> bytes:
        """Return the encoded poster."""
        key = (number, tiny, extension)
        if key in self._files:
            self._files.move_to_end(key)
            return self._files[key]
        data = poster_file(number, None if tiny else self._size, extension, self._grain)
        self._files[key] = data
        self._bytes += len(data)
        while self._bytes > self._max_bytes and len(self._files) > 1:
            self._bytes -= len(self._files.popitem(last=False)[1])
        return data

    def fill(self, count: int, extension: str, *, tiny: bool) -> None:
        """Draw posters 1 to `count`, until they fill half of the cache."""
        for number in range(1, count + 1):
            if 2 * self._bytes > self._max_bytes:
                break
            self.file(number, extension, tiny=tiny)


@cache
def _font(height_px: float) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(height_px)


def _draw_tiny(number: int) -> Image.Image:
    rng = generator("tiny", number)
    columns, rows = _TINY_BLOCKS
    # three blocks with three channels of eight levels distinguish 2**27 posters, and survive JPEG
    levels = [(number >> (3 * digit)) % 8 * 32 + 16 for digit in range(9)]
    ground = [rng.randrange(256) for _ in range(3)]
    pixels = bytes(levels + ground * (columns * rows - 3))
    small = Image.frombytes("RGB", _TINY_BLOCKS, pixels)
    return small.resize((columns * 8, rows * 8), Image.Resampling.NEAREST)


def _draw_face(pen: ImageDraw.ImageDraw, size: tuple[int, int], rng: random.Random) -> None:
    width, height = size
    x, y, r = rng.uniform(0.2, 0.4) * width, 0.09 * height, 0.075 * height
    pen.ellipse((x - 0.85 * r, y - 1.1 * r, x + 0.85 * r, y), fill=(40, 25, 20))
    pen.ellipse((x - 0.75 * r, y - 0.9 * r, x + 0.75 * r, y + r), fill=rng.choice(_SKIN))
    for side in (-1, 1):
        eye_x = x + side * 0.3 * r
        pen.ellipse((eye_x - 0.14 * r, y - 0.2 * r, eye_x + 0.14 * r, y), fill=(250, 250, 250))
        pen.ellipse((eye_x - 0.06 * r, y - 0.16 * r, eye_x + 0.06 * r, y - 0.04 * r), fill=(20, 20, 20))
    pen.arc((x - 0.35 * r, y + 0.2 * r, x + 0.35 * r, y + 0.6 * r), 20, 160, fill=(150, 40, 40), width=2)
