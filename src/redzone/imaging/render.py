"""Views for a model: pure functions from a poster's bytes and zones to a view.

`geometry` has the layout, and the version to raise with any change to the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from io import BytesIO

from PIL import Image, ImageDraw

from redzone.imaging.decode import Decoded, Plan, decode_cut, decode_start, decode_top
from redzone.imaging.geometry import (
    BORDER,
    BORDER_PX,
    Cut,
    FramingOptions,
    Layout,
    PixelBox,
    lay_out,
    zone_box,
)
from redzone.models import View, ViewKind, Zone

BACKGROUND = "#808080"  # around the poster, where a border needs space
JPEG_QUALITY = 85

DEFAULTS = FramingOptions()

# The largest crop that is made directly in the event loop: about 2 ms.
QUICK_BYTES = 1_000_000
QUICK_PIXELS = 500_000

DecodeUpper = Callable[[bytes, FramingOptions, Plan], Decoded | None]


def frame(data: bytes, zones: Sequence[Zone], kind: ViewKind, options: FramingOptions = DEFAULTS) -> View:
    """The view of a poster's bytes; for `pixels` the whole picture with nothing drawn on it.

    Raises only ImageFault (`image-unreadable`, `image-too-large`), whatever the bytes.
    """
    return frame_top(data, zones, kind, options) or frame_whole(data, zones, kind, options)


def frame_top(
    data: bytes, zones: Sequence[Zone], kind: ViewKind, options: FramingOptions = DEFAULTS
) -> View | None:
    """A crop made from the upper rows of the file only, identical to one made from the whole file.

    None for other views, and if the whole file must be decoded: see `decode_top`.
    """
    return _frame_upper(decode_top, data, zones, kind, options)


def frame_start(
    start: bytes, zones: Sequence[Zone], kind: ViewKind, options: FramingOptions = DEFAULTS
) -> View | None:
    """A crop made from the beginning of a file, identical to one made from the whole file.

    None for other views, and if the rest of the file is or may be needed: see `decode_start`.
    """
    return _frame_upper(decode_start, start, zones, kind, options)


def _frame_upper(
    decode_upper: DecodeUpper, data: bytes, zones: Sequence[Zone], kind: ViewKind, options: FramingOptions
) -> View | None:
    if kind is not ViewKind.CROP:
        return None
    top = decode_upper(data, options, lambda width, height: lay_out(width, height, zones, kind).cut)
    return None if top is None else render(top, zones, kind)


def frame_at_once(
    data: bytes, zones: Sequence[Zone], kind: ViewKind, options: FramingOptions = DEFAULTS
) -> View | None:
    """`frame_top` if it takes a few milliseconds at most; None if a thread should make the view."""
    return _frame_upper(_decode_quickly, data, zones, kind, options) if len(data) <= QUICK_BYTES else None


def _decode_quickly(data: bytes, options: FramingOptions, plan: Plan) -> Decoded | None:
    def few_rows(width: int, height: int) -> Cut:
        cut = plan(width, height)
        # `decode_top` refuses to decode every row
        return cut if width * cut.box[3] <= QUICK_PIXELS else replace(cut, box=(0, 0, width, height))

    return decode_top(data, options, few_rows, wait=False)


def frame_whole(
    data: bytes, zones: Sequence[Zone], kind: ViewKind, options: FramingOptions = DEFAULTS
) -> View:
    """The view made from the whole picture. Raises only ImageFault, as `frame` does."""
    plan = lambda width, height: lay_out(width, height, zones, kind).cut  # noqa: E731
    return render(decode_cut(data, options, plan), zones, kind)


def render(decoded: Decoded, zones: Sequence[Zone], kind: ViewKind) -> View:
    """The view of a decoded poster, whose picture is the cut of its layout."""
    layout = lay_out(*decoded.size, zones, kind)
    picture = decoded.picture
    if kind is ViewKind.PIXELS:
        return View(kind, picture.tobytes(), *picture.size)
    marked = _with_borders(picture, [_in_view(zone_box(zone, *decoded.size), layout) for zone in zones])
    return View(kind, _jpeg(marked), *marked.size)


def _in_view(box: PixelBox, layout: Layout) -> PixelBox:
    """A box of the poster in the view's pixels, rounded outwards."""
    left, top, right, bottom = layout.source
    across, down = layout.width / (right - left), layout.height / (bottom - top)
    return (
        min(math.floor((box[0] - left) * across + 1e-6), layout.width - 1),
        min(math.floor((box[1] - top) * down + 1e-6), layout.height - 1),
        min(math.ceil((box[2] - left) * across - 1e-6), layout.width),
        min(math.ceil((box[3] - top) * down - 1e-6), layout.height),
    )


def _with_borders(picture: Image.Image, boxes: Sequence[PixelBox]) -> Image.Image:
    """The picture in a frame, with a border around each box; borders cover no pixel of any box."""
    room = BORDER_PX
    canvas = Image.new("RGB", (picture.width + 2 * room, picture.height + 2 * room), BACKGROUND)
    canvas.paste(picture, (room, room))
    draw = ImageDraw.Draw(canvas)
    for left, top, right, bottom in boxes:
        for away, colour in enumerate(BORDER, start=1):
            # ImageDraw includes right and bottom
            corners = (
                left + room - away,
                top + room - away,
                right + room - 1 + away,
                bottom + room - 1 + away,
            )
            draw.rectangle(corners, outline=colour)
    for box in boxes:
        canvas.paste(picture.crop(box), (box[0] + room, box[1] + room))
    return canvas


def _jpeg(picture: Image.Image) -> bytes:
    file = BytesIO()
    # 4:4:4: subsampled colour would smear the border into the zone
    picture.save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return file.getvalue()
