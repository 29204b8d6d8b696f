"""SVG text: elements, axes, ticks. Pure, and without a script.

Colours, strokes and fonts are the style's: the elements only have classes.
"""

from __future__ import annotations

import html
import math
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from redzone.text import clean

Point = tuple[float, float]

LETTER_PX = 13.0  # what the style gives texts
_LETTER_FRAC = 0.63  # of the letter's height: the mean of a wide sans serif


def svg(parts: Iterable[str], size: Point, told: str) -> str:
    """The whole picture, (width, height) in px; `told` is its text alternative: title and figures."""
    width, height = figure(size[0]), figure(size[1])
    return (
        f'<svg class="chart" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' role="img" aria-label="{escape(told)}">{"".join(parts)}</svg>'
    )


def escape(words: str) -> str:
    """The words as XML text or attribute, without the characters that XML or a terminal forbids."""
    return html.escape("".join(" " if char in "\ufffe\uffff" else char for char in clean(words)))


def tag(name: str, hint: str = "", *, css: str, **attributes: float | str) -> str:
    """One element. `hint` is shown where the pointer rests on it."""
    told = "".join(
        f' {key}="{escape(value) if isinstance(value, str) else figure(value)}"'
        for key, value in attributes.items()
    )
    inside = f"<title>{escape(hint)}</title>" if hint else ""
    return f'<{name} class="{css}"{told}>{inside}</{name}>'


def text(x: float, y: float, words: str, css: str) -> str:
    """Words with their middle at the height y."""
    return f'<text class="{css}" x="{figure(x)}" y="{figure(y)}" dy=".35em">{escape(words)}</text>'


def width_px(words: str, letter_px: float = LETTER_PX) -> float:
    """The most room that the words take in a usual font."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in words)
    return letter_px * (wide * 1.05 + (len(words) - wide) * _LETTER_FRAC)


def shortened(words: str, room_px: float, letter_px: float = LETTER_PX) -> str:
    """The words, cut to fit the room and ending in `…` where they do not."""
    words = clean(words, 400)
    if width_px(words, letter_px) <= room_px:
        return words
    while words and width_px(words + "…", letter_px) > room_px:
        words = words[:-1]
    return words.rstrip() + "…"


def curve(points: Iterable[Point], hint: str, css: str) -> str:
    """A line through the points."""
    return tag("polyline", hint, css=css, points=_joined(points))


def area(points: Iterable[Point], css: str) -> str:
    """The polygon with these corners."""
    return tag("polygon", css=css, points=_joined(points))


def _joined(points: Iterable[Point]) -> str:
    return " ".join(f"{figure(x)},{figure(y)}" for x, y in points)


def figure(value: float) -> str:
    """Two decimals at most."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class Axes:
    """A plot's rectangle in the picture and the values at its edges; y grows upward."""

    left: float
    right: float
    top: float
    bottom: float
    low: Point
    high: Point
    logarithmic: bool = False

    def at(self, point: Point) -> Point:
        """Where a value lies in the picture."""
        return self.x(point[0]), self.y(point[1])

    def x(self, value: float) -> float:
        """Its distance from the left edge of the picture."""
        return self.left + self._share(value, self.low[0], self.high[0]) * (self.right - self.left)

    def y(self, value: float) -> float:
        """Its distance from the upper edge."""
        return self.bottom - self._share(value, self.low[1], self.high[1]) * (self.bottom - self.top)

    def _share(self, value: float, low: float, high: float) -> float:
        if self.logarithmic:
            value, low, high = (math.log10(max(part, 1e-9)) for part in (value, low, high))
        # nothing is drawn beyond the edges, and no NaN
        return min(1.0, max(0.0, (value - low) / (high - low))) if high > low else 0.5

    def grid(self, ticks: Iterable[float]) -> Iterator[str]:
        """A thin line and a figure at each value."""
        for tick in ticks:
            y = self.y(tick)
            yield tag("line", css="grid", x1=self.left, x2=self.right, y1=y, y2=y)
            yield text(self.left - 8, y, short(tick), "tick end")

    def level(self, value: float, hint: str) -> str:
        """A dashed line from edge to edge at a value."""
        y = self.y(value)
        return tag("line", hint, css="limit", x1=self.left, x2=self.right, y1=y, y2=y)


def short(count: float) -> str:
    """A count for a mark on an axis: `950`, `1.5k`, `20k`, `3M`."""
    for least, unit, suffix in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if abs(count) >= least:
            return f"{count / unit:.4g}{suffix}"
    return f"{count:,g}"


def nice_ticks(highest: float, wanted: int = 4) -> list[float]:
    """From 0 in equal steps of 1, 2 or 5 times a power of ten; the last one is at `highest` or above."""
    rough = max(highest, 1e-9) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    return [round(number * step, 9) for number in range(math.ceil(highest / step - 1e-9) + 1)]


def count_ticks(highest: int, wanted: int = 4) -> list[float]:
    """`nice_ticks` of things that have no halves."""
    return nice_ticks(max(highest, wanted), wanted)


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten within the bounds; only the powers where those are many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    fine = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    inside = [tick for tick in fine if low <= tick <= high]
    return [tick for tick in inside if math.log10(tick) % 1 == 0] if len(inside) > 9 else inside


def thinned(points: Sequence[Point], columns: int) -> list[Point]:
    """At most four points for each of the columns, x ascending: its first, lowest, highest and last.

    What is left out would be drawn on the same column of pixels, between those four.
    """
    if len(points) <= 4 * columns or columns < 1:
        return list(points)
    first, last = points[0][0], points[-1][0]
    if last <= first:
        return [points[0], points[-1]]
    slices: list[list[Point]] = [[] for _ in range(columns)]
    for point in points:
        slices[min(columns - 1, int((point[0] - first) / (last - first) * columns))].append(point)
    kept: list[Point] = []
    for part in filter(None, slices):
        extremes = {0, len(part) - 1}
        extremes.add(min(range(len(part)), key=lambda index: part[index][1]))
        extremes.add(max(range(len(part)), key=lambda index: part[index][1]))
        kept += [part[index] for index in sorted(extremes)]
    return kept
