"""Drawing helpers for the example posters: a canvas, mountains, portraits."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIZE = (360, 540)
SCALE = 3  # drawn larger and reduced once, which smooths every edge
Colour = tuple[int, int, int]
Point = tuple[float, float]


class Canvas:
    """A poster being drawn; coordinates are pixels of the finished poster."""

    def __init__(self, *sky: Colour) -> None:
        self.image = Image.new("RGB", (SIZE[0] * SCALE, SIZE[1] * SCALE))
        self._pen = ImageDraw.Draw(self.image)
        self._paint_gradient(sky)

    def _paint_gradient(self, colours: tuple[Colour, ...]) -> None:
        column = Image.new("RGB", (1, len(colours)))
        column.putdata(colours)
        # half a band of slack above and below: the first and last colour meet the edges exactly
        box = (0, 0.5, 1, len(colours) - 0.5)
        self.image.paste(column.resize(self.image.size, Image.Resampling.BILINEAR, box=box))

    def polygon(self, points: Sequence[Point], fill: Colour) -> None:
        """A filled area."""
        self._pen.polygon([(x * SCALE, y * SCALE) for x, y in points], fill)

    def ellipse(self, centre: Point, radius: Point, fill: Colour) -> None:
        """A filled ellipse."""
        (x, y), (across, down) = centre, radius
        box = [(x - across) * SCALE, (y - down) * SCALE, (x + across) * SCALE, (y + down) * SCALE]
        self._pen.ellipse(box, fill)

    def line(self, points: Sequence[Point], fill: Colour, width: float) -> None:
        """A line with round joints."""
        self._pen.line([(x * SCALE, y * SCALE) for x, y in points], fill, round(width * SCALE), "curve")

    def glow(self, centre: Point, radius: float, colour: Colour, strength: float) -> None:
        """Light that fades outwards."""
        across = round(2 * radius * SCALE)
        disc = (
            Image.radial_gradient("L")
            .resize((across, across))
            .point(lambda value: round(max(0.0, 1 - value / 180) ** 2 * 255 * strength))
        )
        corner = (round((centre[0] - radius) * SCALE), round((centre[1] - radius) * SCALE))
        self.image.paste(Image.new("RGB", disc.size, colour), corner, disc)

    def title(self, text: str, middle: Point, size: float, fill: Colour, spacing: float = 0.1) -> None:
        """A line of letters round `middle`, `spacing` of the size apart."""
        font = ImageFont.load_default(size * SCALE)
        gap = spacing * size * SCALE
        widths = [font.getlength(letter) for letter in text]
        x = middle[0] * SCALE - (sum(widths) + gap * (len(text) - 1)) / 2
        weight = round(size * SCALE / 40)
        for letter, width in zip(text, widths, strict=True):
            self._pen.text((x, middle[1] * SCALE), letter, fill, font, "lm", stroke_width=weight)
            x += width + gap

    def credit(self, text: str, y: float, fill: Colour) -> None:
        """Small print, centred."""
        self.title(text, (SIZE[0] / 2, y), 9, fill, 0.2)

    def soften(self, radius: float) -> None:
        """Blur everything drawn so far."""
        self.image.paste(self.image.filter(ImageFilter.GaussianBlur(radius * SCALE)))
        self._pen = ImageDraw.Draw(self.image)

    def finished(self) -> Image.Image:
        """The poster at its size."""
        return self.image.resize(SIZE, Image.Resampling.LANCZOS)


def ridge(canvas: Canvas, height: float, rough: float, fill: Colour, seed: int) -> None:
    """A mountain range that ends at the lower edge, by midpoint displacement."""
    chance = random.Random(seed)  # noqa: S311  # scenery, no secret
    heights = [height, height]
    while len(heights) < 65:
        middles = [(a + b) / 2 + chance.uniform(-rough, rough) for a, b in itertools.pairwise(heights)]
        heights = [value for pair in zip(heights, [*middles, 0.0], strict=True) for value in pair][:-1]
        rough *= 0.52
    step = SIZE[0] / (len(heights) - 1)
    outline = [(index * step, y) for index, y in enumerate(heights)]
    canvas.polygon([*outline, (SIZE[0], SIZE[1]), (0, SIZE[1])], fill)


def shade(colour: Colour, factor: float) -> Colour:
    """Darker below 1, lighter above."""
    red, green, blue = (min(255, round(part * factor)) for part in colour)
    return red, green, blue


@dataclass(frozen=True, slots=True)
class Look:
    """A portrait's colours."""

    skin: Colour
    hair: Colour
    iris: Colour
    coat: Colour


