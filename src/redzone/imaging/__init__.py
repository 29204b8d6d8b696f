"""From a poster's bytes to what a model is shown.

`decoding` and `views` are imported by who makes a view: Pillow takes a twentieth of a second, and the first
poster can be asked for before.
"""

from redzone.imaging.geometry import FRAMING_VERSION, FramingOptions, view_size, zone_box

__all__ = ["FRAMING_VERSION", "FramingOptions", "view_size", "zone_box"]
