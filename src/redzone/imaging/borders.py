"""Draws the zones' borders on a view: around each zone, in the zone's colour, all of them visible.

A border lies outside its zone. Where zones overlap, a border that crosses another zone is a thin dashed line,
so that it hides little of what lies there, and borders that coincide take turns along their way.
"""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageChops, ImageDraw

from redzone.imaging.geometry import BORDER_EDGE, BORDER_PX, PixelBox, border_colour

BACKGROUND = "#808080"  # around the poster, where a border needs space
THIN_PX = 2  # of a border that crosses another zone
DASH_PX = 10


def with_borders(picture: Image.Image, boxes: Sequence[PixelBox]) -> Image.Image:
    """The picture in a frame of BORDER_PX, with a border around each box in the colour of its index."""
    canvas = Image.new("RGB", (picture.width + 2 * BORDER_PX, picture.height + 2 * BORDER_PX), BACKGROUND)
    canvas.paste(picture, (BORDER_PX, BORDER_PX))
    framed = [_moved(box) for box in boxes]
    for index, box in enumerate(framed):
        _draw(canvas, box, index)
    if len(boxes) > 1:
        _take_turns(canvas, framed)
    for box, place in zip(boxes, framed, strict=True):
        canvas.paste(picture.crop(box), (place[0], place[1]))
    for index in range(len(boxes) if len(boxes) > 1 else 0):
        _draw_across(canvas, framed, index)
    return canvas


def _moved(box: PixelBox) -> PixelBox:
    left, top, right, bottom = (edge + BORDER_PX for edge in box)
    return left, top, right, bottom


def _draw(canvas: Image.Image, box: PixelBox, index: int) -> None:
    draw = ImageDraw.Draw(canvas)
    for away in range(1, BORDER_PX + 1):
        edge = away in (1, BORDER_PX)
        draw.rectangle(_around(box, away), outline=BORDER_EDGE if edge else border_colour(index).rgb)


def _around(box: PixelBox, away: int) -> tuple[int, int, int, int]:
    """A rectangle for ImageDraw, which includes right and bottom, `away` pixels outside a box."""
    left, top, right, bottom = box
    return left - away, top - away, right - 1 + away, bottom - 1 + away


def _ring(size: tuple[int, int], box: PixelBox, width: int) -> Image.Image:
    ring = Image.new("L", size)
    draw = ImageDraw.Draw(ring)
    draw.rectangle(_around(box, width), fill=255)
    draw.rectangle(_around(box, 0), fill=0)
    return ring


def _dashes(size: tuple[int, int], index: int, count: int) -> Image.Image:
    """A mask of diagonal stripes; those of all indices together cover everything."""
    period = count * DASH_PX
    row = bytes(255 * (x % period // DASH_PX == index) for x in range(size[0] + period))
    return Image.frombytes("L", size, b"".join(row[y % period :][: size[0]] for y in range(size[1])))


def _take_turns(canvas: Image.Image, boxes: Sequence[PixelBox]) -> None:
    """Along coinciding borders, each one shows in its own dashes."""
    for index, box in enumerate(boxes):
        bordered = canvas.copy()
        _draw(bordered, box, index)
        ring = _ring(canvas.size, box, BORDER_PX)
        canvas.paste(bordered, mask=ImageChops.multiply(ring, _dashes(canvas.size, index, len(boxes))))


def _draw_across(canvas: Image.Image, boxes: Sequence[PixelBox], index: int) -> None:
    """The part of a border that lies in other zones."""
    others = Image.new("L", canvas.size)
    draw = ImageDraw.Draw(others)
    for other, box in enumerate(boxes):
        if other != index:
            draw.rectangle(_around(box, 0), fill=255)
    line = ImageChops.multiply(_ring(canvas.size, boxes[index], THIN_PX), others)
    dashed = ImageChops.multiply(line, _dashes(canvas.size, index % 2, 2))
    canvas.paste(border_colour(index).rgb, mask=dashed)
