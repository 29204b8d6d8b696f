"""Horizontal bars, one for each of a few things of the same kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from redzone.charts.svg import shortened, svg, tag, text

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
