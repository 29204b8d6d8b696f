"""A bench as one HTML page that needs nothing else: no script, no file, no network; light and dark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from redzone import charts
from redzone.bench.measure import packs
from redzone.bench.measure.advice import advise
from redzone.bench.measure.result_file import Bench, StageFigures
from redzone.bench.measure.sweep import explain, find_knee
from redzone.bench.measure.table import (
    PACK_HEAD,
    SWEEP_HEAD,
    Row,
    about,
    notes,
    pack_cells,
    sweep_cells,
    table_rows,
)
from redzone.charts import IN_SIGHT
from redzone.charts.svg import Axes, Point, curve, log_ticks, svg, tag, text
from redzone.terminal.formatting import format_count, format_rate

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
:root{color-scheme:light dark;--ground:#fafaf8;--card:#fff;--ink:#1c1d22;--soft:#6a6c76;--rule:#e4e4e0;
--track:#efefeb;--a:#d1373f;--b:#2f6fb7;--limit:#8a6d1f;--good:#1f7a4d}
@media(prefers-color-scheme:dark){:root{--ground:#141519;--card:#1c1e24;--ink:#ececf0;--soft:#9a9ca8;
--rule:#2e313a;--track:#262931;--a:#ff6b6b;--b:#6cb0ff;--limit:#e0b84c;--good:#5fd39a}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,sans-serif;
font-variant-numeric:tabular-nums}
main{max-width:1240px;margin:0 auto;padding:40px 24px 64px}
h1{font-size:28px;line-height:1.2;margin:0 0 4px;letter-spacing:-.01em}
h2{font-size:15px;margin:0 0 12px}
p{margin:0}
.soft{color:var(--soft)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(180px,1fr));gap:16px;margin:28px 0}
.tile,.card{background:var(--card);border:1px solid var(--rule);border-radius:10px}
.tile{padding:16px 20px}
.tile b{display:block;font-size:30px;line-height:1.2;letter-spacing:-.02em}
.card{padding:20px 24px;margin:0 0 20px}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(340px,1fr));gap:20px}
.over{margin:28px 0 12px}
.pair .card{margin:0}
.pair+.card{margin-top:20px}
.advice{border-left:4px solid var(--a)}
.advice p+p{margin-top:8px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%}
th,td{padding:7px 0 7px 24px;text-align:right;border-top:1px solid var(--rule);white-space:nowrap}
thead th{border-top:0;padding-top:0}
th:first-child,td:first-child{text-align:left;padding-left:0}
tbody th{font-weight:400;color:var(--soft)}
tr.strong td{font-weight:650}
.key{display:flex;flex-wrap:wrap;gap:4px 20px;color:var(--soft);font-size:13px;margin-top:8px}
.key i{display:inline-block;width:18px;height:0;border-top:3px solid;margin-right:6px;vertical-align:middle}
.key .dash{border-top:2px dashed}
.card.notes{margin-top:20px;font-size:13px;color:var(--soft)}
.notes li{margin:4px 0}
.pair .key{margin-top:4px}
.notes ul{margin:0;padding-left:18px}
.chart{width:100%}
@media print{body{background:#fff}.card,.tile{break-inside:avoid}}
"""


def render_page(bench: Bench) -> str:
    """The page, whole."""
    return "".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            f"<title>redzone {bench.kind}: {escape(about(bench))}</title>",
            f"<style>{charts.STYLE}{_STYLE}</style></head>",
            "<body><main>",
            f"<h1>{_title(bench)}</h1><p class=soft>{escape(about(bench))}</p>",
            *{"bench": _bench, "sweep": _sweep, "pack": _pack}[bench.kind](bench),
            _notes(bench),
            "</main></body></html>\n",
        )
    )


def _title(bench: Bench) -> str:
    return "redzone bench" if bench.kind == "bench" else f"redzone bench {bench.kind}"


def _bench(bench: Bench) -> Iterator[str]:
    fastest = bench.fastest
    use = fastest.limit_use
    yield _tiles(
        (
            (format_rate(fastest.posters_per_min), f"posters a minute ({fastest.name})"),
            (f"{bench.speed_up(fastest):.1f}x", f"over {bench.baseline.name}"),
            (f"{use:.0%}" if use is not None else "none", _of_the_limit(use)),
            (format_count(sum(stage.rejected for stage in bench.stages)), "requests answered 429"),
        )
    )
    yield _advice(advise(bench))
    yield _card("Posters a minute", _bars([(s.name, s.posters_per_min, s.rpm) for s in bench.stages]))
    drawn = "".join(_card(_heading(stage), _pace(stage)) for stage in bench.stages)
    yield f"<h2 class=over>Rates a minute, over the seconds of each stage</h2><div class=pair>{drawn}</div>"
    figures = _table(("", *(stage.name for stage in bench.stages)), table_rows(bench))
    yield _card("Figures", figures)


