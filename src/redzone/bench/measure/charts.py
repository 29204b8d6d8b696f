"""The charts of a bench: bars of stages, rates over time, and a sweep. Data in, SVG text out; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from redzone.bench.measure.svg import Axes, Point, area, curve, log_ticks, nice_ticks, svg, tag, text

IN_SIGHT = 3.0  # a limit more than three times above the data would flatten them: it is left out

# Widths in px at which the page shows them on a large screen, so that letters have their size.
_BAR_WIDTH, _BAR_LEFT, _BAR_RIGHT, _BAR_PITCH, _BAR_THICK = 1140.0, 100.0, 76.0, 34.0, 18.0
_PACE_WIDTH, _PACE_HEIGHT = 340.0, 200.0
_SWEEP_WIDTH, _SWEEP_HEIGHT = 1140.0, 420.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A horizontal bar; `limit` is a mark on the same scale, None for none."""

    label: str
    value: float
    told: str
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A curve over the seconds of a stage."""

    name: str
    css: str
    values: Sequence[float]
    filled: bool = False


@dataclass(frozen=True, slots=True)
class PaceChart:
    """Rates per minute, one value every `step_s`; `limit` and the `marks_s` of answers 429 are optional."""

    title: str
    step_s: float
    lines: Sequence[Line]
    limit: float | None = None
    marks_s: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class SweepChart:
    """Posters per minute over workers, both logarithmic, with the straight line of the first crew."""

    title: str
    points: Sequence[Point]
    per_worker: float
    ceiling: float | None
    knee: float
    little: float | None


def bars(rows: Sequence[Bar], title: str) -> str:
    """Bars with their labels on the left and their values on the right."""
    room = _BAR_WIDTH - _BAR_LEFT - _BAR_RIGHT
    most = max([row.value for row in rows] + [1e-9])
    limits = [row.limit for row in rows if row.limit is not None and row.limit <= IN_SIGHT * most]
    scale = room / max([most, *limits])
    parts: list[str] = []
    for number, row in enumerate(rows):
        y = 6 + number * _BAR_PITCH
        length = max(1.5, row.value * scale)
        parts.append(text(_BAR_LEFT - 12, y + _BAR_THICK / 2, row.label, "label end"))
        parts.append(_box(y, room, "track"))
        parts.append(_box(y, length, "bar", f"{row.label}: {row.told}"))
        if row.limit is not None and row.limit in limits:
            x = _BAR_LEFT + row.limit * scale
            hint = f"limit {row.limit:,g}"
            parts.append(tag("line", hint, css="limit", x1=x, x2=x, y1=y - 4, y2=y + _BAR_THICK + 4))
        parts.append(text(_BAR_WIDTH - _BAR_RIGHT + 12, y + _BAR_THICK / 2, row.told, "value"))
    return svg(parts, (_BAR_WIDTH, 12 + len(rows) * _BAR_PITCH - (_BAR_PITCH - _BAR_THICK)), title)


def _box(y: float, width: float, css: str, hint: str = "") -> str:
    return tag("rect", hint, css=css, x=_BAR_LEFT, y=y, width=width, height=_BAR_THICK, rx=3)


def pace(chart: PaceChart) -> str:
    """Rates over time, time in seconds from the start of the stage."""
    last = max((len(line.values) for line in chart.lines), default=1) - 1
    seconds = max(1e-9, chart.step_s * last)
    highest = max([1e-9, *(value for line in chart.lines for value in line.values)])
    limit = chart.limit if chart.limit is not None and chart.limit <= IN_SIGHT * highest else None
    ticks = nice_ticks(max(highest, limit or 0.0) * 1.08)
    axes = Axes(44.0, _PACE_WIDTH - 12, 12.0, _PACE_HEIGHT - 30, (0.0, 0.0), (seconds, ticks[-1]))
    parts = list(axes.grid(ticks))
    parts += [
        text(axes.x(at_s), _PACE_HEIGHT - 12, f"{at_s:g} s", "tick middle")
        for at_s in nice_ticks(seconds, 4)
        if at_s <= seconds * 1.001
    ]
    for line in chart.lines:
        points = [axes.at((index * chart.step_s, value)) for index, value in enumerate(line.values)]
        if line.filled and points:
            floor = [(points[-1][0], axes.bottom), (points[0][0], axes.bottom)]
            parts.append(area([*points, *floor], f"area {line.css}"))
        parts.append(curve(points, line.name, f"line {line.css}"))
    if limit is not None:
        parts.append(axes.level(limit, f"limit {limit:,g} a minute"))
        parts.append(text(axes.left + 4, axes.y(limit) - 9, f"limit {limit:,g}", "tick"))
    parts += [
        tag("circle", f"429 at {at:.1f} s", css="rejected", cx=axes.x(min(at, seconds)), cy=axes.bottom, r=4)
        for at in chart.marks_s
    ]
    return svg(parts, (_PACE_WIDTH, _PACE_HEIGHT), chart.title)


def sweep(chart: SweepChart) -> str:
    """Posters per minute over workers; straight is linear, flat is held back. Points ascend."""
    xs, ys = [x for x, _ in chart.points], [y for _, y in chart.points]
    ceiling = chart.ceiling if chart.ceiling is not None and chart.ceiling <= IN_SIGHT * max(ys) else None
    low = (xs[0], max(1e-3, min(ys) * 0.7))
    high = (max(xs[-1], xs[0] * 2), max(1e-2, *ys, ceiling or 0.0) * 1.5)
    axes = Axes(58.0, _SWEEP_WIDTH - 20, 20.0, _SWEEP_HEIGHT - 46, low, high, logarithmic=True)
    parts = list(axes.grid(log_ticks(low[1], high[1])))
    parts += [text(axes.x(x), _SWEEP_HEIGHT - 26, f"{x:g}", "tick middle") for x in xs]
    parts.append(text((axes.left + axes.right) / 2, _SWEEP_HEIGHT - 8, "workers", "tick middle"))
    if chart.per_worker > 0:
        end = min(high[0], high[1] / chart.per_worker)
        ideal = (xs[0], chart.per_worker * xs[0]), (end, chart.per_worker * end)
        parts.append(curve([axes.at(point) for point in ideal], "linear", "ideal"))
    if ceiling is not None:
        parts.append(axes.level(ceiling, f"{ceiling:,.0f} a minute"))
        parts.append(text(axes.left + 8, axes.y(ceiling) - 9, f"ceiling {ceiling:,.0f} a minute", "tick"))
    if chart.little is not None and xs[0] <= chart.little <= high[0]:
        x = axes.x(chart.little)
        parts.append(tag("line", css="law", x1=x, x2=x, y1=axes.top, y2=axes.bottom))
        parts.append(text(x + 6, axes.bottom - 10, f"Little's law: {chart.little:,.1f}", "tick"))
    parts.append(curve([axes.at(point) for point in chart.points], "measured", "line started"))
    parts += _dots(chart, axes)
    return svg(parts, (_SWEEP_WIDTH, _SWEEP_HEIGHT), chart.title)


def _dots(chart: SweepChart, axes: Axes) -> Iterator[str]:
    for x, y in chart.points:
        here = x == chart.knee
        hint = f"{x:g} workers: {y:,.0f} a minute"
        yield tag(
            "circle", hint, css="dot knee" if here else "dot", cx=axes.x(x), cy=axes.y(y), r=6 if here else 4
        )
        if here:
            yield text(axes.x(x), axes.y(y) + 20, "knee", "label middle")
