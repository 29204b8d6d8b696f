"""The layout of a view, computed from sizes alone: pure geometry, without Pillow.

Pixel boxes are (left, top, right, bottom), origin top-left, y down, right and bottom excluded.
`FRAMING_VERSION` is part of the cache key: raise it with any change to the views that `render` makes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from redzone.models import ViewKind, Zone

FRAMING_VERSION = "4"

# Half of the zone's shorter side is enough context to tell a forehead from a cloud and half a title from a
# stroke, for 50 % more tokens than the zone alone.
MARGIN_FRAC = 0.5
MIN_MARGIN_PX = 16

# From the zone outwards: white, magenta, white. One of them stands out against any poster.
BORDER = ("#ffffff", "#ff00ff", "#ff00ff", "#ffffff")
BORDER_PX = len(BORDER)

PIXELS_WIDTH = 640
PIXELS_MAX_HEIGHT = 1280

PixelBox = tuple[int, int, int, int]

# Enough for 50 megapixels of 4 bytes each, and what scaling them down takes.
DECODE_BYTES = 236_000_000


@dataclass(frozen=True, slots=True)
class FramingOptions:
    """Limits for decoding: at most `max_pixels`, at least `min_side_px` per side.

    50 megapixels are a poster of 5773 x 8660. `decode_bytes` is the memory that all decodes of the process
    may take at the same time.
    """

    max_pixels: int = 50_000_000
    min_side_px: int = 16
    decode_bytes: int = DECODE_BYTES


@dataclass(frozen=True, slots=True)
class Cut:
    """A box of an upright poster, the size to scale it to, and the box where transparency must show well.

    Without a `focus` that is the whole box.
    """

    box: PixelBox
    size: tuple[int, int]
    focus: PixelBox | None = None

    @property
    def factor(self) -> int:
        """How many pixels to average into one before the exact resize, which then halves the size or more."""
        left, top, right, bottom = self.box
        return max(1, min((right - left) // (2 * self.size[0]), (bottom - top) // (2 * self.size[1])))


@dataclass(frozen=True, slots=True)
class Span:
    """Limits for a view's longer side, borders included, and the largest enlargement factor."""

    least_px: int
    most_px: int
    enlarge: float


# A title in the corner of a 300x450 thumbnail is 10 px high: models read it better enlarged. At 1024 px a
# 2:3 poster is 22 x 32 patches of 32 px, at 760 px it is 16 x 24.
SPANS = {
    ViewKind.CROP: Span(least_px=640, most_px=768, enlarge=3.0),
    ViewKind.POSTER: Span(least_px=760, most_px=1024, enlarge=2.0),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """Which box of the poster is shown, its size in the view, and the width of the frame around it.

    `focus` is the box around the zones, which the background of transparent posters is chosen for.
    """

    source: PixelBox
    width: int
    height: int
    frame_px: int
    focus: PixelBox

    @property
    def cut(self) -> Cut:
        """What must be decoded."""
        return Cut(self.source, (self.width, self.height), self.focus)


def view_size(width: int, height: int, zones: Sequence[Zone], kind: ViewKind) -> tuple[int, int]:
    """Width and height in pixels of the view of an upright poster of this size."""
    layout = lay_out(width, height, zones, kind)
    return layout.width + 2 * layout.frame_px, layout.height + 2 * layout.frame_px


def zone_box(zone: Zone, width: int, height: int) -> PixelBox:
    """The pixels that a zone touches: rounded outwards, inside the picture, at least 1 px each way.

    Outwards, because a badge that covers part of a pixel hides it. Overlaps below a millionth of a pixel are
    rounding errors and are ignored.
    """
    left, right = _touched(zone.x, zone.w, width)
    top, bottom = _touched(zone.y, zone.h, height)
    return left, top, right, bottom


def _touched(start_frac: float, length_frac: float, size: int) -> tuple[int, int]:
    start = min(math.floor(start_frac * size + 1e-6), size - 1)
    end = min(math.ceil((start_frac + length_frac) * size - 1e-6), size)
    return start, max(end, start + 1)


def lay_out(width: int, height: int, zones: Sequence[Zone], kind: ViewKind) -> Layout:
    """The layout of a view. Without zones a crop is the whole poster."""
    whole = (0, 0, width, height)
    focus = _surroundings(zones, width, height) if zones else whole
    if kind is ViewKind.PIXELS:
        # never enlarged: the local model is 1 % more accurate, and faster, on small posters at their own size
        scale = min(1.0, PIXELS_WIDTH / width, PIXELS_MAX_HEIGHT / height)
        return Layout(whole, *_scaled(width, height, scale), frame_px=0, focus=focus)
    source = focus if kind is ViewKind.CROP else whole
    shown = (source[2] - source[0], source[3] - source[1])
    return Layout(source, *_scaled(*shown, _scale(max(shown), SPANS[kind])), frame_px=BORDER_PX, focus=focus)


def _surroundings(zones: Sequence[Zone], width: int, height: int) -> PixelBox:
    boxes = [zone_box(zone, width, height) for zone in zones]
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[2] for box in boxes), max(box[3] for box in boxes)
    margin = max(MIN_MARGIN_PX, math.ceil(MARGIN_FRAC * min(right - left, bottom - top)))
    return (
        max(0, left - margin),
        max(0, top - margin),
        min(width, right + margin),
        min(height, bottom + margin),
    )


def _scale(longer: int, span: Span) -> float:
    least, most = span.least_px - 2 * BORDER_PX, span.most_px - 2 * BORDER_PX
    if longer > most:
        return most / longer
    return min(span.enlarge, max(1.0, least / longer))


def _scaled(width: int, height: int, scale: float) -> tuple[int, int]:
    return max(1, round(width * scale)), max(1, round(height * scale))
