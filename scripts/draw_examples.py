"""Draw the example posters, and examples/posters.csv beside them. No photographs are used.

python scripts/draw_examples.py [FOLDER]        # FOLDER defaults to examples/
"""

from __future__ import annotations

import csv
import math
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from poster_canvas import Canvas, Look, Point, portrait, ridge, shade


def the_long_orbit() -> Canvas:
    """A ringed planet."""
    canvas = Canvas((8, 10, 30), (16, 20, 58), (64, 34, 92), (150, 62, 98))
    chance = random.Random(12)  # noqa: S311  # scenery, no secret
    for _ in range(90):
        x, y, size = chance.uniform(0, 360), chance.uniform(4, 400), chance.uniform(0.4, 1.1)
        canvas.ellipse((x, y), (size, size), (214, 214, 240))
    canvas.glow((190, 240), 210, (255, 190, 140), 0.5)
    for size in (1.0, 0.95, 0.87):
        canvas.line(half_ring((190, 240), 158 * size, math.pi), (190, 140, 130), 3)
    for y in range(-96, 97):
        across = (96 * 96 - y * y) ** 0.5
        tint = (232, 150, 96) if (y // 13) % 2 else (214, 122, 84)
        canvas.polygon(
            [
                (190 - across, 240 + y),
                (190 + across, 240 + y),
                (190 + across, 241 + y),
                (190 - across, 241 + y),
            ],
            shade(tint, 1.12 - (y + 96) / 330),
        )
    for size in (1.0, 0.95, 0.87):
        canvas.line(half_ring((190, 240), 158 * size, 0), (255, 222, 178), 3)
    canvas.title("THE LONG ORBIT", (180, 452), 30, (255, 240, 220))
    canvas.credit("SOME JOURNEYS HAVE NO LANDING", 488, (236, 190, 190))
    return canvas


def half_ring(centre: Point, radius: float, start: float) -> list[Point]:
    """Half of a tilted ring, from the angle `start` on."""
    turns = [start + math.pi * index / 60 for index in range(61)]
    ring = [(radius * math.cos(turn), 0.22 * radius * math.sin(turn)) for turn in turns]
    cos, sin = math.cos(-0.3), math.sin(-0.3)
    return [(centre[0] + x * cos - y * sin, centre[1] + x * sin + y * cos) for x, y in ring]


def night_harbour() -> Canvas:
    """A title across the top; boats and lights below."""
    canvas = Canvas((10, 20, 44), (18, 48, 82), (30, 92, 120), (12, 30, 52))
    canvas.glow((262, 210), 150, (255, 236, 190), 0.8)
    canvas.ellipse((262, 210), (38, 38), (255, 244, 214))
    chance = random.Random(13)  # noqa: S311  # scenery, no secret
    for y in range(340, 484, 7):
        across = 16 + (y - 330) * 0.28
        middle = 262 + chance.uniform(-8, 8)
        canvas.line([(middle - across, y), (middle + across, y)], (240, 214, 150), 1.4)
    canvas.polygon([(40, 360), (214, 360), (190, 398), (66, 398)], (8, 14, 30))
    canvas.polygon([(118, 350), (118, 196), (52, 346)], (206, 72, 62))
    canvas.polygon([(126, 350), (126, 214), (196, 346)], (232, 226, 210))
    canvas.line([(122, 360), (122, 186)], (8, 14, 30), 4)
    canvas.title("NIGHT", (112, 32), 36, (250, 236, 205), 0.16)
    canvas.title("HARBOUR", (142, 76), 36, (250, 236, 205), 0.16)
    canvas.credit("EVERY LIGHT HIDES A SHIP", 512, (240, 220, 180))
    return canvas


def marguerite() -> Canvas:
    """A portrait whose face is under the badge."""
    canvas = Canvas((226, 120, 84), (236, 162, 104), (246, 206, 150))
    canvas.ellipse((250, 190), (150, 150), (250, 224, 172))
    portrait(canvas, (132, 72), 66, Look((240, 192, 160), (92, 38, 30), (58, 110, 96), (34, 66, 92)))
    canvas.polygon([(0, 412), (360, 412), (360, 540), (0, 540)], (22, 44, 64))
    canvas.title("MARGUERITE", (180, 462), 36, (250, 224, 172))
    canvas.credit("SHE PAINTED THE TOWN AND LEFT", 500, (236, 180, 140))
    return canvas


def salt_road() -> Canvas:
    """A sun over dunes, and a road."""
    canvas = Canvas((252, 214, 150), (248, 170, 110), (226, 104, 86))
    canvas.ellipse((196, 196), (74, 74), (255, 240, 204))
    ridge(canvas, 270, 46, (196, 92, 92), 3)
    ridge(canvas, 318, 34, (148, 62, 84), 9)
    ridge(canvas, 372, 22, (92, 38, 66), 5)
    canvas.polygon([(196, 372), (204, 372), (330, 540), (110, 540)], (240, 214, 190))
    canvas.polygon([(0, 424), (360, 424), (360, 540), (0, 540)], (52, 22, 46))
    canvas.title("SALT ROAD", (180, 464), 40, (255, 226, 180))
    canvas.credit("A WALK OF NINE HUNDRED MILES", 502, (230, 150, 130))
    return canvas


def cafe_minuit() -> Canvas:
    """A neon sign in the corner."""
    canvas = Canvas((24, 12, 40), (44, 18, 66), (20, 14, 40))
    canvas.polygon([(28, 150), (332, 150), (332, 430), (28, 430)], (52, 26, 62))
    for x in (52, 190):
        canvas.polygon([(x, 190), (x + 118, 190), (x + 118, 330), (x, 330)], (250, 190, 104))
        canvas.glow((x + 59, 262), 110, (255, 214, 130), 0.55)
    canvas.ellipse((112, 300), (16, 18), (40, 18, 44))
    canvas.polygon([(82, 330), (96, 312), (130, 312), (142, 330)], (40, 18, 44))
    canvas.polygon([(28, 150), (332, 150), (332, 178), (28, 178)], (190, 40, 92))
    canvas.glow((140, 40), 150, (255, 60, 150), 0.55)
    canvas.title("MINUIT", (112, 34), 36, (255, 206, 232), 0.12)
    canvas.polygon([(0, 430), (360, 430), (360, 540), (0, 540)], (16, 10, 28))
    canvas.title("3 a.m.", (180, 470), 30, (255, 110, 170), 0.05)
    canvas.credit("THE LAST ORDER IS THE TRUTH", 506, (200, 140, 190))
    return canvas


def glass_orchard() -> Canvas:
    """Round trees in rows, and a title in the middle."""
    canvas = Canvas((206, 232, 226), (150, 206, 200), (64, 132, 136))
    for row, y in enumerate((250, 320, 400)):
        for column in range(4):
            x = 30 + column * 100 + (row % 2) * 46 - 20
            size = 30 + row * 9
            canvas.line([(x, y), (x, y + size * 1.9)], (34, 70, 78), 4)
            canvas.ellipse((x, y), (size, size), shade((72, 168, 150), 1.15 - row * 0.2))
            canvas.ellipse(
                (x - size * 0.3, y - size * 0.3),
                (size * 0.4, size * 0.4),
                shade((140, 214, 190), 1.1 - row * 0.15),
            )
    for size, tint in ((74, (228, 238, 214)), (52, (244, 238, 196)), (34, (252, 226, 160))):
        canvas.ellipse((64, 44), (size, size), tint)
    canvas.polygon([(0, 446), (360, 446), (360, 540), (0, 540)], (22, 58, 66))
    canvas.title("GLASS ORCHARD", (180, 152), 32, (18, 66, 76))
    canvas.credit("A TRUE STORY ABOUT FALSE FRUIT", 494, (170, 220, 210))
    return canvas


def two_winters() -> Canvas:
    """Two faces, well below the badge."""
    canvas = Canvas((214, 228, 240), (168, 194, 220), (96, 128, 168))
    ridge(canvas, 200, 60, (190, 208, 226), 21)
    ridge(canvas, 260, 40, (140, 166, 198), 22)
    portrait(canvas, (118, 258), 40, Look((236, 196, 172), (36, 30, 40), (70, 96, 130), (150, 46, 54)))
    portrait(canvas, (246, 280), 40, Look((150, 102, 76), (22, 18, 20), (64, 42, 30), (40, 58, 92)))
    chance = random.Random(7)  # noqa: S311  # scenery, no secret
    for _ in range(110):
        x, y, size = chance.uniform(0, 360), chance.uniform(4, 440), chance.uniform(0.8, 2.2)
        canvas.ellipse((x, y), (size, size), (250, 252, 255))
    canvas.polygon([(0, 432), (360, 432), (360, 540), (0, 540)], (26, 40, 66))
    canvas.title("TWO WINTERS", (180, 470), 36, (240, 246, 255))
    canvas.credit("ONE OF THEM NEVER ENDED", 506, (160, 190, 222))
    return canvas


def a_quiet_signal() -> Canvas:
    """Small print under the badge."""
    canvas = Canvas((14, 40, 44), (20, 76, 78), (12, 34, 40))
    for ring in range(9, 0, -1):
        canvas.ellipse(
            (180, 232),
            (ring * 22, ring * 22),
            shade((38, 122, 112), 0.45 + 0.11 * (ring % 2) + (9 - ring) * 0.05),
        )
    canvas.polygon([(170, 250), (190, 250), (214, 430), (146, 430)], (8, 22, 26))
    canvas.ellipse((180, 232), (16, 16), (255, 196, 92))
    canvas.polygon([(0, 430), (360, 430), (360, 540), (0, 540)], (8, 22, 26))
    canvas.title("FROM THE MAKERS OF LOW TIDE", (112, 28), 10, (240, 226, 190), 0.12)
    canvas.title("A QUIET SIGNAL", (180, 470), 32, (255, 214, 130))
    canvas.credit("SOMEONE IS ANSWERING", 506, (130, 200, 180))
    return canvas


def northbound() -> Canvas:
    """Writing at the top, but right of the badge."""
    canvas = Canvas((8, 16, 36), (12, 40, 62), (16, 84, 88), (20, 50, 66))
    for shift, tint in ((0, (70, 220, 160)), (60, (60, 170, 190)), (120, (120, 110, 210))):
        wave = [(x, 190 + shift * 0.6 + 40 * math.sin(x / 60 + shift)) for x in range(-10, 371, 6)]
        canvas.line(wave, tint, 16)
    canvas.soften(14)
    ridge(canvas, 350, 70, (14, 34, 52), 31)
    ridge(canvas, 410, 36, (6, 16, 28), 32)
    canvas.title("WINNER", (300, 26), 15, (236, 214, 150), 0.1)
    canvas.title("NORTHBOUND", (180, 466), 36, (220, 250, 240))
    canvas.credit("NO MAP GOES THIS FAR", 504, (130, 190, 190))
    return canvas


def static_summer() -> Canvas:
    """A face so close that the eyes are under the badge."""
    canvas = Canvas((255, 206, 120), (250, 150, 110), (226, 92, 110))
    portrait(canvas, (150, 62), 118, Look((206, 150, 112), (44, 26, 30), (88, 60, 36), (40, 120, 130)))
    for y in range(236, 540, 10):
        canvas.line([(0, y), (360, y)], (40, 104, 120), 3)
    canvas.polygon([(0, 420), (360, 420), (360, 540), (0, 540)], (24, 62, 78))
    canvas.title("STATIC SUMMER", (180, 464), 32, (255, 214, 140))
    canvas.credit("TURN IT UP UNTIL IT IS QUIET", 502, (250, 160, 130))
    return canvas


def low_tide() -> Canvas:
    """Nothing but sky where the badge goes."""
    canvas = Canvas((244, 224, 208), (238, 196, 178), (190, 160, 176), (110, 130, 164))
    canvas.ellipse((238, 258), (44, 44), (252, 238, 222))
    canvas.polygon([(0, 300), (360, 300), (360, 540), (0, 540)], (86, 112, 148))
    for index, y in enumerate(range(312, 430, 14)):
        across = 12 + index * 13
        canvas.line([(238 - across, y), (238 + across, y)], (214, 196, 204), 2)
    canvas.polygon([(0, 430), (130, 412), (360, 446), (360, 540), (0, 540)], (52, 62, 92))
    canvas.title("LOW TIDE", (180, 474), 40, (250, 232, 216), 0.2)
    canvas.credit("WHAT THE SEA GAVE BACK", 512, (190, 180, 200))
    return canvas


def the_cartographer() -> Canvas:
    """A title whose upper half is under the badge."""
    canvas = Canvas((236, 218, 178), (226, 200, 150), (206, 170, 116))
    chance = random.Random(3)  # noqa: S311  # scenery, no secret
    for ring in range(9, 0, -1):
        shape = []
        for step in range(48):
            turn, reach = math.tau * step / 48, ring * chance.uniform(0.94, 1.06)
            shape.append((180 + reach * 17 * math.cos(turn), 280 + reach * 18 * math.sin(turn)))
        canvas.polygon(shape, shade((122, 154, 120), 0.75 + ring * 0.055))
    canvas.line([(90, 380), (150, 300), (200, 310), (232, 236)], (178, 48, 44), 4)
    canvas.line([(222, 224), (242, 248)], (178, 48, 44), 5)
    canvas.line([(242, 224), (222, 248)], (178, 48, 44), 5)
    canvas.title("CARTOGRAPHER", (180, 54), 34, (70, 44, 28), 0.04)
    canvas.credit("HE DREW THE ISLAND. THEN HE FOUND IT.", 500, (90, 56, 34))
    return canvas


@dataclass(frozen=True, slots=True)
class Example:
    """A row of posters.csv, and how its poster is drawn and encoded."""

    id: str
    name: str
    file: str
    group: str
    draw: Callable[[], Canvas]
    progressive: bool = False


EXAMPLES = (
    Example("0012", "The Long Orbit", "long-orbit.jpg", "award", the_long_orbit),
    Example("0013", "Night Harbour", "night-harbour.jpg", "just_added", night_harbour, progressive=True),
    Example("0027", "Marguerite", "marguerite.jpg", "award", marguerite),
    Example("0031", "Salt Road", "salt-road.png", "leaving_soon", salt_road),
    Example("0044", "Café Minuit, 3 a.m.", "cafe-minuit.webp", "just_added", cafe_minuit),
    Example("0058", "Glass Orchard", "glass-orchard.jpg", "just_added", glass_orchard, progressive=True),
    Example("0103", "Two Winters", "two-winters.webp", "award", two_winters),
    Example("0119", "A Quiet Signal", "quiet-signal.png", "leaving_soon", a_quiet_signal),
    Example("0120", "Northbound", "northbound.jpg", "award", northbound),
    Example("0204", "Static Summer", "static-summer.jpg", "just_added", static_summer, progressive=True),
    Example("0377", "Low Tide", "low-tide.png", "leaving_soon", low_tide),
    Example("1024", "The Cartographer", "cartographer.webp", "leaving_soon", the_cartographer),
)


def save(image: Image.Image, path: Path, progressive: bool) -> None:
    """Encode by the suffix; PNG with 96 colours, which keeps it near 25 KB."""
    if path.suffix == ".png":
        image.quantize(96, dither=Image.Dither.NONE).save(path, optimize=True)
    elif path.suffix == ".webp":
        image.save(path, quality=82, method=6)
    else:
        image.save(path, quality=82, optimize=True, progressive=progressive)


def main() -> None:
    """Draw everything into the folder."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "examples"
    (folder / "posters").mkdir(parents=True, exist_ok=True)
    with (folder / "posters.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("content_id", "content_name", "poster_img_url", "sot_name"))
        for example in EXAMPLES:
            save(example.draw().finished(), folder / "posters" / example.file, example.progressive)
            table.writerow((example.id, example.name, f"posters/{example.file}", example.group))


if __name__ == "__main__":
    main()
