"""From a poster's bytes to what a model is shown."""

from redzone.framing.decoding import decode
from redzone.framing.views import (
    FRAMING_VERSION,
    FramingOptions,
    frame,
    frame_at_once,
    frame_start,
    frame_top,
    frame_whole,
    view_size,
    zone_box,
)

__all__ = [
    "FRAMING_VERSION",
    "FramingOptions",
    "decode",
    "frame",
    "frame_at_once",
    "frame_start",
    "frame_top",
    "frame_whole",
    "view_size",
    "zone_box",
]
