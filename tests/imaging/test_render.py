"""Views: what is shown, how large, and where the border runs."""

from __future__ import annotations

import itertools
from io import BytesIO

import pytest
from PIL import Image

from redzone.errors import ErrorCode, ImageFault
from redzone.imaging.geometry import (
    BORDER_COLOURS,
    BORDER_PX,
    FramingOptions,
    border_colour,
    lay_out,
    view_size,
    zone_box,
)
from redzone.imaging.render import QUICK_BYTES, frame, frame_at_once, frame_whole
from redzone.models import View, ViewKind, Zone
from redzone.zones import PRESETS
from tests.pictures import STORED, encoded, gradient

RED = Zone(name="red", x=0.0, y=0.0, w=0.6, h=0.1)
MIDDLE = Zone(name="middle", x=0.3, y=0.4, w=0.4, h=0.2)
LOW = Zone(name="low", x=0.0, y=0.9, w=1.0, h=0.1)


def shown(view: View) -> Image.Image:
    picture = Image.open(BytesIO(view.data))
    assert picture.format == "JPEG"
    assert picture.mode == "RGB"
    assert picture.size == (view.width, view.height)
    return picture


def box_of(picture: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int] | None:
    """The box of all pixels near a colour (JPEG moves them a little)."""
    bands = [
        band.point(lambda value, wanted=wanted: 255 * (abs(value - wanted) < 70))
        for band, wanted in zip(picture.split(), colour, strict=True)
    ]
    both = Image.new("L", picture.size, 255)
    for band in bands:
        both = Image.composite(both, Image.new("L", picture.size), band)
    return both.getbbox()


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", [ViewKind.CROP, ViewKind.POSTER])
@pytest.mark.parametrize("zone", [RED, MIDDLE, LOW], ids=lambda zone: zone.name)
def test_the_border_runs_round_the_zone_and_covers_none_of_it(
    zone: Zone, kind: ViewKind, orientation: int
) -> None:
    """A zone that is all green lies within the magenta, one white pixel away, however the file is turned;
    and the zone's upper left, which is cyan, is the upper left of the view's zone."""
    poster = Image.new("RGB", (400, 600), "black")
    left, top, right, bottom = zone_box(zone, 400, 600)
    poster.paste((0, 200, 0), (left, top, right, bottom))
    poster.paste((0, 200, 200), (left, top, (left + right) // 2, (top + bottom) // 2))
    view = frame(encoded(poster, "PNG", orientation), [zone], kind)
    picture = shown(view)
    border, green = box_of(picture, (255, 0, 255)), box_of(picture, (0, 200, 0))
    marker = box_of(picture, (0, 200, 200))
    assert border is not None
    assert green is not None
    assert marker is not None
    # 3 px from the magenta's outer edge to the zone; the picture's resampling blurs one or two more
    for outer, inner in zip(border[:2], marker[:2], strict=True):
        assert 3 <= inner - outer <= 6
    for outer, inner in zip(border[2:], green[2:], strict=True):
        assert 3 <= outer - inner <= 6
    assert abs((marker[2] - marker[0]) * 2 - (green[2] - green[0])) <= 8


def test_a_neighbour_s_border_covers_a_thin_line_of_a_zone_at_most() -> None:
    """Zones that touch keep all their pixels but a thin dashed line at their common edge."""
    poster = Image.new("RGB", (400, 600), "black")
    zones = [Zone(name="a", x=0.1, y=0.1, w=0.4, h=0.1), Zone(name="b", x=0.5, y=0.15, w=0.4, h=0.1)]
    for zone in zones:
        poster.paste((0, 200, 0), zone_box(zone, 400, 600))
    picture = shown(frame(encoded(poster, "PNG"), zones, ViewKind.POSTER))
    assert box_of(picture, (255, 0, 255)) is not None
    scale = (picture.width - 2 * BORDER_PX) / 400
    for zone in zones:
        left, top, right, bottom = (round(edge * scale) + BORDER_PX for edge in zone_box(zone, 400, 600))
        inside = picture.crop((left + 4, top + 4, right - 4, bottom - 4))
        assert box_of(inside, (255, 0, 255)) is None
        assert box_of(inside, (0, 200, 0)) == (0, 0, *inside.size)


def share_of(picture: Image.Image, colour: tuple[int, int, int], edge: tuple[int, int, int, int]) -> float:
    """How much of an edge shows a colour: the share of places along it, at most 2 px away from it."""
    left, top, right, bottom = edge
    near = picture.crop((left - 2, top - 2, right + 2, bottom + 2))
    pixels, across = near.load(), right - left > bottom - top
    assert pixels is not None
    along, away = (near.width, near.height) if across else (near.height, near.width)
    places = [[pixels[(i, j) if across else (j, i)] for j in range(away)] for i in range(along)]
    return sum(
        any(max(abs(a - b) for a, b in zip(pixel, colour, strict=True)) < 90 for pixel in place)  # type: ignore[arg-type]
        for place in places
    ) / len(places)


@pytest.mark.parametrize("kind", [ViewKind.CROP, ViewKind.POSTER])
@pytest.mark.parametrize("names", list(itertools.permutations(["red", "icon", "prime-top"])))
def test_every_border_of_overlapping_zones_is_visible(names: tuple[str, ...], kind: ViewKind) -> None:
    """Each in its own colour along each of its edges, though they cross and partly coincide."""
    zones = [PRESETS[name] for name in names]
    poster = Image.new("RGB", (1000, 1500), (90, 90, 90))
    picture = shown(frame(encoded(poster, "PNG"), zones, kind))
    layout = lay_out(1000, 1500, zones, kind)
    across, down = layout.width / layout.source[2], layout.height / layout.source[3]
    for index, zone in enumerate(zones):
        box = zone_box(zone, 1000, 1500)
        left, right = (round(edge * across) + BORDER_PX for edge in box[::2])
        top, bottom = (round(edge * down) + BORDER_PX for edge in box[1::2])
        edges = {
            "left": (left - BORDER_PX, top, left, bottom),
            "top": (left, top - BORDER_PX, right, top),
            "right": (right, top, right + BORDER_PX, bottom),
            "bottom": (left, bottom, right, bottom + BORDER_PX),
        }
        for name, edge in edges.items():
            assert share_of(picture, border_colour(index).rgb, edge) > 0.2, (zone.name, name)


def test_a_border_covers_little_of_a_zone_that_it_crosses() -> None:
    """A thin dashed line: what lies there can still be judged."""
    zones = [PRESETS["red"], PRESETS["icon"]]
    picture = shown(frame(encoded(Image.new("RGB", (1000, 1500), (90, 90, 90)), "PNG"), zones, ViewKind.CROP))
    layout = lay_out(1000, 1500, zones, ViewKind.CROP)
    scale = layout.width / layout.source[2]
    left, top, right, bottom = (round(edge * scale) + BORDER_PX for edge in zone_box(zones[1], 1000, 1500))
    grey = picture.crop((left, top, right, bottom)).convert("L")
    colours = grey.point(lambda value: 255 * (abs(value - 90) > 12))
    assert 0 < colours.histogram()[255] / (colours.width * colours.height) < 0.03


def test_zones_have_colours_of_their_own() -> None:
    """Named in the prompt; the first one is magenta, and after the last they begin again."""
    assert border_colour(0).name == "magenta"
    assert (
        len({colour.rgb for colour in BORDER_COLOURS}) == len({colour.name for colour in BORDER_COLOURS}) == 6
    )
    assert border_colour(6) == border_colour(0)


@pytest.mark.parametrize(
    ("size", "crop", "poster", "pixels"),
    [
        ((200, 300), (416, 146), (408, 608), (200, 300)),
        ((300, 445), (617, 212), (515, 760), (300, 445)),
        ((500, 750), (640, 219), (509, 760), (500, 750)),
        ((1000, 1500), (683, 233), (685, 1024), (640, 960)),
        ((2000, 3000), (768, 261), (685, 1024), (640, 960)),
        ((1600, 900), (768, 110), (1024, 580), (640, 360)),
        ((100, 1000), (278, 398), (108, 1008), (100, 1000)),
    ],
)
def test_views_have_the_sizes_that_their_cost_is_reckoned_with(
    size: tuple[int, int], crop: tuple[int, int], poster: tuple[int, int], pixels: tuple[int, int]
) -> None:
    """Small posters are enlarged so that a title can be read; large ones shrink to what a model uses."""
    sizes = [view_size(*size, [RED], kind) for kind in (ViewKind.CROP, ViewKind.POSTER, ViewKind.PIXELS)]
    assert sizes == [crop, poster, pixels]


def test_the_local_model_gets_the_whole_poster_with_nothing_on_it() -> None:
    """640 pixels wide at most, three bytes each, row by row, no line drawn, small ones as they are."""
    poster = gradient(320, 480)
    assert frame(encoded(poster, "PNG"), [RED], ViewKind.PIXELS).data == poster.tobytes()
    large = gradient(1280, 1920)
    view = frame(encoded(large, "PNG"), [RED], ViewKind.PIXELS)
    assert len(view.data) == view.width * view.height * 3 == 640 * 960 * 3
    expected = large.resize((640, 960), Image.Resampling.LANCZOS, reducing_gap=3.0)
    assert view.data == expected.tobytes()


def test_a_view_carries_nothing_of_the_file_but_its_pixels() -> None:
    """No comment, no EXIF, no profile: they could hold instructions or a place."""
    exif = Image.Exif()
    exif[0x010E] = "SECRET instructions"
    data = encoded(
        gradient(100, 150), "JPEG", exif=exif, comment=b"SECRET comment", icc_profile=b"SECRET" * 9
    )
    for kind in ViewKind:
        assert b"SECRET" not in frame(data, [RED], kind).data


def test_far_apart_zones_are_shown_together() -> None:
    """A band above and a band below make the crop nearly the whole poster."""
    top = Zone(name="top", x=0.0, y=0.0, w=1.0, h=0.1)
    assert view_size(1000, 1500, [top, LOW], ViewKind.CROP)[1] == 768


def test_without_zones_a_crop_is_the_poster() -> None:
    """There is nothing to cut round."""
    view = frame(encoded(Image.new("RGB", (100, 150)), "PNG"), [], ViewKind.CROP)
    assert box_of(shown(view), (255, 0, 255)) is None
    assert view.height / view.width == pytest.approx(1.5, abs=0.02)


def test_options_bound_what_is_decoded() -> None:
    """The pixel limit is the caller's."""
    with pytest.raises(ImageFault) as caught:
        frame(encoded(gradient(100, 150), "PNG"), [RED], ViewKind.CROP, FramingOptions(max_pixels=14_999))
    assert caught.value.code is ErrorCode.IMAGE_TOO_LARGE


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_crop_made_at_once_is_the_very_same(kind: str) -> None:
    """As one made of the whole file in a thread."""
    data = encoded(gradient(300, 450), kind)
    assert frame_at_once(data, [RED], ViewKind.CROP) == frame_whole(data, [RED], ViewKind.CROP)


def test_what_would_hold_up_the_event_loop_is_left_to_a_thread() -> None:
    """Many pixels, many bytes, another view, and a format of which all is decoded."""
    large = encoded(gradient(3000, 4500), "JPEG")
    small = encoded(gradient(300, 450), "JPEG")
    assert frame_at_once(large, [RED], ViewKind.CROP) is None
    assert frame_at_once(small + bytes(QUICK_BYTES), [RED], ViewKind.CROP) is None
    assert frame_at_once(small, [RED], ViewKind.POSTER) is None
    assert frame_at_once(encoded(gradient(300, 450), "WEBP"), [RED], ViewKind.CROP) is None
