"""The key of a chart: what its colours, patterns and lines stand for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from redzone.charts.svg import shortened, tag, text, width_px

# A sign is a text of its own: where the font of the letters lacks it, another font takes all of a text.
SIGN_PX = 15.0
_ROW, _SWATCH, _SPACE, _GAP = 22.0, 12.0, 8.0, 18.0


@dataclass(frozen=True, slots=True)
class Entry:
    """Sign and words beside a sample of what they mean: a line, a dot for a 429 response, or a square."""

    css: str
    words: str
    sign: str = ""


def key(entries: Sequence[Entry], y: float, width: float) -> tuple[list[str], float]:
    """The entries on as few lines as hold them, and the height of these; `y` is their upper edge."""
    parts: list[str] = []
    x, top = 0.0, y
    for entry in entries:
        before = _SWATCH + _SPACE + (SIGN_PX if entry.sign else 0)
        words = shortened(entry.words, width - before)
        length = before + width_px(words)
        if x > 0 and x + length > width:
            x, y = 0.0, y + _ROW
        parts += _sample(entry.css, x, y + (_ROW - _SWATCH) / 2)
        if entry.sign:
            parts.append(text(x + _SWATCH + _SPACE, y + _ROW / 2, entry.sign, "sign"))
        parts.append(text(x + before, y + _ROW / 2, words, "key"))
        x += length + _GAP
    return parts, y + _ROW - top if entries else 0.0


def _sample(css: str, x: float, y: float) -> list[str]:
    middle = y + _SWATCH / 2
    if "line" in css.split():
        return [tag("line", css=css, x1=x, x2=x + _SWATCH, y1=middle, y2=middle)]
    if css == "rejected":
        return [tag("circle", css=css, cx=x + _SWATCH / 2, cy=middle, r=4)]
    square = tag("rect", css=f"swatch {css}", x=x, y=y, width=_SWATCH, height=_SWATCH)
    return [square, *hatch(css, x, y, _SWATCH, _SWATCH)]


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