def _sweep(bench: Bench) -> Iterator[str]:
    knee = find_knee(bench)
    yield _tiles(
        (
            (format_rate(knee.best_per_min), "posters a minute at most"),
            (str(knee.linear_to), "workers: linear up to here"),
            (str(knee.knee), "workers: the knee"),
            (f"{knee.little:.1f}" if knee.little is not None else "none", "workers by Little's law"),
        )
    )
    yield _advice(explain(knee))
    points = sorted((float(stage.workers), stage.steady_per_min) for stage in bench.stages)
    title = "Posters a minute by workers"
    chart = SweepChart(title, points, knee.one_per_min, knee.ceiling_per_min, float(knee.knee), knee.little)
    drawn = sweep(chart)
    key = (
        ("a", "", "measured"),
        ("soft", "dash", "linear"),
        ("limit", "dash", "ceiling"),
        ("b", "dash", "Little's law"),
    )
    yield _card(title, drawn + _legend(key))
    yield _card("Figures", _listing(SWEEP_HEAD, [sweep_cells(bench, stage) for stage in bench.stages]))


def _pack(bench: Bench) -> Iterator[str]:
    best = max(bench.stages, key=packs.asked_per_min)
    use, base = packs.use(best), packs.baseline(bench)
    yield _tiles(
        (
            (format_rate(packs.asked_per_min(best)), f"posters a minute ({best.name})"),
            (f"{packs.times(bench, best):.1f}x", f"over {base.name}"),
            (f"{use:.0%}" if use is not None else "none", _of_the_limit(use)),
            (format_count(sum(stage.rejected for stage in bench.stages)), "requests answered 429"),
        )
    )
    yield _advice(packs.explain(bench))
    rows = [(stage.name, packs.asked_per_min(stage), packs.ceiling(stage)) for stage in bench.stages]
    yield _card("Posters a minute", _bars(rows))
    yield _card("Figures", _listing(PACK_HEAD, [pack_cells(bench, stage) for stage in bench.stages]))


def _tiles(tiles: Sequence[tuple[str, str]]) -> str:
    inside = (
        f"<div class=tile><b>{escape(figure)}</b><span class=soft>{escape(what)}</span></div>"
        for figure, what in tiles
    )
    return f"<div class=tiles>{''.join(inside)}</div>"


def _advice(sentences: Sequence[str]) -> str:
    return f"<div class='card advice'>{''.join(f'<p>{escape(sentence)}</p>' for sentence in sentences)}</div>"


def _card(title: str, inside: str) -> str:
    return f"<section class=card><h2>{escape(title)}</h2>{inside}</section>"


def _of_the_limit(use: float | None) -> str:
    return "of the limit used" if use is not None else "limit in force"


def _bars(stages: Sequence[tuple[str, float, int | None]]) -> str:
    """Name, rate and limit of each."""
    rows = [charts.Bar(name, rate, format_rate(rate), limit) for name, rate, limit in stages]
    drawn = charts.bars(rows, "Posters a minute", width=1140)
    return drawn + (_legend([_LIMIT]) if 'class="limit"' in drawn else "")


def _heading(stage: StageFigures) -> str:
    crew = "one at a time" if stage.workers == 1 else f"{stage.workers} workers"
    return f"{stage.name}: {stage.posters:,} posters, {crew}"


def _pace(stage: StageFigures) -> str:
    pace = stage.pace
    lines = (
        charts.PaceLine("requests started", "first", _points(pace.step_s, pace.started_per_min), filled=True),
        charts.PaceLine("outcomes", "second", _points(pace.step_s, pace.finished_per_min)),
    )
    chart = charts.PaceChart(f"Rate over time, {stage.name}", lines, stage.rpm, pace.rejected_at_s)
    return charts.fitted(lambda width: charts.pace(chart, width=width))


def _points(step_s: float, values: Sequence[float]) -> list[tuple[float, float]]:
    return [(index * step_s, value) for index, value in enumerate(values)]


_LIMIT = ("limit", "dash", "limit")


def _legend(parts: Sequence[tuple[str, str, str]]) -> str:
    items = (
        f'<span><i class="{css}" style="color:var(--{colour})"></i>{escape(name)}</span>'
        for colour, css, name in parts
    )
    return f"<div class=key>{''.join(items)}</div>"


def _listing(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A line for each stage."""
    return _table(head, [Row(line[0], tuple(line[1:])) for line in lines])


def _table(head: Sequence[str], rows: Sequence[Row]) -> str:
    top = "".join(f"<th scope=col>{escape(name)}</th>" for name in head)
    body = "".join(
        f"<tr{' class=strong' if row.strong else ''}><th scope=row>{escape(row.label)}</th>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in row.cells)
        + "</tr>"
        for row in rows
    )
    return f"<div class=scroll><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"


def _notes(bench: Bench) -> str:
    smooth = "Rates over time are smoothed by a triangle; its half width: " + ", ".join(
        f"{stage.name} {stage.pace.window_s:.1f} s" for stage in bench.stages
    )
    said = [*notes(bench), *([smooth + "."] if bench.kind == "bench" else [])]
    items = "".join(f"<li>{escape(note)}</li>" for note in said)
    return f"<section class='card notes'><h2>How it was measured</h2><ul>{items}</ul></section>"


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
