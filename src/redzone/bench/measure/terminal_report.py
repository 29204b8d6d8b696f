"""Prints a bench in the terminal: a table with a column for each stage, bars, and advice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from redzone.bench.measure import packs
from redzone.bench.measure.advice import advise, find_bottleneck
from redzone.bench.measure.compare import BenchComparison
from redzone.bench.measure.result_file import Bench, StageFigures
from redzone.bench.measure.sweep import explain, find_knee
from redzone.bench.measure.table import (
    PACK_HEAD,
    SWEEP_HEAD,
    describe,
    notes,
    pack_cells,
    sweep_cells,
    table_rows,
)
from redzone.charts import IN_SIGHT
from redzone.diagnostics import Topic
from redzone.terminal.formatting import format_rate
from redzone.terminal.lines import DIM, LABEL, Legible, TextBar

BAR_CELLS = 60
AT_THE_LIMIT = "green"
BELOW = "cyan"


def print_bench(console: Console, bench: Bench) -> None:
    """Print the report of a bench of any kind."""
    sections = {"bench": _bench, "sweep": _sweep, "pack": _pack}[bench.kind]
    console.print(Legible(Group(*sections(bench))))


def print_comparison(console: Console, found: BenchComparison) -> None:
    """Print the comparison of two benches."""
    console.print(Legible(Group(*_comparison(found))))


def _bench(bench: Bench) -> Iterator[RenderableType]:
    yield Text(describe(bench), style="bold")
    yield Text()
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column("")
    for stage in bench.stages:
        table.add_column(stage.name, justify="right", no_wrap=True)
    for row in table_rows(bench):
        table.add_row(Text(row.label, style=LABEL), *row.cells, style="bold" if row.strong else "")
    yield table
    yield Text()
    yield _bars([(stage, stage.posters_per_min, stage.rpm) for stage in bench.stages])
    yield Text()
    yield from _sentences(advise(bench))
    yield Text()
    yield from _small_print(bench)


def _bars(stages: Sequence[tuple[StageFigures, float, int | None]]) -> Table:
    """Bars of posters per minute, relative to the highest rate or limit."""
    most = max(rate for _, rate, _ in stages)
    # a limit far above the rates would make the bars too short
    most = max([most, *(limit for _, _, limit in stages if limit and limit <= IN_SIGHT * most)])
    table = Table.grid(padding=(0, 2, 0, 0), expand=False)
    for stage, rate, limit in stages:
        limited = find_bottleneck(stage) in (Topic.REQUESTS, Topic.TOKENS)
        bar = TextBar(rate / most if most > 0 else 0.0, BAR_CELLS, AT_THE_LIMIT if limited else BELOW)
        rate_text = Text.assemble((f"{format_rate(rate):>7}", "bold"), ("/min", LABEL))
        limit_text = Text(f"limit {limit:,}" if limit else "", style=DIM)
        table.add_row(Text(stage.name, style=LABEL), bar, rate_text, limit_text)
    return table


def _sweep(bench: Bench) -> Iterator[RenderableType]:
    knee = find_knee(bench)
    yield Text(describe(bench), style="bold")
    yield Text()
    table = _listing(SWEEP_HEAD)
    table.add_column("", style="bold green")
    for stage in bench.stages:
        mark = "knee" if stage.workers == knee.knee else ""
        table.add_row(*sweep_cells(bench, stage), mark)
    yield table
    yield Text()
    yield _bars([(stage, stage.steady_per_min, stage.rpm) for stage in bench.stages])
    yield Text()
    yield from _sentences(explain(knee))
    yield Text()
    yield from _small_print(bench)


def _pack(bench: Bench) -> Iterator[RenderableType]:
    yield Text(describe(bench), style="bold")
    yield Text()
    table = _listing(PACK_HEAD)
    for stage in bench.stages:
        table.add_row(*pack_cells(bench, stage))
    yield table
    yield Text()
    yield _bars(
        [(stage, packs.steady_posters_per_min(stage), packs.ceiling(stage)) for stage in bench.stages]
    )
    yield Text()
    yield from _sentences(packs.explain(bench))
    yield Text()
    yield from _small_print(bench)


def _listing(head: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in head:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _sentences(sentences: Sequence[str]) -> Iterator[RenderableType]:
    for sentence in sentences:
        yield _hanging("→", Text(sentence))


def _small_print(bench: Bench) -> Iterator[RenderableType]:
    for note in notes(bench):
        yield _hanging("·", Text(note, style=DIM))


def _hanging(sign: str, text: Text) -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_row(Text(sign, style=DIM), text)
    return grid


def _comparison(found: BenchComparison) -> Iterator[RenderableType]:
    for side, bench in (("A", found.before), ("B", found.after)):
        yield Text.assemble(
            (f"{side}  ", "bold"),
            f"{bench.made_at:%Y-%m-%d %H:%M}, redzone {bench.redzone}, ",
            describe(bench),
        )
    yield Text()
    for stage in found.stages:
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
        table.add_column(stage.name, min_width=16)
        for name in ("A", "B", "B/A"):
            table.add_column(name, justify="right", no_wrap=True, min_width=8)
        table.add_column("", no_wrap=True)
        for line in stage.lines:
            style = {"better": "green", "worse": "red"}.get(line.verdict, "")
            table.add_row(
                Text(line.label, style=LABEL),
                line.before,
                line.after,
                line.ratio_text,
                Text(line.verdict, style=style),
            )
        yield Padding(table, (0, 0, 1, 0))
    yield from _sentences(found.remarks)
