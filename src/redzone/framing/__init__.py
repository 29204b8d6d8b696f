"""From a poster's bytes to what a model is shown."""

from redzone.framing.views import FRAMING_VERSION, FramingOptions, frame, view_size

__all__ = ["FRAMING_VERSION", "FramingOptions", "frame", "view_size"]
