"""Charts are well-formed SVG whatever the figures are, and the page needs nothing but itself."""

from __future__ import annotations

import re

from redzone.bench.measure.html_page import SweepChart, render_page, sweep
from redzone.bench.measure.profiles import Profile
from tests.bench.measure.samples import bench, packed, stage, swept
from tests.charts.drawn import elements, inside, parsed


def test_a_sweep_marks_the_knee_the_ceiling_and_the_law() -> None:
    """Once each, and a hint for each point."""
    points = [(1.0, 30.0), (10.0, 300.0), (20.0, 495.0), (50.0, 498.0)]
    svg = sweep(SweepChart("Posters", points, 30.0, 500.0, 20.0, 16.7))
    assert [dot.attrib["class"] for dot in elements(svg, "circle")] == ["dot", "dot", "dot knee", "dot"]
    assert len([line for line in elements(svg, "line") if line.attrib["class"] in ("law", "limit")]) == 2
    assert "20 workers: 495 a minute" in svg
    assert inside(svg)


def test_the_page_needs_nothing_but_itself() -> None:
    """No script, no file, no address; what came from outside is escaped; a chart for each stage, 3 sizes."""
    kinds = (
        (bench(), 7),
        (swept((1, 30), (10, 300), rpm=500), 1),
        (packed((1, 119), (16, 118), rpm=120), 1),
        (packed((2, 119)), 1),
    )
    for found, count in kinds:
        page = render_page(found)
        assert not re.search(r"<script|<link|<img|src=|href=|url\(|@import|https?:", page)
        assert page.count("<svg") == count
        assert {"prefers-color-scheme:dark", "light-dark("} <= set(
            re.findall(r"prefers-color-scheme:dark|light-dark\(", page)
        )
        for svg in re.findall("<svg.*?</svg>", page):
            parsed(svg)
    sly = render_page(bench(stage("<b>"), profile=Profile(name="<script>", latency_s=1)))
    assert "<script>" not in sly
    assert "<b>:" not in sly
