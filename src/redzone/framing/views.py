"""What a model is shown of a poster: pure functions from bytes and zones to a view.

Pixel boxes are (left, top, right, bottom), origin top-left, y down, right and bottom excluded.
Everything that decides how a view looks is a constant here, so that `FRAMING_VERSION`, which is
part of the cache's key, stands for all of it: raise it with any change to what comes out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageDraw

from redzone.framing.decoding import decode, decode_start, decode_top
from redzone.models import View, ViewKind, Zone

FRAMING_VERSION = "3"

# A half of the zone's shorter side shows enough beyond the border to tell a forehead from a cloud and
# half a title from a stroke, for half as many tokens again as the zone alone.
MARGIN_FRAC = 0.5
MIN_MARGIN_PX = 16

# From the zone outwards: white, magenta, white. One of them stands out against any poster.
BORDER = ("#ffffff", "#ff00ff", "#ff00ff", "#ffffff")
BORDER_PX = len(BORDER)
BEYOND = "#808080"  # what lies around the poster where a border needs room
JPEG_QUALITY = 85

PIXELS_WIDTH = 640
PIXELS_MAX_HEIGHT = 1280

# What a crop may take to be made at once, in the event loop: about 2 ms.
QUICK_BYTES = 1_000_000
QUICK_PIXELS = 500_000

PixelBox = tuple[int, int, int, int]
Rows = Callable[[int, int], int]
DecodeUpper = Callable[[bytes, int, int, Rows], tuple[Image.Image, tuple[int, int]] | None]


@dataclass(frozen=True, slots=True)
class FramingOptions:
    """What is decoded at all: at most `max_pixels`, at least `min_side_px` each way.

    50 megapixels are a poster of 5773 x 8660, and 200 MB while they are unpacked.
    """

    max_pixels: int = 50_000_000
    min_side_px: int = 16


@dataclass(frozen=True, slots=True)
class Span:
    """Bounds for a view's longer side, borders included, and the most it is enlarged to get there."""

    least_px: int
    most_px: int
    enlarge: float