def portrait(canvas: Canvas, centre: Point, unit: float, look: Look) -> None:
    """A head and shoulders seen from the front; the face is 2 `unit` wide."""

    def at(x: float, y: float) -> Point:
        return centre[0] + x * unit, centre[1] + y * unit

    def blob(x: float, y: float, across: float, down: float, fill: Colour) -> None:
        canvas.ellipse(at(x, y), (across * unit, down * unit), fill)

    dark, light = shade(look.skin, 0.78), shade(look.skin, 1.04)
    blob(0, 4.2, 2.5, 2.4, look.coat)
    canvas.polygon([at(-2.5, 4.2), at(2.5, 4.2), at(2.5, 14), at(-2.5, 14)], look.coat)
    blob(0, -0.15, 1.28, 1.62, look.hair)
    canvas.polygon([at(-1.26, 0), at(-1.3, 1.7), at(1.3, 1.7), at(1.26, 0)], look.hair)
    canvas.polygon([at(-0.46, 0.8), at(-0.55, 2.0), at(0, 2.4), at(0.55, 2.0), at(0.46, 0.8)], dark)
    blob(0, 0, 1, 1.36, look.skin)
    blob(0.5, 0.28, 0.3, 0.24, light)
    blob(-0.5, 0.28, 0.3, 0.24, light)
    canvas.polygon(
        [
            at(-1.05, -0.5),
            at(-0.75, -1.4),
            at(0.2, -1.52),
            at(0.95, -1.1),
            at(1.05, -0.4),
            at(0.62, -0.92),
            at(-0.2, -0.98),
            at(-0.7, -0.85),
        ],
        look.hair,
    )
    for side in (-1, 1):
        canvas.line(
            [at(side * 0.2, -0.34), at(side * 0.42, -0.43), at(side * 0.7, -0.33)],
            shade(look.hair, 0.7),
            0.09 * unit,
        )
        blob(side * 0.43, -0.1, 0.24, 0.13, dark)
        blob(side * 0.43, -0.08, 0.21, 0.105, (246, 243, 238))
        blob(side * 0.43, -0.085, 0.105, 0.105, look.iris)
        blob(side * 0.43, -0.085, 0.05, 0.05, (12, 10, 12))
        blob(side * 0.40, -0.12, 0.025, 0.025, (255, 255, 255))
        canvas.line(
            [at(side * 0.2, -0.1), at(side * 0.42, -0.2), at(side * 0.66, -0.1)], (30, 20, 20), 0.05 * unit
        )
        blob(side * 0.1, 0.44, 0.06, 0.035, shade(look.skin, 0.5))
    canvas.line([at(0.1, -0.15), at(0.15, 0.32), at(0.02, 0.48)], dark, 0.05 * unit)
    blob(0, 0.40, 0.15, 0.1, light)
    canvas.polygon(
        [at(-0.36, 0.8), at(-0.1, 0.71), at(0, 0.74), at(0.1, 0.71), at(0.36, 0.8), at(0, 0.98)],
        (176, 70, 72),
    )
    canvas.line([at(-0.36, 0.8), at(0, 0.83), at(0.36, 0.8)], (110, 40, 44), 0.035 * unit)
