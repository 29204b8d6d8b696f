"""A poster's picture and the rectangles that are drawn over it, in the picture's pixels."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

from redzone.models import Box, Zone
from redzone.reports.cards import ReportCard, without_folders
from redzone.reports.metadata import Shot

# the usual shape of a poster, for the placeholder
_WIDTH, _HEIGHT = 240, 360


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Left, top, width and height in px of the picture."""

    x: float
    y: float
    w: float
    h: float


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture, or a placeholder and its reason, with the zones and the elements found."""

    width: int
    height: int
    data: bytes | None
    reason: str
    changed: bool
    zones: tuple[Rectangle, ...]
    boxes: tuple[Rectangle, ...]

    @property
    def address(self) -> str:
        """The picture as a data URL."""
        return f"data:image/jpeg;base64,{base64.b64encode(self.data or b'').decode()}"


def zone_overlay(shot: Shot, zones: Sequence[Zone], card: ReportCard) -> Frame:
    """The picture with its zones and the elements' boxes, in fractional pixels."""
    width, height = _size(shot.data) if shot.data is not None else (_WIDTH, _HEIGHT)
    return Frame(
        width=width,
        height=height,
        data=shot.data,
        reason=without_folders(shot.reason, 200),
        changed=shot.changed,
        zones=tuple(_scaled(zone, width, height) for zone in zones),
        boxes=tuple(_scaled(box, width, height) for box in card.boxes),
    )


def _size(data: bytes) -> tuple[int, int]:
    from PIL import Image

    with Image.open(BytesIO(data), formats=("JPEG",)) as picture:
        return picture.size


def _scaled(box: Zone | Box, width: int, height: int) -> Rectangle:
    return Rectangle(box.x * width, box.y * height, box.w * width, box.h * height)
