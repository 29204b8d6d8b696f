"""Rates over time against a limit, from seconds to days."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from redzone.charts.bars import IN_SIGHT
from redzone.charts.key import Entry, key
from redzone.charts.svg import Axes, Point, area, curve, nice_ticks, short, svg, tag, text, thinned

_LEFT, _EDGE, _TOP, _FOOT = 48.0, 26.0, 16.0, 28.0
_COLUMNS = 300  # more could not be told apart under a line of 2 px
_LEAST_RATE = 0.1  # a minute; so that a run that has not begun has an axis
_MINUTE_S, _HOUR_S, _DAY_S = 60.0, 3600.0, 86400.0
# the unit that people count them in, seconds of one, and how many of it may lie between two marks
_UNITS = (
    ("d", _DAY_S, (1, 2, 7, 14, 28)),
    ("h", _HOUR_S, (1, 2, 3, 6, 12)),
    ("min", _MINUTE_S, (1, 2, 5, 10, 15, 30)),
    ("s", 1.0, (1, 2, 5, 10, 15, 30)),
)


@dataclass(frozen=True, slots=True)
class PaceLine:
    """A curve of (seconds, value) points, x ascending; `css` is `first`, `second` or `third`."""

    name: str
    css: str
    points: Sequence[Point]
    filled: bool = False


@dataclass(frozen=True, slots=True)
class PaceChart:
    """Rates per minute over the seconds of a run, with a limit and the seconds of 429 responses.

    Where two points lie more than `gap_s` apart, the run stood still: the curve is broken.
    """

    title: str
    lines: Sequence[PaceLine]
    limit: float | None = None
    marks_s: Sequence[float] = ()
    gap_s: float | None = None


def pace(chart: PaceChart, *, width: float = 680.0, height: float = 240.0) -> str:
    """Rates over time. Long runs are thinned out to what can be seen, with their peaks."""
    seconds = max([1.0, *(line.points[-1][0] for line in chart.lines if line.points)])
    highest = max([_LEAST_RATE, *(value for line in chart.lines for _, value in line.points)])
    limit = chart.limit if chart.limit is not None and chart.limit <= IN_SIGHT * highest else None
    ticks = nice_ticks(max(highest, limit or 0.0) * 1.08)
    entries = [Entry(f"line {line.css}", line.name) for line in chart.lines]
    if chart.marks_s:
        entries.append(Entry("rejected", "429 responses"))
    parts, above = key(entries, 0, width)
    axes = Axes(_LEFT, width - _EDGE, _TOP + above, height - _FOOT, (0.0, 0.0), (seconds, ticks[-1]))
    parts += axes.grid(ticks)
    for at_s, words in time_ticks(seconds, 4 if width < 480 else 8):
        parts.append(text(axes.x(at_s), height - 12, words, "tick middle"))
    for line in chart.lines:
        parts += _curves(line, axes, chart.gap_s)
    parts += _limit(chart.limit, limit, axes)
    columns = {round(axes.x(at_s)): at_s for at_s in chart.marks_s if at_s >= 0}
    parts += [
        tag("circle", f"429 at {at_s:.1f} s", css="rejected", cx=x, cy=axes.bottom, r=4)
        for x, at_s in sorted(columns.items())
    ]
    return svg(parts, (width, height), _told(chart, highest))


def time_ticks(seconds: float, wanted: int) -> list[tuple[float, str]]:
    """Round instants from 0 to `seconds`, about `wanted` of them, each with its words: `15 min`."""
    steps = [(count * size, size, unit) for unit, size, counts in _UNITS for count in counts]
    fitting = [step for step in steps if step[0] * wanted >= seconds]
    if seconds < wanted:
        return [(at_s, f"{at_s:g} s") for at_s in nice_ticks(seconds, wanted) if at_s <= seconds * 1.001]
    step_s, size_s, unit = min(fitting, default=None) or _many_days(seconds, wanted)
    return [
        (number * step_s, f"{number * step_s / size_s:g} {unit}")
        for number in range(int(seconds / step_s * 1.001) + 1)
    ]


def _many_days(seconds: float, wanted: int) -> tuple[float, float, str]:
    return nice_ticks(seconds / _DAY_S, wanted)[1] * _DAY_S, _DAY_S, "d"


def _curves(line: PaceLine, axes: Axes, gap_s: float | None) -> Iterator[str]:
    for piece in _pieces(line.points, gap_s):
        points = [axes.at(point) for point in thinned(piece, _COLUMNS)]
        if line.filled:
            floor = [(points[-1][0], axes.bottom), (points[0][0], axes.bottom)]
            yield area([*points, *floor], f"area {line.css}")
        yield curve(points, line.name, f"line {line.css}")


def _pieces(points: Sequence[Point], gap_s: float | None) -> Iterator[Sequence[Point]]:
    begin = 0
    for index in range(1, len(points)):
        if gap_s is not None and points[index][0] - points[index - 1][0] > gap_s:
            yield points[begin:index]
            begin = index
    if begin < len(points):
        yield points[begin:]


def _limit(limit: float | None, shown: float | None, axes: Axes) -> Iterator[str]:
    if limit is None:
        return
    words = f"limit {short(limit)}"
    if shown is None:
        yield text(axes.right, axes.top - 7, f"{words} per minute, far above", "tick halo end")
        return
    yield axes.level(shown, f"limit {shown:,g} per minute")
    yield text(axes.left + 4, axes.y(shown) - 9, words, "tick halo")


def _told(chart: PaceChart, highest: float) -> str:
    names = ", ".join(line.name for line in chart.lines)
    limit = f", limit {chart.limit:,g}" if chart.limit is not None else ""
    return f"{chart.title}: {names} per minute, peak {highest:,.4g}{limit}"
