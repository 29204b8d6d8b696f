"""The chart of a sweep: data in, SVG text out; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from redzone.charts import IN_SIGHT
from redzone.charts.svg import Axes, Point, curve, log_ticks, svg, tag, text

# px, as wide as the page shows it on a large screen, so that letters have their size
_WIDTH, _HEIGHT = 1140.0, 420.0


@dataclass(frozen=True, slots=True)
class SweepChart:
    """Posters per minute over workers, both logarithmic, with the straight line of the first crew."""

    title: str
    points: Sequence[Point]
    per_worker: float
    ceiling: float | None
    knee: float
    little: float | None


def sweep(chart: SweepChart) -> str:
    """Posters per minute over workers; straight is linear, flat is held back. Points ascend."""
    xs, ys = [x for x, _ in chart.points], [y for _, y in chart.points]
    ceiling = chart.ceiling if chart.ceiling is not None and chart.ceiling <= IN_SIGHT * max(ys) else None
    low = (xs[0], max(1e-3, min(ys) * 0.7))
    high = (max(xs[-1], xs[0] * 2), max(1e-2, *ys, ceiling or 0.0) * 1.5)
    axes = Axes(58.0, _WIDTH - 20, 20.0, _HEIGHT - 46, low, high, logarithmic=True)
    parts = list(axes.grid(log_ticks(low[1], high[1])))
    parts += [text(axes.x(x), _HEIGHT - 26, f"{x:g}", "tick middle") for x in xs]
    parts.append(text((axes.left + axes.right) / 2, _HEIGHT - 8, "workers", "tick middle"))
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
    parts.append(curve([axes.at(point) for point in chart.points], "measured", "line first"))
    parts += _dots(chart, axes)
    return svg(parts, (_WIDTH, _HEIGHT), chart.title)


def _dots(chart: SweepChart, axes: Axes) -> Iterator[str]:
    for x, y in chart.points:
        here = x == chart.knee
        hint = f"{x:g} workers: {y:,.0f} a minute"
        yield tag(
            "circle", hint, css="dot knee" if here else "dot", cx=axes.x(x), cy=axes.y(y), r=6 if here else 4
        )
        if here:
            yield text(axes.x(x), axes.y(y) + 20, "knee", "label middle")
