"""The report in a terminal: everything that was measured, in the width that there is."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from redzone.bench.measure.compare import compare
from redzone.bench.measure.profiles import Profile
from redzone.bench.measure.result_file import Bench
from redzone.bench.measure.table import as_json, format_bytes, format_cpu, format_use, notes, table_rows
from redzone.bench.measure.terminal_report import print_bench, print_comparison
from tests.bench.measure.samples import bench, packed, stage, swept


def printed(found: Bench, width: int) -> list[str]:
    """The lines of the report."""
    console = Console(file=io.StringIO(), width=width, highlight=False)
    print_bench(console, found)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


FULL = bench(
    stage("sequential", workers=1, posters=10, seconds=30.0, rpm=30, request_use=0.66),
    stage("parallel", rpm=120, request_use=0.97),
    stage("stress", rpm=120, request_use=0.98, auto_workers=True, peak_bytes=None, rejected=2),
    profile=Profile(name="seed", latency_s=3.0, rpm=120, baseline_rpm=30),
)


@pytest.mark.parametrize("width", [80, 120, 160])
@pytest.mark.parametrize(
    "found",
    [
        FULL,
        swept((1, 30), (10, 300), (20, 480), (50, 495), rpm=500),
        packed((1, 119), (4, 118), (16, 90), rpm=120),
        bench(stage("pack 16", pack=16, posters=2000, requests=1999, seconds=1234.5, tokens=9_999_999)),
    ],
)
def test_a_report_fits_the_terminal(found: Bench, width: int) -> None:
    """No line is wider, and no figure is cut."""
    lines = printed(found, width)
    assert max(len(line) for line in lines) <= width
    assert "…" not in "".join(lines)


def test_the_table_has_a_row_for_every_figure_and_a_column_for_every_stage() -> None:
    """In the issue's order, with the speed-up over the first stage."""
    rows = {row.label: row.cells for row in table_rows(FULL)}
    assert rows["posters/min"] == ("20", "300", "300")
    assert rows["speed-up"] == ("1.0x", "15.0x", "15.0x")
    assert rows["seconds/poster"] == ("3", "0.2", "0.2")
    assert rows["workers"] == ("1", "10", "auto, 10")
    assert rows["use of the limit"] == ("66% of 30", "97% of 120", "98% of 120")
    assert rows["429 responses"] == ("0", "0", "2")
    assert rows["CPU ms/poster"] == ("4.0 ±0.5",) * 3
    assert rows["peak memory"] == ("90.0 MB", "90.0 MB", "-")
    assert rows["images fetched"] == ("370.0 kB",) * 3
    assert rows["bottleneck"] == ("workers", "request limit", "request limit")
    text = "\n".join(printed(FULL, 100))
    assert "profile seed: 3.0s per answer, 120 requests/min, sequential 30/min" in text
    assert "2 requests got a 429 response" in text


def test_figures_that_are_not_known_are_not_made_up() -> None:
    """A dash, `no limit`, and the tokens where they are the nearer limit."""
    assert format_bytes(None) == "-"
    assert format_bytes(12) == "12 B"
    assert format_use(stage()) == "no limit"
    assert format_use(stage(rpm=10)) == "-"
    assert format_use(stage(rpm=500, request_use=0.3, tpm=200_000, token_use=0.9)) == "90% of 200,000 tok"
    assert format_cpu(stage(cpu_ms_per_poster=None)) == "-"
    assert format_cpu(stage(cpu_ms_per_poster=39.3, cpu_ms_error=37.7)) == "39 ±38"


def test_the_json_of_a_sweep_has_its_knee_and_no_curves() -> None:
    """What a script wants to read, without 121 samples of three lines a stage."""
    told = as_json(swept((1, 30), (10, 300), (20, 480), rpm=500))
    plain = json.loads(json.dumps(told))
    assert (plain["knee"]["linear_to"], plain["knee"]["knee"]) == (10, 20)
    assert [stage["of_linear"] for stage in plain["stages"]] == [1.0, 1.0, 0.8]
    assert all("pace" not in stage for stage in plain["stages"])


def test_the_json_of_packs_has_their_rates_and_no_curves() -> None:
    """Posters a minute while requests started, and how often that of the smallest pack."""
    told = json.loads(json.dumps(as_json(packed((1, 120), (4, 60), rpm=120))))
    figures = [[stage[name] for name in ("pack", "asked_per_min", "times")] for stage in told["stages"]]
    assert figures == [[1, 120.0, 1.0], [4, 240.0, 2.0]]
    assert all("pace" not in stage for stage in told["stages"])
    assert any("labels" in line for line in told["advice"])


def test_a_scaled_bench_says_so() -> None:
    """First of all notes."""
    assert notes(bench(scale=0.1))[0].startswith("Latencies are multiplied by 0.1 (--scale)")
    assert len(notes(bench())) == 4


def test_a_comparison_shows_both_sides_and_the_ratio() -> None:
    """And at 80 columns it fits."""
    console = Console(file=io.StringIO(), width=80, highlight=False)
    print_comparison(console, compare(bench(), bench(stage("parallel", seconds=5.0), scale=0.1)))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "2.00x" in text
    assert "better" in text
    assert "The scale differs: A 1.0, B 0.1." in text
    assert max(len(line) for line in text.splitlines()) <= 80
