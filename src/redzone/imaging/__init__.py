"""From a poster's bytes to the view that a model is shown.

Import `decode` and `render` only where a view is made: they load Pillow, which takes 50 ms, and the first
download can start before that.
"""

from redzone.imaging.geometry import FRAMING_VERSION, Cut, FramingOptions, view_size, zone_box

__all__ = ["FRAMING_VERSION", "Cut", "FramingOptions", "view_size", "zone_box"]
