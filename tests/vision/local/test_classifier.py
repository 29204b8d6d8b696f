"""The parts that turn what the networks put out into evidence, tried without the networks."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from redzone.models import Box, ElementKind, Zone
from redzone.vision.local.classifier import Evidence, Fit, is_plain, verdict
from redzone.vision.local.colour import lab
from redzone.vision.local.face_detector import Face
from redzone.vision.local.text_detector import connected_areas, text_rectangles, text_score
from redzone.zones import PRESETS

RED = PRESETS["red"]
Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


@st.composite
def masks(draw: st.DrawFn) -> Mask:
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 12))
    cells = draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    return np.array(cells, np.bool_).reshape(height, width)


def flooded(mask: Mask) -> list[tuple[int, int, int, int, int]]:
    """The areas by the plainest algorithm there is: flood from each cell that is left."""
    left = {(int(y), int(x)) for y, x in zip(*np.nonzero(mask), strict=True)}
    areas = []
    while left:
        area, edge = [], [left.pop()]
        while edge:
            y, x = edge.pop()
            area.append((y, x))
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            edge.extend(near)
        ys, xs = [y for y, _ in area], [x for _, x in area]
        areas.append((min(xs), min(ys), max(xs) + 1, max(ys) + 1, len(area)))
    return areas


@given(masks())
def test_connected_areas_are_those_that_flooding_finds(mask: Mask) -> None:
    """For every mask: the same rectangles and pixel counts."""
    assert sorted(connected_areas(mask)) == sorted(flooded(mask))


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 1600))
def test_the_text_score_ignores_a_speck_and_sees_a_letter(height: int, width: int, lit: int) -> None:
    """It is high exactly when more than 0.2 % of the pixels are."""
    part = np.zeros(height * width, np.float32)
    lit = min(lit, part.size)
    part[:lit] = 0.9
    seen = text_score(part.reshape(height, width)) > 0.5
    assert seen == (lit > int(part.size * 0.002))


def test_a_line_of_text_grows_to_its_edges_and_stays_in_the_zone() -> None:
    """The core is grown by area x 1.5 / perimeter each way, and cut at the zone."""
    part = np.zeros((60, 200), np.float32)
    part[20:30, 10:110] = 0.8
    part[50, 150] = 0.9
    assert text_rectangles(part) == [(3, 13, 117, 37)]


@pytest.mark.parametrize(
    ("face", "counts"),
    [
        (Face(0.2, 0.02, 0.4, 0.3, 0.9), True),  # its upper quarter is in the zone
        (Face(0.2, 0.5, 0.4, 0.8, 0.9), False),  # below it
        (Face(0.58, 0.0, 0.9, 0.2, 0.9), False),  # a sliver of it
        (Face(0.2, 0.085, 0.4, 0.385, 0.9), True),  # the forehead, by the growth upwards
        (Face(0.2, 0.02, 0.21, 0.035, 0.9), False),  # tiny: a face in a crowd or a pattern
        (Face(-0.5, -0.5, 1.5, 1.5, 0.9), True),  # larger than the poster
    ],
)
def test_a_face_counts_where_a_fair_part_of_it_is_covered(face: Face, counts: bool) -> None:
    """A fifth of the face or of the zone, in both directions, and not below 2 % of the height."""
    assert face.counts_in(RED) is counts


def test_plain_means_no_step_and_not_one_colour() -> None:
    """A soft gradient is plain, one faint letter's edge is not, and what lies outside does not matter."""
    gradient = np.linspace(0, 255, 360).astype(np.uint8)
    pixels = np.broadcast_to(gradient[None, :, None], (540, 360, 3)).copy()
    assert is_plain(pixels, RED)
    pixels[400:, :] = 255
    assert is_plain(pixels, RED)
    pixels[20:40, 100:104] = 0
    assert not is_plain(pixels, RED)


COLOURS = [
    (red, green, blue)
    for red in (0, 90, 180, 255)
    for green in (0, 90, 180, 255)
    for blue in (0, 90, 180, 255)
]
FAINT = 8  # of 255: a person sees it, and it was plain when only steps of 16 in grey counted


def lettered(ground: tuple[int, int, int], ink: tuple[int, int, int], size: int) -> Pixels:
    poster = Image.new("RGB", (360, 540), ground)
    ImageDraw.Draw(poster).text((20, 15), "THE LONG WAY", ink, ImageFont.load_default(size))
    return np.asarray(poster)


@pytest.mark.parametrize("size", [10, 24])
def test_lettering_in_any_two_colours_is_not_plain(size: int) -> None:
    """A grid of 64 colours on each other, small and large; equal greys too, such as red on green."""
    plain = [
        (ground, ink)
        for ground, ink in itertools.permutations(COLOURS, 2)
        if is_plain(lettered(ground, ink, size), RED)
    ]
    assert plain == []


