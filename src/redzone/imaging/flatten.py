"""Cuts an upright RGB picture out of a decoded image, with as few copies of its pixels as possible."""

from __future__ import annotations

import math
from collections.abc import Iterator

from PIL import Image, ImageChops, ImageFilter

from redzone.imaging.geometry import Cut, PixelBox

STRIP_PIXELS = 250_000

# What transparency is composited on: the first of these that shows clearly what is visible, else the best.
BACKGROUNDS = ((0, 0, 0), (255, 255, 255), (128, 128, 128), (0, 128, 128))
_ENOUGH = 64  # a difference in brightness (0-255) that anybody can see
_VISIBLE_ALPHA = 16
_SAMPLE_PX = 1024
_FAINTEST_SHARE = 0.02  # of the contour; below it are single pixels of a soft edge

# From an image as it is stored to upright, by its EXIF orientation.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SWAPS_SIDES = frozenset(UPRIGHT[orientation] for orientation in (5, 6, 7, 8))


def upright_size(size: tuple[int, int], turn: Image.Transpose | None) -> tuple[int, int]:
    """The size after the turn."""
    return (size[1], size[0]) if turn in _SWAPS_SIDES else size


def stored_box(box: PixelBox, size: tuple[int, int], turn: Image.Transpose | None) -> PixelBox:
    """A box of the upright picture in the image as it is stored; `size` is the stored one."""
    left, top, right, bottom = box
    width, height = size
    if turn in _SWAPS_SIDES:
        left, top, right, bottom = top, left, bottom, right
    if turn in (UPRIGHT[2], UPRIGHT[3], UPRIGHT[7], UPRIGHT[8]):
        left, right = width - right, width - left
    if turn in (UPRIGHT[3], UPRIGHT[4], UPRIGHT[6], UPRIGHT[7]):
        top, bottom = height - bottom, height - top
    return left, top, right, bottom


def cut_out(
    image: Image.Image, full: tuple[int, int], cut: Cut, turn: Image.Transpose | None, shrink: int
) -> Image.Image:
    """The cut as an upright RGB picture.

    `image` is stored as `turn` says, was scaled down by `shrink` while it was decoded, and may lack rows
    below the cut; `full` is its stored size before that. It is scaled before it is turned, to turn less.
    """
    exact = [edge / shrink for edge in stored_box(cut.box, full, turn)]
    box = (
        math.floor(exact[0]),
        math.floor(exact[1]),
        min(math.ceil(exact[2]), image.width),
        min(math.ceil(exact[3]), image.height),
    )
    factor = max(1, cut.factor // shrink)
    focus = stored_box(cut.focus or cut.box, full, turn)
    background = _background(image, tuple(edge // shrink for edge in focus))  # type: ignore[arg-type]
    picture = _as_rgb(image, box, factor, background)
    within = tuple(
        min(max(0.0, (edge - box[side % 2]) / factor), picture.size[side % 2])
        for side, edge in enumerate(exact)
    )
    size = upright_size(cut.size, turn)
    if picture.size != size or within != (0, 0, *picture.size):
        # Lanczos keeps small letters readable when shrinking; for enlarging, bicubic looks the same, faster
        smaller = size[0] < within[2] - within[0]
        method = Image.Resampling.LANCZOS if smaller else Image.Resampling.BICUBIC
        picture = picture.resize(size, method, within)  # type: ignore[arg-type]
    picture = picture if turn is None else picture.transpose(turn)
    picture.info = {}  # otherwise a comment of the poster would be written into the view
    return picture


def _as_rgb(image: Image.Image, box: PixelBox, factor: int, background: tuple[int, int, int]) -> Image.Image:
    width, height = box[2] - box[0], box[3] - box[1]
    if image.mode == "RGB" and not image.has_transparency_data:
        if factor > 1:
            return image.reduce(factor, box)
        return image if box == (0, 0, *image.size) else image.crop(box)
    picture = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    for top, bottom in _strips(width, height, factor):
        strip = _flat(image.crop((box[0], box[1] + top, box[2], box[1] + bottom)), background)
        picture.paste(strip.reduce(factor) if factor > 1 else strip, (0, top // factor))
    return picture


def _strips(width: int, height: int, factor: int) -> Iterator[tuple[int, int]]:
    rows = max(1, STRIP_PIXELS // (width * factor)) * factor
    for top in range(0, height, rows):
        yield top, min(height, top + rows)


def _flat(strip: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    if strip.mode.startswith("I;16"):
        strip = _eight_bits(strip)
    if strip.has_transparency_data:
        layer = strip.convert("RGBA")
        flat = Image.new("RGB", strip.size, background)
        flat.paste(layer, mask=layer)
        return flat
    return strip if strip.mode == "RGB" else strip.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale a PNG's 16 bits; without this, every grey but the darkest 255 would be white."""
    grey = image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    hole = image.info.get("transparency")
    if isinstance(hole, int):
        grey.info["transparency"] = hole // 257
    return grey


def _background(image: Image.Image, focus: PixelBox) -> tuple[int, int, int]:
    """The colour on which what is visible next to transparency shows best; black if that is good enough.

    Only the contour counts, the visible pixels that touch transparent ones: black lettering disappears on
    black, whatever else is in the picture.
    """
    if not image.has_transparency_data:
        return BACKGROUNDS[0]
    width, height = focus[2] - focus[0], focus[3] - focus[1]
    shrink = max(1, -(-width // _SAMPLE_PX), -(-height // _SAMPLE_PX))
    size = max(1, width // shrink), max(1, height // shrink)
    sample = image.resize(size, Image.Resampling.NEAREST, focus)
    if sample.mode.startswith("I;16"):
        sample = _eight_bits(sample)
    sample = sample.convert("RGBA")
    visible = sample.getchannel("A").point(lambda alpha: 255 * (alpha >= _VISIBLE_ALPHA))
    contour = ImageChops.subtract(visible, visible.filter(ImageFilter.MinFilter(3)))
    colours = sample.convert("RGB")
    shown = {colour: _faintest(colours, contour, colour) for colour in BACKGROUNDS}
    return max(BACKGROUNDS, key=lambda colour: min(shown[colour], _ENOUGH))


def _faintest(colours: Image.Image, mask: Image.Image, background: tuple[int, int, int]) -> int:
    """The difference (0-255) from the background that nearly all masked pixels reach."""
    solid = Image.new("RGB", colours.size, background)
    counts = ImageChops.difference(colours, solid).convert("L").histogram(mask)
    allowed, below = sum(counts) * _FAINTEST_SHARE, 0
    for difference, count in enumerate(counts):
        below += count
        if below > allowed:
            return difference
    return 255
