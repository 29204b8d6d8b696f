"""Views for a model: pure functions from a poster's bytes and zones to a view.

`geometry` has the layout, and the version to raise with any change to the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from io import BytesIO

from PIL import Image, ImageDraw

from redzone.imaging.decode import decode, decode_start, decode_top
from redzone.imaging.geometry import BORDER, BORDER_PX, FramingOptions, Layout, PixelBox, lay_out, zone_box
from redzone.models import View, ViewKind, Zone

BACKGROUND = "#808080"  # around the poster, where a border needs space
JPEG_QUALITY = 85

DEFAULTS = FramingOptions()

# The largest crop that is made directly in the event loop: about 2 ms.
QUICK_BYTES = 1_000_000
QUICK_PIXELS = 500_000

Rows = Callable[[int, int], int]
DecodeUpper = Callable[[bytes, int, int, Rows], tuple[Image.Image, tuple[int, int]] | None]


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
    top = decode_upper(
        data,
        options.max_pixels,
        options.min_side_px,
        lambda width, height: lay_out(width, height, zones, kind).source[3],
    )
    return None if top is None else render(*top, zones, kind)


def frame_at_once(
    data: bytes, zones: Sequence[Zone], kind: ViewKind, options: FramingOptions = DEFAULTS
) -> View | None:
    """`frame_top` if it takes a few milliseconds at most; None if a thread should make the view."""
    return _frame_upper(_decode_quickly, data, zones, kind, options) if len(data) <= QUICK_BYTES else None


def _decode_quickly(
    data: bytes, max_pixels: int, min_side_px: int, rows: Rows
) -> tuple[Image.Image, tuple[int, int]] | None:
    def few_rows(width: int, height: int) -> int:
        needed = rows(width, height)
        return (
            needed if width * needed <= QUICK_PIXELS else height
        )  # `decode_top` refuses to decode every row

    return decode_top(data, max_pixels, min_side_px, few_rows)


def frame_whole(
    data: bytes, zones: Sequence[Zone], kind: ViewKind, options: FramingOptions = DEFAULTS
) -> View:
    """The view made from the whole picture. Raises only ImageFault, as `frame` does."""
    poster = decode(data, options.max_pixels, options.min_side_px)
    return render(poster, poster.size, zones, kind)


def render(poster: Image.Image, size: tuple[int, int], zones: Sequence[Zone], kind: ViewKind) -> View:
    """The view of an upright RGB poster of this size; rows below the view's source may be missing."""
    layout = lay_out(*size, zones, kind)
    shown = (layout.width, layout.height)
    # Cropped before it is scaled: Pillow's `resize(box=...)` reads beyond the box, and its rounding depends
    # on the size of the whole picture.
    source = poster if layout.source == (0, 0, *poster.size) else poster.crop(layout.source)
    # Lanczos keeps small letters readable when shrinking; for enlarging, bicubic looks the same and is faster
    smaller = layout.width < source.width
    method = Image.Resampling.LANCZOS if smaller else Image.Resampling.BICUBIC
    picture = source.resize(shown, method, reducing_gap=3.0)
    if kind is ViewKind.PIXELS:
        return View(kind, picture.tobytes(), *shown)
    marked = _with_borders(picture, [_in_view(zone_box(zone, *size), layout) for zone in zones])
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
