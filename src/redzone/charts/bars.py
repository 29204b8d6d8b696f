"""Horizontal bars, one for each of a few things of the same kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from redzone.charts.svg import Axes, area, curve, shortened, svg, tag, text, thinned

IN_SIGHT = 3.0  # a limit more than three times above the data would flatten them: it is left out

_LEFT, _RIGHT, _PITCH, _THICK = 100.0, 76.0, 34.0, 18.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar; `told` is its value as words, `limit` a mark on the same scale, None for none."""

    label: str
    value: float
    told: str
    limit: float | None = None


def bars(rows: Sequence[Bar], title: str, *, width: float = 680.0) -> str:
    """Bars with their labels on the left and their values on the right."""
    room = width - _LEFT - _RIGHT
    most = max([row.value for row in rows] + [1e-9])
    limits = [row.limit for row in rows if row.limit is not None and row.limit <= IN_SIGHT * most]
    scale = room / max([most, *limits])
    parts: list[str] = []
    for number, row in enumerate(rows):
        y = 6 + number * _PITCH
        length = max(1.5, row.value * scale)
        parts.append(text(_LEFT - 12, y + _THICK / 2, shortened(row.label, _LEFT - 12), "label end"))
        parts.append(_box(y, room, "track"))
        parts.append(_box(y, length, "bar", f"{row.label}: {row.told}"))
        if row.limit is not None and row.limit in limits:
            x = _LEFT + row.limit * scale
            hint = f"limit {row.limit:,g}"
            parts.append(tag("line", hint, css="limit", x1=x, x2=x, y1=y - 4, y2=y + _THICK + 4))
        parts.append(text(width - _RIGHT + 12, y + _THICK / 2, shortened(row.told, _RIGHT - 12), "value"))
    told = f"{title}: " + ", ".join(f"{row.label} {row.told}" for row in rows)
    return svg(parts, (width, 12 + len(rows) * _PITCH - (_PITCH - _THICK)), told)


def _box(y: float, width: float, css: str, hint: str = "") -> str:
    return tag("rect", hint, css=css, x=_LEFT, y=y, width=width, height=_THICK, rx=3)


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