@pytest.mark.parametrize("size", [10, 24])
@pytest.mark.parametrize("ground", COLOURS)
def test_faint_lettering_is_not_plain(ground: tuple[int, int, int], size: int) -> None:
    """A little lighter or darker than what it stands on."""
    ink = tuple(value - FAINT if value > 127 else value + FAINT for value in ground)
    # in the darkest tenth of the scale eight steps cannot be seen: there it takes half as many again
    ink = ink if max(ground) > 0 else (12, 12, 12)
    assert not is_plain(lettered(ground, ink, size), RED)  # type: ignore[arg-type]  # three values


@pytest.mark.parametrize(("radius", "red"), [(2, 90), (4, 120)])
def test_a_title_with_a_soft_edge_is_not_plain(radius: int, red: int) -> None:
    """Its colour changes over several pixels, a little at a time."""
    poster = Image.fromarray(lettered((60, 90, 160), (red, 90, 160), 40))
    blurred = np.asarray(poster.filter(ImageFilter.GaussianBlur(radius)))
    assert not is_plain(blurred, RED)


@pytest.mark.parametrize("colours", [((20, 40, 90), (200, 220, 250)), ((0, 0, 0), (90, 20, 60))])
def test_a_sky_is_plain(colours: tuple[tuple[int, int, int], tuple[int, int, int]]) -> None:
    """A gradient over the whole poster, and one with a fine grain."""
    column = Image.new("RGB", (1, 2))
    column.putdata(colours)
    sky = np.asarray(column.resize((360, 540), Image.Resampling.BILINEAR))
    assert is_plain(sky, RED)
    grain = np.random.default_rng(1).integers(-1, 2, (*sky.shape[:2], 1))
    assert is_plain(np.clip(sky + grain, 0, 255).astype(np.uint8), RED)


def test_lab_is_that_of_known_colours() -> None:
    """White, mid grey and the primaries, to a tenth."""
    known = {
        (255, 255, 255): (100.0, 0.0, 0.0),
        (0, 0, 0): (0.0, 0.0, 0.0),
        (255, 0, 0): (53.24, 80.09, 67.20),
        (0, 255, 0): (87.73, -86.18, 83.18),
        (0, 0, 255): (32.30, 79.19, -107.86),
    }
    found = lab(np.array(list(known), np.uint8))
    assert np.abs(found - np.array(list(known.values()))).max() < 0.1


FIT = Fit(intercept=3.0, text=1.0, face=6.0, floor=0.001)
scores = st.floats(0, 1)


@given(scores, scores, st.booleans(), st.booleans())
def test_a_verdict_is_always_consistent(text: float, face: float, text_box: bool, face_box: bool) -> None:
    """Elements exactly when key elements are found, confidence that of the answer given, a reason always."""
    box = (Box(x=0.1, y=0.0, w=0.2, h=0.05),)
    evidence = Evidence(False, text, face, box * text_box, box * face_box, 0.1 * text_box)
    given_verdict = verdict(RED, evidence, FIT)
    assert bool(given_verdict.elements) == given_verdict.contains_key_elements
    assert 50 <= given_verdict.confidence_pct <= 100
    assert given_verdict.justification
    assert (FIT.probability(evidence) > 0.5) == given_verdict.contains_key_elements


@given(scores, scores, scores)
def test_more_evidence_never_makes_a_zone_freer(face: float, weaker: float, stronger: float) -> None:
    """The probability rises with the text score, whatever the face score."""
    low, high = sorted((weaker, stronger))
    assert FIT.probability(Evidence(text=low, face=face)) <= FIT.probability(Evidence(text=high, face=face))


def test_where_nothing_was_located_the_weightier_kind_is_named() -> None:
    """A positive verdict has an element even without a box, and says that the signs are faint."""
    faces = verdict(RED, Evidence(text=0.0, face=0.9), Fit(6.0, 1.0, 6.0, 0.001))
    assert [(element.kind, element.box) for element in faces.elements] == [(ElementKind.FACE, None)]
    texts = verdict(RED, Evidence(text=0.2), FIT)
    assert [(element.kind, element.box) for element in texts.elements] == [(ElementKind.TEXT, None)]
    assert "faint" in texts.justification


def test_a_zone_as_large_as_the_poster_or_as_small_as_a_pixel_can_be_plain() -> None:
    """Any zone has at least one pixel and a grid that fits it."""
    pixels = np.full((50, 30, 3), 77, np.uint8)
    for zone in (Zone(name="all", x=0, y=0, w=1, h=1), Zone(name="dot", x=0.999, y=0.999, w=0.001, h=0.001)):
        assert is_plain(pixels, zone)
