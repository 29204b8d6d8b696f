"""Small pictures beside a figure: how much of a limit is used, and how a figure moved."""

from __future__ import annotations

from collections.abc import Sequence

from redzone.charts.svg import Axes, area, curve, svg, tag
from redzone.charts.thinning import thinned


def gauge(value: float, limit: float, told: str, *, width: float = 240.0) -> str:
    """A bar filled as far as `value` is of `limit`; beyond the limit it is full and looks otherwise."""
    used = max(0.0, value) / limit if limit > 0 else 0.0
    css = "over" if used > 1 else "meter"
    parts = [
        tag("rect", css="track", x=0, y=0, width=width, height=10, rx=5),
        tag("rect", css=css, x=0, y=0, width=min(1.0, used) * width, height=10, rx=5),
    ]
    return svg(parts, (width, 10), told)


def sparkline(values: Sequence[float], told: str, *, width: float = 120.0, height: float = 28.0) -> str:
    """The values from left to right on a scale from 0 to the highest, without axes."""
    points = [(float(index), value) for index, value in enumerate(values)]
    last = float(max(1, len(points) - 1))
    axes = Axes(2, width - 2, 3, height - 2, (0.0, 0.0), (last, max([1e-9, *values])))
    drawn = [axes.at(point) for point in thinned(points, int(width))]
    parts: list[str] = []
    if drawn:
        floor = [(drawn[-1][0], axes.bottom), (drawn[0][0], axes.bottom)]
        parts = [area([*drawn, *floor], "area second"), curve(drawn, "", "line second")]
    return svg(parts, (width, height), told)
