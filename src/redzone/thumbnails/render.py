"""Render specs: pure functions from a poster's bytes to a JPEG for people.

A spec's `key` covers everything but the bytes that its result depends on, and is safe in a file name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from redzone.imaging import FRAMING_VERSION, Cut, FramingOptions, zone_box
from redzone.imaging.decode import decode_cut
from redzone.imaging.render import frame
from redzone.models import Outcome, ViewKind, Zone
from redzone.runs import RunRecord

SIZES = (160, 240, 400, 1000)  # px wide: list, HTML report, grid or PDF, poster page
MAX_HEIGHT_FACTOR = 3  # tall images are limited by height
QUALITY = 82
FINE_QUALITY = 92  # for enlarged pictures, and for views that are not JPEG-compressed
ZONE_WIDTH = 800
ZONE_ENLARGE = 4.0


@dataclass(frozen=True, slots=True)
class Scaled:
    """The whole poster, `width_px` wide (one of SIZES) and at most three times as high; never enlarged."""

    width_px: int

    def __post_init__(self) -> None:
        if self.width_px not in SIZES:
            raise ValueError(f"{self.width_px} px is not one of the sizes {SIZES}")

    @property
    def key(self) -> str:
        """Part of a file name."""
        return f"w{self.width_px}"

    def make(self, data: bytes, max_pixels: int) -> bytes:
        """The JPEG. Raises only ImageFault, whatever the bytes."""

        def plan(width: int, height: int) -> Cut:
            scale = min(1.0, self.width_px / width, MAX_HEIGHT_FACTOR * self.width_px / height)
            return Cut((0, 0, width, height), _scaled(width, height, scale))

        return _jpeg(decode_cut(data, FramingOptions(max_pixels), plan).picture, QUALITY)


@dataclass(frozen=True, slots=True)
class Seen:
    """The exact view that the model was shown; for `pixels`, a JPEG of its input array."""

    zones: tuple[Zone, ...]
    view: ViewKind

    @property
    def key(self) -> str:
        """Part of a file name."""
        return f"seen-{self.view}-{_digest(self.zones)}"

    def make(self, data: bytes, max_pixels: int) -> bytes:
        """The JPEG. Raises only ImageFault, whatever the bytes."""
        view = frame(data, self.zones, self.view, FramingOptions(max_pixels=max_pixels))
        if view.kind is not ViewKind.PIXELS:
            return view.data
        return _jpeg(Image.frombytes("RGB", (view.width, view.height), view.data), FINE_QUALITY)


@dataclass(frozen=True, slots=True)
class ZoneOnly:
    """Only the pixels of a zone, enlarged to 800 px wide, but at most four times."""

    zone: Zone

    @property
    def key(self) -> str:
        """Part of a file name."""
        return f"zone-{_digest((self.zone,))}"

    def make(self, data: bytes, max_pixels: int) -> bytes:
        """The JPEG. Raises only ImageFault, whatever the bytes."""

        def plan(width: int, height: int) -> Cut:
            box = zone_box(self.zone, width, height)
            across, down = box[2] - box[0], box[3] - box[1]
            scale = min(ZONE_ENLARGE, ZONE_WIDTH / across, MAX_HEIGHT_FACTOR * ZONE_WIDTH / down)
            return Cut(box, _scaled(across, down, scale))

        return _jpeg(decode_cut(data, FramingOptions(max_pixels), plan).picture, FINE_QUALITY)


RenderSpec = Scaled | Seen | ZoneOnly


def first_view(record: RunRecord) -> Seen:
    """The view that the run shows its model first."""
    return Seen(record.zones, record.view)


def shown_view(outcome: Outcome | None, otherwise: ViewKind) -> ViewKind:
    """The view behind an outcome, from its strategy (`crop/full`), else `otherwise`."""
    name = (outcome.strategy or "").partition("/")[0] if outcome is not None else ""
    return next((view for view in ViewKind if view == name), otherwise)


def _scaled(width: int, height: int, scale: float) -> tuple[int, int]:
    return max(1, round(width * scale)), max(1, round(height * scale))


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    file = BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return file.getvalue()


def _digest(zones: Sequence[Zone]) -> str:
    text = json.dumps([FRAMING_VERSION, *(zone.model_dump() for zone in zones)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
