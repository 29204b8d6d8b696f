"""Whatever the figures and the names are, a chart is well-formed, in proportion and inside its picture."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone import charts
from redzone.charts.style import Theme
from redzone.charts.svg import log_ticks, nice_ticks, thinned
from redzone.models import Status
from tests.charts.drawn import elements, inside, lengths, parsed, texts

RATES = st.floats(0, 1e6)
COUNTS = st.dictionaries(st.sampled_from(Status), st.integers(0, 10**6))
WIDTHS = st.floats(330, 1200)
NAMES = st.text(max_size=60) | st.sampled_from(["<script>", '"&\x00\x1b[31m', "\ud800\uffff", "映画" * 40])


@given(COUNTS, st.integers(0, 10**6), WIDTHS)
def test_a_status_bar_is_filled_in_proportion(counts: dict[Status, int], pending: int, width: float) -> None:
    """The parts fill the bar; each is as long as its share, or just long enough to be seen."""
    svg = charts.status_bar(counts, pending=pending, width=width)
    assert inside(svg)
    drawn, total = lengths(svg, "part"), sum(counts.values()) + pending
    there = [counts.get(status, 0) for status in Status] + [pending]
    there = [count for count in there if count]
    assert len(drawn) == len(there)
    if total:
        assert sum(drawn) == pytest.approx(width, abs=0.1)
    for length, count in zip(drawn, there, strict=True):
        assert length == pytest.approx(max(3.0, width * count / total), abs=3.0 * len(there))


def test_a_status_bar_says_its_counts_in_words_signs_and_patterns() -> None:
    """Nothing is told by colour alone."""
    counts = {Status.PASS: 1900, Status.FAIL: 99, Status.ERROR: 1}
    svg = charts.status_bar(counts, "Run", pending=12)
    assert parsed(svg).attrib["aria-label"] == "Run: 1,900 pass, 99 fail, 0 unsure, 1 error, 12 pending"
    assert {
        "✓",
        "✗",
        "?",
        "!",
        "1,900",
        "1,900 pass (94 %)",
        "99 fail (5 %)",
        "1 error (<1 %)",
        "0 unsure",
    } < set(texts(svg))
    hatched = elements(svg, "path", "hatch")
    assert len(hatched) == 4  # fail, unsure and error in the key, and the error in the bar, which has no room
    assert "none yet" in charts.status_strip({})
    assert inside(charts.status_strip(counts))


@given(st.lists(RATES, min_size=1, max_size=5), st.none() | st.floats(1, 1e6), NAMES, WIDTHS)
def test_bars_are_as_long_as_their_values(
    values: list[float], limit: float | None, name: str, width: float
) -> None:
    """The longest for the greatest."""
    rows = [charts.Bar(name, value, f"{value:g}", limit) for value in values]
    svg = charts.bars(rows, name, width=width)
    drawn = lengths(svg, "bar")
    assert len(drawn) == len(values)
    assert drawn[values.index(max(values))] == max(drawn)
    assert inside(svg)


@given(st.lists(st.tuples(NAMES, COUNTS, st.none() | st.floats(0, 1)), max_size=8), WIDTHS)
def test_group_bars_have_one_scale(
    groups: list[tuple[str, dict[Status, int], float | None]], width: float
) -> None:
    """Each bar is its share of fails times the same length."""
    rows = [charts.GroupBar(*group) for group in groups]
    svg = charts.group_bars(rows, width=width)
    assert inside(svg)
    drawn = lengths(svg, "fail")
    assert len(drawn) == len(rows)
    scales = [length / row.rate for length, row in zip(drawn, rows, strict=True) if row.rate > 0.05]
    assert scales == pytest.approx([scales[0]] * len(scales), rel=0.01) if scales else True
    assert len(elements(svg, "line", "before")) == sum(row.rate_before is not None for row in rows)


@pytest.mark.parametrize(
    ("failed", "before", "told"),
    [
        (12, None, "31 %, 12 of 39"),
        (12, 0.25, "31 %, 12 of 39, 6 points more"),
        (12, 0.315, "31 %, 12 of 39, 1 point less"),
        (12, 0.307, "31 %, 12 of 39, unchanged"),
    ],
)
def test_a_groups_figures_are_told_with_their_trend(failed: int, before: float | None, told: str) -> None:
    """In percentage points against the run before; errors and unsure ones are not judged."""
    counts = {Status.PASS: 39 - failed, Status.FAIL: failed, Status.UNSURE: 7, Status.ERROR: 1}
    assert charts.GroupBar("award", counts, before).told == told
    assert charts.GroupBar("award", {Status.ERROR: 3}, before).told == "none judged"


@given(st.lists(COUNTS, min_size=1, max_size=20), st.none() | st.floats(0, 100), WIDTHS)
def test_confidence_columns_are_as_high_as_their_counts(
    buckets: list[dict[Status, int]], threshold: float | None, width: float
) -> None:
    """Of all statuses together, on one scale."""
    svg = charts.confidence_columns(buckets, unsure_below_pct=threshold, width=width)
    assert inside(svg)
    columns: dict[str, float] = {}
    for rect in elements(svg, "rect", "column"):
        columns[rect.attrib["x"]] = columns.get(rect.attrib["x"], 0) + float(rect.attrib["height"])
    totals = [total for total in (sum(bucket.values()) for bucket in buckets) if total]
    assert len(columns) == len(totals)
    highest = max(totals, default=0)
    for height, total in zip(columns.values(), totals, strict=True):
        assert height / max(columns.values()) == pytest.approx(total / highest, abs=0.01)


@given(st.lists(st.tuples(st.dates(date(2020, 1, 1), date(2029, 1, 1)), COUNTS), max_size=20), WIDTHS)
def test_day_columns_count_every_poster(days: list[tuple[date, dict[Status, int]]], width: float) -> None:
    """However long the time is, in few enough columns to be seen."""
    svg = charts.day_columns([charts.Day(*day) for day in days], width=width)
    assert inside(svg)
    assert len({rect.attrib["x"] for rect in elements(svg, "rect", "column")}) <= 110
    hints = [rect[0].text or "" for rect in elements(svg, "rect", "column")]
    drawn = sum(int(hint.split(": ")[1].split()[0].replace(",", "")) for hint in hints)
    assert drawn == sum(sum(counts.values()) for _, counts in days)


def test_a_day_without_posters_keeps_its_place() -> None:
    """Monday and Friday are not neighbours."""
    monday = date(2026, 11, 2)
    days = [charts.Day(monday, {Status.PASS: 5}), charts.Day(monday + timedelta(4), {Status.PASS: 5})]
    first, last = (float(rect.attrib["x"]) for rect in elements(charts.day_columns(days), "rect", "column"))
    pitch = (680 - 48 - 22) / 7  # there is room for a week
    assert last - first == pytest.approx(4 * pitch, abs=0.1)


@given(
    st.lists(st.tuples(st.floats(0, 1e6), RATES), min_size=1, max_size=30),
    st.none() | st.floats(1, 1e6),
    st.lists(st.floats(0, 1e6)),
    st.none() | st.floats(1, 1e5),
    WIDTHS,
)
def test_a_pace_stays_inside_its_picture(
    points: list[tuple[float, float]],
    limit: float | None,
    marks_s: list[float],
    gap_s: float | None,
    width: float,
) -> None:
    """Every value and mark; a limit far above the values is told and not drawn."""
    points.sort()
    lines = (charts.PaceLine("started", "first", points, filled=True),)
    svg = charts.pace(charts.PaceChart("title", lines, limit, marks_s, gap_s), width=width)
    assert inside(svg)
    highest = max([0.1, *(value for _, value in points)])
    far = limit is not None and limit > charts.IN_SIGHT * highest
    assert len(elements(svg, "line", "limit")) == (limit is not None and not far)
    assert any("far above" in words for words in texts(svg)) == far


def test_a_pace_is_broken_where_the_run_stood_still() -> None:
    """No line leads over the night between a stop and a resume."""
    points = [(0.0, 5.0), (1.0, 6.0), (30000.0, 5.0), (30001.0, 7.0)]
    lines = (charts.PaceLine("outcomes", "first", points),)
    assert len(elements(charts.pace(charts.PaceChart("t", lines, gap_s=60)), "polyline")) == 2
    assert len(elements(charts.pace(charts.PaceChart("t", lines)), "polyline")) == 1


@pytest.mark.parametrize(
    ("seconds", "first", "last"),
    [
        (0.5, "0 s", "1 s"),
        (40, "0 s", "40 s"),
        (90, "0 s", "90 s"),
        (600, "0 min", "10 min"),
        (5400, "0 min", "90 min"),
        (7 * 3600, "0 h", "7 h"),
        (6 * 86400, "0 d", "6 d"),
        (900 * 86400, "0 d", "800 d"),
    ],
)
def test_time_is_told_in_units_that_fit_it(seconds: float, first: str, last: str) -> None:
    """From half a second to years."""
    lines = (charts.PaceLine("rate", "first", [(0.0, 1.0), (seconds, 2.0)]),)
    words = [word for word in texts(charts.pace(charts.PaceChart("t", lines))) if " " in word]
    assert (words[0], words[-1]) == (first, last)
    assert 3 <= len(words) <= 10


@given(st.lists(st.tuples(st.floats(0, 1e5), RATES), max_size=400), st.integers(1, 40))
def test_thinning_keeps_the_ends_and_the_extremes(points: list[tuple[float, float]], columns: int) -> None:
    """In their order, and no more than four points for a column."""
    points.sort()
    kept = thinned(points, columns)
    assert len(kept) <= max(4 * columns, 2)
    assert kept == sorted(kept, key=lambda point: point[0])
    assert set(kept) <= set(points)
    if points and points[-1][0] > points[0][0]:
        values = [value for _, value in points]
        assert (kept[0], kept[-1]) == (points[0], points[-1])
        assert (min(kept, key=lambda p: p[1])[1], max(kept, key=lambda p: p[1])[1]) == (
            min(values),
            max(values),
        )


def test_a_day_of_snapshots_is_a_small_picture() -> None:
    """86,400 of them, with the one peak."""
    points = [(float(second), 500.0 if second == 5000 else 100.0 + second % 7) for second in range(86_400)]
    svg = charts.pace(charts.PaceChart("t", (charts.PaceLine("rate", "first", points),)))
    assert len(svg) < 25_000
    assert "peak 500" in parsed(svg).attrib["aria-label"]


@given(st.floats(0, 1e9), st.floats(0, 1e9), st.lists(RATES, max_size=500))
def test_small_charts_stay_inside_too(value: float, limit: float, values: list[float]) -> None:
    """A gauge is filled as far as the limit is used, and says when it is passed."""
    svg = charts.gauge(value, limit, "told")
    assert inside(svg)
    assert len(elements(svg, "rect", "over")) == (limit > 0 and value > limit)
    if limit > 0:
        css = "over" if value > limit else "meter"
        assert lengths(svg, css) == pytest.approx([240 * min(1, value / limit)], abs=0.01)
    assert inside(charts.sparkline(values, "told"))


@given(NAMES)
def test_hostile_names_are_text(name: str) -> None:
    """In labels, hints and the text alternative: no element, no attribute, no control character of theirs."""
    plain = charts.group_bars([charts.GroupBar("award", {Status.FAIL: 1})])
    svg = charts.group_bars([charts.GroupBar(name, {Status.FAIL: 1})])
    names = [element.tag for element in parsed(svg).iter()]
    assert names == [element.tag for element in parsed(plain).iter()]
    assert not set(svg) & {chr(code) for code in range(32)}
    svg.encode()


def test_a_picture_takes_its_colours_along() -> None:
    """A file of its own has no variable left in it; a page gets both themes."""
    picture = charts.inlined(charts.status_bar({Status.FAIL: 3}), charts.DARK)
    assert parsed(picture).tag == "{http://www.w3.org/2000/svg}svg"
    assert charts.DARK["fail"] in picture
    assert charts.LIGHT["fail"] not in picture
    assert "var(" not in picture
    assert "@" not in picture
    for name, colour in charts.LIGHT.items():
        assert f"--chart-{name}:light-dark({colour},{charts.DARK[name]});" in charts.STYLE
    assert charts.LIGHT.keys() == charts.DARK.keys()


@pytest.mark.parametrize("theme", [charts.LIGHT, charts.DARK])
def test_letters_can_be_read_in_both_themes(theme: Theme) -> None:
    """4.5 : 1 at least, as WCAG AA asks; shapes 3 : 1 from the ground."""
    for letters, ground in [("ink", "ground"), ("soft", "ground"), ("on-unsure", "unsure")]:
        assert contrast(theme[letters], theme[ground]) >= 4.5
    for status in ("pass", "fail", "error"):
        assert contrast(theme["on-dark"], theme[status]) >= 4.5
        assert contrast(theme["ground"], theme[status]) >= 3


def contrast(one: str, other: str) -> float:
    """The ratio of two colours' luminance, by WCAG 2.2."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_a_chart_is_drawn_for_three_widths() -> None:
    """So that its letters have their size in a narrow place and a wide one."""
    drawn = charts.fitted(lambda width: charts.status_bar({Status.PASS: 1}, width=width))
    assert [part.attrib["width"] for part in parsed(drawn).iter("svg")] == ["340", "540", "1080"]


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
