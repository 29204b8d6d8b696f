"""SVG text: elements, axes, ticks. Pure, and without a script.

Colours, strokes and fonts are the page's: the elements only have classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape

Point = tuple[float, float]


def svg(parts: Iterable[str], size: Point, title: str) -> str:
    """The whole picture, (width, height) of its own units; its title is what a screen reader says."""
    name = escape(title)
    head = f'<svg viewBox="0 0 {figure(size[0])} {figure(size[1])}" role="img" aria-label="{name}">'
    return head + "".join(parts) + "</svg>"


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
        return (value - low) / (high - low) if high > low else 0.5

    def grid(self, ticks: Iterable[float]) -> Iterator[str]:
        """A thin line and a figure at each value."""
        for tick in ticks:
            y = self.y(tick)
            yield tag("line", css="grid", x1=self.left, x2=self.right, y1=y, y2=y)
            yield text(self.left - 8, y, f"{tick:,g}", "tick end")

    def level(self, value: float, hint: str) -> str:
        """A dashed line from edge to edge at a value."""
        y = self.y(value)
        return tag("line", hint, css="limit", x1=self.left, x2=self.right, y1=y, y2=y)


def nice_ticks(highest: float, wanted: int = 4) -> list[float]:
    """From 0 in equal steps of 1, 2 or 5 times a power of ten; the last one is at `highest` or above."""
    rough = max(highest, 1e-9) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    return [round(number * step, 9) for number in range(math.ceil(highest / step - 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten within the bounds; only the powers where those are many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    fine = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    inside = [tick for tick in fine if low <= tick <= high]
    return [tick for tick in inside if math.log10(tick) % 1 == 0] if len(inside) > 9 else inside
