"""A bench as one self-contained HTML page: no script, no other file, no network; light and dark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files

from redzone import charts
from redzone.bench.measure import packs
from redzone.bench.measure.advice import advise
from redzone.bench.measure.result_file import Bench, StageFigures
from redzone.bench.measure.sweep import explain, find_knee
from redzone.bench.measure.table import (
    PACK_HEAD,
    SWEEP_HEAD,
    Row,
    describe,
    notes,
    pack_cells,
    sweep_cells,
    table_rows,
)
from redzone.charts import IN_SIGHT
from redzone.charts.svg import Axes, Point, curve, log_ticks, svg, tag, text
from redzone.terminal.formatting import format_count, format_rate

_LIMIT = ("limit", "dash", "limit")
_SWEEP_KEY = (
    ("a", "", "measured"),
    ("soft", "dash", "linear"),
    ("limit", "dash", "ceiling"),
    ("b", "dash", "Little's law"),
)


@dataclass(frozen=True, slots=True)
class _PageContent:
    """What the template shows. A tile is (figure, label), an entry of the key (colour, class, label), of
    `rates` (title, SVG)."""

    tiles: Sequence[tuple[str, str]]
    advice: Sequence[str]
    chart_title: str
    chart: str
    key: Sequence[tuple[str, str, str]]
    head: Sequence[str]
    rows: Sequence[Row]
    rates: Sequence[tuple[str, str]] = ()


def render_page(bench: Bench) -> str:
    """Return the complete page."""
    # 30 ms to import, which a bench without a page does not need
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("redzone.bench.measure"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    css = files("redzone.bench.measure").joinpath("templates", "page.css").read_text(encoding="utf-8")
    return environment.get_template("page.html").render(
        kind=bench.kind,
        heading="redzone bench" if bench.kind == "bench" else f"redzone bench {bench.kind}",
        about=describe(bench),
        style=charts.STYLE + "\n" + css,
        page={"bench": _bench, "sweep": _sweep, "pack": _pack}[bench.kind](bench),
        notes=_notes(bench),
    )


def _bench(bench: Bench) -> _PageContent:
    fastest = bench.fastest
    bars = _bars([(stage.name, stage.posters_per_min, stage.rpm) for stage in bench.stages])
    return _PageContent(
        tiles=(
            (format_rate(fastest.posters_per_min), f"posters a minute ({fastest.name})"),
            (f"{bench.speed_up(fastest):.1f}x", f"over {bench.baseline.name}"),
            *_limit_tiles(bench, fastest.limit_use),
        ),
        advice=advise(bench),
        chart_title="Posters a minute",
        chart=bars,
        key=_bars_key(bars),
        rates=[(_stage_title(stage), _rate_chart(stage)) for stage in bench.stages],
        head=("", *(stage.name for stage in bench.stages)),
        rows=table_rows(bench),
    )


def _sweep(bench: Bench) -> _PageContent:
    knee = find_knee(bench)
    points = sorted((float(stage.workers), stage.steady_per_min) for stage in bench.stages)
    title = "Posters a minute by workers"
    chart = SweepChart(title, points, knee.one_per_min, knee.ceiling_per_min, float(knee.knee), knee.little)
    return _PageContent(
        tiles=(
            (format_rate(knee.best_per_min), "posters a minute at most"),
            (str(knee.linear_to), "workers: linear up to here"),
            (str(knee.knee), "workers: the knee"),
            (f"{knee.little:.1f}" if knee.little is not None else "none", "workers by Little's law"),
        ),
        advice=explain(knee),
        chart_title=title,
        chart=sweep(chart),
        key=_SWEEP_KEY,
        head=SWEEP_HEAD,
        rows=_stage_rows([sweep_cells(bench, stage) for stage in bench.stages]),
    )


def _pack(bench: Bench) -> _PageContent:
    best = max(bench.stages, key=packs.steady_posters_per_min)
    bars = _bars(
        [(stage.name, packs.steady_posters_per_min(stage), packs.ceiling(stage)) for stage in bench.stages]
    )
    return _PageContent(
        tiles=(
            (format_rate(packs.steady_posters_per_min(best)), f"posters a minute ({best.name})"),
            (f"{packs.speed_up(bench, best):.1f}x", f"over {packs.baseline(bench).name}"),
            *_limit_tiles(bench, packs.use(best)),
        ),
        advice=packs.explain(bench),
        chart_title="Posters a minute",
        chart=bars,
        key=_bars_key(bars),
        head=PACK_HEAD,
        rows=_stage_rows([pack_cells(bench, stage) for stage in bench.stages]),
    )


def _limit_tiles(bench: Bench, use: float | None) -> Iterator[tuple[str, str]]:
    yield ("none", "limit in force") if use is None else (f"{use:.0%}", "of the limit used")
    yield format_count(sum(stage.rejected for stage in bench.stages)), "429 responses"


def _bars(stages: Sequence[tuple[str, float, int | None]]) -> str:
    """A bar for each (name, rate, limit)."""
    rows = [charts.Bar(name, rate, format_rate(rate), limit) for name, rate, limit in stages]
    return charts.bars(rows, "Posters a minute", width=1140)


def _bars_key(drawn: str) -> Sequence[tuple[str, str, str]]:
    return [_LIMIT] if 'class="limit"' in drawn else []


def _stage_title(stage: StageFigures) -> str:
    workers = "one at a time" if stage.workers == 1 else f"{stage.workers} workers"
    return f"{stage.name}: {stage.posters:,} posters, {workers}"


def _rate_chart(stage: StageFigures) -> str:
    pace = stage.pace
    lines = (
        charts.PaceLine("requests started", "first", _points(pace.step_s, pace.started_per_min), filled=True),
        charts.PaceLine("outcomes", "second", _points(pace.step_s, pace.finished_per_min)),
    )
    chart = charts.PaceChart(f"Rate over time, {stage.name}", lines, stage.rpm, pace.rejected_at_s)
    return charts.fitted(lambda width: charts.pace(chart, width=width))


def _points(step_s: float, values: Sequence[float]) -> list[tuple[float, float]]:
    return [(index * step_s, value) for index, value in enumerate(values)]


def _stage_rows(lines: Sequence[Sequence[str]]) -> list[Row]:
    """A row for each stage."""
    return [Row(line[0], tuple(line[1:])) for line in lines]


def _notes(bench: Bench) -> tuple[str, ...]:
    if bench.kind != "bench":
        return notes(bench)
    widths = ", ".join(f"{stage.name} {stage.pace.window_s:.1f} s" for stage in bench.stages)
    return (
        *notes(bench),
        f"Rates over time are smoothed by a triangle; its half width: {widths}.",
    )


# px: the width of the page's column on a large screen, so that text is shown at its size
_WIDTH, _HEIGHT = 1140.0, 420.0


@dataclass(frozen=True, slots=True)
class SweepChart:
    """Posters per minute over workers, both logarithmic. `per_worker` is the slope of the linear line."""

    title: str
    points: Sequence[Point]
    per_worker: float
    ceiling: float | None
    knee: float
    little: float | None


def sweep(chart: SweepChart) -> str:
    """Draw posters per minute over workers: a straight line is linear scaling, a flat one a bottleneck.
    Points are in ascending order."""
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