# A title in the corner of a 300x450 thumbnail is 10 px high: models read it better enlarged, though
# nothing is added by it. 1024 px make a 2:3 poster 22 x 32 patches of 32 px, 760 px make it 16 x 24.
SPANS = {
    ViewKind.CROP: Span(least_px=640, most_px=768, enlarge=3.0),
    ViewKind.POSTER: Span(least_px=760, most_px=1024, enlarge=2.0),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """Which box of the poster is shown at which size, and the width of the room around it."""

    source: PixelBox
    width: int
    height: int
    room_px: int


def frame(
    data: bytes, zones: Sequence[Zone], kind: ViewKind, options: FramingOptions = FramingOptions()
) -> View:
    """The view of a poster's bytes; for `pixels` the whole picture with nothing drawn on it.

    Raises ImageFault (`image-unreadable`, `image-too-large`) and nothing else, whatever the bytes.
    """
    return frame_top(data, zones, kind, options) or frame_whole(data, zones, kind, options)


def frame_top(
    data: bytes, zones: Sequence[Zone], kind: ViewKind, options: FramingOptions = FramingOptions()
) -> View | None:
    """A crop made from the upper rows of the file alone, the very same as from all of it.

    None for other views, and where the whole file must be decoded: see `decode_top`.
    """
    return _frame_upper(decode_top, data, zones, kind, options)


def frame_start(
    start: bytes, zones: Sequence[Zone], kind: ViewKind, options: FramingOptions = FramingOptions()
) -> View | None:
    """A crop made from the beginning of a file, the very same as from all of it.

    None for other views, and where the rest of the file is needed or there is any doubt: see `decode_start`.
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
    data: bytes, zones: Sequence[Zone], kind: ViewKind, options: FramingOptions = FramingOptions()
) -> View | None:
    """`frame_top` where it takes a few milliseconds at most; None where a thread should make the view."""
    return _frame_upper(_decode_quickly, data, zones, kind, options) if len(data) <= QUICK_BYTES else None


def _decode_quickly(
    data: bytes, max_pixels: int, min_side_px: int, rows: Rows
) -> tuple[Image.Image, tuple[int, int]] | None:
    def few_rows(width: int, height: int) -> int:
        needed = rows(width, height)
        return needed if width * needed <= QUICK_PIXELS else height  # all of it is never decoded as a top

    return decode_top(data, max_pixels, min_side_px, few_rows)


def frame_whole(
    data: bytes, zones: Sequence[Zone], kind: ViewKind, options: FramingOptions = FramingOptions()
) -> View:
    """The view made from the whole picture. Raises ImageFault and nothing else, as `frame` does."""
    poster = decode(data, options.max_pixels, options.min_side_px)
    return render(poster, poster.size, zones, kind)


def view_size(width: int, height: int, zones: Sequence[Zone], kind: ViewKind) -> tuple[int, int]:
    """Width and height of the view that an upright poster of this size gets, pixels."""
    layout = lay_out(width, height, zones, kind)
    return layout.width + 2 * layout.room_px, layout.height + 2 * layout.room_px


def zone_box(zone: Zone, width: int, height: int) -> PixelBox:
    """The pixels that a zone touches: rounded outwards, inside the picture, at least 1 px each way.

    Outwards, as a badge that covers a part of a pixel hides all of it. A millionth of a pixel is
    rounding of the fractions and counts for nothing.
    """
    left, right = _touched(zone.x, zone.w, width)
    top, bottom = _touched(zone.y, zone.h, height)
    return left, top, right, bottom


def _touched(start_frac: float, length_frac: float, size: int) -> tuple[int, int]:
    start = min(math.floor(start_frac * size + 1e-6), size - 1)
    end = min(math.ceil((start_frac + length_frac) * size - 1e-6), size)
    return start, max(end, start + 1)


def lay_out(width: int, height: int, zones: Sequence[Zone], kind: ViewKind) -> Layout:
    """Where everything goes, from sizes alone. Without zones a crop is the whole poster."""
    whole = (0, 0, width, height)
    if kind is ViewKind.PIXELS:
        # never enlarged: the local model is 1 % better and quicker on small posters as they are
        scale = min(1.0, PIXELS_WIDTH / width, PIXELS_MAX_HEIGHT / height)
        return Layout(whole, *_scaled(width, height, scale), room_px=0)
    source = _surroundings(zones, width, height) if zones and kind is ViewKind.CROP else whole
    shown = (source[2] - source[0], source[3] - source[1])
    return Layout(source, *_scaled(*shown, _scale(max(shown), SPANS[kind])), room_px=BORDER_PX)


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


def render(poster: Image.Image, size: tuple[int, int], zones: Sequence[Zone], kind: ViewKind) -> View:
    """The view of an upright RGB poster of this size; what lies below the view's source may be missing."""
    layout = lay_out(*size, zones, kind)
    shown = (layout.width, layout.height)
    # Cut out before it is scaled: Pillow's `resize(box=...)` reads beyond the box, and the size of what
    # lies around it decides in which order it rounds.
    source = poster if layout.source == (0, 0, *poster.size) else poster.crop(layout.source)
    # Lanczos keeps small letters in a smaller picture; enlarged, the cheaper way looks the same
    smaller = layout.width < source.width
    method = Image.Resampling.LANCZOS if smaller else Image.Resampling.BICUBIC
    picture = source.resize(shown, method, reducing_gap=3.0)
    if kind is ViewKind.PIXELS:
        return View(kind, picture.tobytes(), *shown)
    marked = _with_borders(picture, [_in_view(zone_box(zone, *size), layout) for zone in zones])
    return View(kind, _jpeg(marked), *marked.size)


def _in_view(box: PixelBox, layout: Layout) -> PixelBox:
    """A box of the poster on the picture shown, rounded outwards."""
    left, top, right, bottom = layout.source
    across, down = layout.width / (right - left), layout.height / (bottom - top)
    return (
        min(math.floor((box[0] - left) * across + 1e-6), layout.width - 1),
        min(math.floor((box[1] - top) * down + 1e-6), layout.height - 1),
        min(math.ceil((box[2] - left) * across - 1e-6), layout.width),
        min(math.ceil((box[3] - top) * down - 1e-6), layout.height),
    )


def _with_borders(picture: Image.Image, boxes: Sequence[PixelBox]) -> Image.Image:
    """The picture with room around it and a border around each box, which covers no pixel of any box."""
    room = BORDER_PX
    canvas = Image.new("RGB", (picture.width + 2 * room, picture.height + 2 * room), BEYOND)
    canvas.paste(picture, (room, room))
    draw = ImageDraw.Draw(canvas)
    for left, top, right, bottom in boxes:
        for away, colour in enumerate(BORDER, start=1):
            # ImageDraw's right and bottom are included
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
    # 4:4:4: halved colour would smear the border into the zone
    picture.save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return file.getvalue()
