"""Patterns that tell what a colour does not."""

from __future__ import annotations

from collections.abc import Iterator

from redzone.charts.svg import tag

_PITCH_PX = 7.0
_LEAN = {"fail": 1, "unsure": -1, "error": 0}


def hatch(css: str, x: float, y: float, width: float, height: float) -> Iterator[str]:
    """The lines over a rectangle of a status: fail leans right, unsure left, error stands; pass has none.

    Drawn one by one: a pattern would need an id, and a page has many charts.
    """
    lean = _LEAN.get(css)
    if lean is None or width <= 2 or height <= 2:
        return
    drawn, at = [], _PITCH_PX / 2
    while at < width + height * abs(lean):
        # from the upper edge down and to the left, or straight down, within the rectangle
        begin, end = (max(0.0, at - width), min(height, at)) if lean else (0.0, height)
        x1, x2 = at - begin * abs(lean), at - end * abs(lean)
        if lean < 0:
            x1, x2 = width - x1, width - x2
        drawn.append(f"M{x + x1:.1f} {y + begin:.1f}L{x + x2:.1f} {y + end:.1f}")
        at += _PITCH_PX
    if drawn:
        yield tag("path", css="hatch", d="".join(drawn))
