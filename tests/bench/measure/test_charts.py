"""Charts are well-formed SVG whatever the figures are, and the page needs nothing but itself."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.bench.measure import charts
from redzone.bench.measure.page import render_page
from redzone.bench.measure.profiles import Profile
from redzone.bench.measure.svg import log_ticks, nice_ticks
from tests.bench.measure.samples import bench, stage, swept

RATES = st.floats(0, 1e6)


def parsed(svg: str) -> ET.Element:
    """Its root; fails unless the text is XML."""
    return ET.fromstring(svg)  # noqa: S314  our own text


def elements(svg: str, name: str) -> list[ET.Element]:
    """The elements of that name."""
    return list(parsed(svg).iter(name))


WIDE = 1140.0


def numbers(svg: str) -> list[float]:
    """Every coordinate in it."""
    found = []
    for element in parsed(svg).iter():
        for name, value in element.attrib.items():
            if name in {"x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "points"}:
                found += [float(part) for part in re.split("[ ,]", value) if part]
    return found


@given(st.lists(RATES, min_size=1, max_size=5), st.none() | st.floats(1, 1e6))
def test_bars_are_as_long_as_their_values(values: list[float], limit: float | None) -> None:
    """Inside the picture, the longest for the greatest."""
    svg = charts.bars([charts.Bar(f"<{n}>", v, f"{v:g}", limit) for n, v in enumerate(values)], "a & b")
    drawn = [float(bar.attrib["width"]) for bar in elements(svg, "rect") if bar.attrib["class"] == "bar"]
    assert len(drawn) == len(values)
    assert drawn[values.index(max(values))] == max(drawn)
    assert all(0 <= number <= WIDE for number in numbers(svg) if number)


@given(st.lists(RATES, min_size=2, max_size=30), st.none() | st.floats(1, 1e6), st.lists(st.floats(0, 100)))
def test_a_pace_stays_inside_its_picture(
    values: list[float], limit: float | None, marks_s: list[float]
) -> None:
    """Every value and mark is drawn within the frame; a limit far above the values is left out."""
    lines = (charts.Line("started", "started", values, filled=True),)
    svg = charts.pace(charts.PaceChart("title", 1.0, lines, limit, marks_s))
    assert all(0 <= number <= WIDE for number in numbers(svg))
    limits = [line for line in elements(svg, "line") if line.attrib["class"] == "limit"]
    assert len(limits) == (limit is not None and limit <= charts.IN_SIGHT * max([1e-9, *values]))


def test_a_sweep_marks_the_knee_the_ceiling_and_the_law() -> None:
    """Once each, and a hint for each point."""
    points = [(1.0, 30.0), (10.0, 300.0), (20.0, 495.0), (50.0, 498.0)]
    svg = charts.sweep(charts.SweepChart("Posters", points, 30.0, 500.0, 20.0, 16.7))
    assert [dot.attrib["class"] for dot in elements(svg, "circle")] == ["dot", "dot", "dot knee", "dot"]
    assert len([line for line in elements(svg, "line") if line.attrib["class"] in ("law", "limit")]) == 2
    assert "20 workers: 495 a minute" in svg
    assert all(0 <= number <= WIDE for number in numbers(svg))


@given(st.floats(1e-6, 1e9), st.integers(2, 8))
def test_ticks_are_round_even_and_reach_the_top(highest: float, wanted: int) -> None:
    """From 0 in equal steps, the last at the highest value or above, and not too many."""
    ticks = nice_ticks(highest, wanted)
    assert ticks[0] == 0
    assert ticks[-1] >= highest * (1 - 1e-6)
    assert len(ticks) <= 2 * wanted + 2


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(20, 600, [20, 50, 100, 200, 500]), (0.5, 2e5, [1, 10, 100, 1e3, 1e4, 1e5])],
)
def test_logarithmic_ticks_thin_out(low: float, high: float, ticks: list[float]) -> None:
    """1, 2, 5 on a short axis, powers of ten on a long one."""
    assert log_ticks(low, high) == ticks


def test_the_page_needs_nothing_but_itself() -> None:
    """No script, no file, no address; what came from outside is escaped; one chart for each stage."""
    for found, count in ((bench(), 3), (swept((1, 30), (10, 300), rpm=500), 1)):
        page = render_page(found)
        assert not re.search(r"<script|<link|<img|src=|href=|url\(|@import|https?:", page)
        assert page.count("<svg") == count
        assert "prefers-color-scheme:dark" in page
        for svg in re.findall("<svg.*?</svg>", page):
            parsed(svg)
    sly = render_page(bench(stage("<b>"), profile=Profile(name="<script>", latency_s=1)))
    assert "<script>" not in sly
    assert "<b>:" not in sly
