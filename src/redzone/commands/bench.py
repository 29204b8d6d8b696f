"""`redzone bench`: measures speed against a simulator, or against the real API."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from redzone.commands.simulator import parse_size, serve
from redzone.commands.terminal import JsonOption, print_json, say, stderr
from redzone.errors import ExitCode, Interrupted, SettingsInvalid, UsageError

if TYPE_CHECKING:
    from redzone.bench.measure.result_file import Bench
    from redzone.bench.measure.stages import BenchStage, BenchTarget, Kind

app = typer.Typer()
app.command()(serve)

PARALLEL_WORKERS = 10
LIVE_POSTERS = 10
MOST_PACK = 16


@app.callback(invoke_without_command=True)
def bench(  # noqa: PLR0913  Typer reads an option from each argument
    context: typer.Context,
    profile: ProfileOption = None,
    posters: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Posters in the stress stage, and the most in any stage. [100, live 10]"
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", "-w", metavar="N", min=1, help="Workers in the parallel stage.")
    ] = PARALLEL_WORKERS,
    stress_workers: Annotated[
        str, typer.Option(metavar="N|auto", help="Workers in the stress stage.")
    ] = "auto",
    latency: LatencyOption = None,
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    fault: FaultOption = None,
    scale: ScaleOption = 1.0,
    size: SizeOption = "300x450",
    pin: PinOption = False,
    live: Annotated[
        str | None,
        typer.Option("--live", metavar="INPUT", help="Measure the configured real API with this input."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Accept the cost of --live without asking.")
    ] = False,
    as_json: JsonOption = False,
    html: HtmlOption = None,
    output: SaveOption = None,
) -> None:
    """Measure speed in three stages, against a simulator or with --live the real API.

    Examples:

      redzone bench

      redzone bench --profile seed --scale 0.1 --html bench.html

      redzone bench --rpm 600 --latency 1 --posters 500 -o before.json
    """
    if context.invoked_subcommand is not None:
        return
    from redzone.bench.measure.profiles import DEFAULT, ProfileChanges, choose
    from redzone.bench.measure.stages import STRESS_POSTERS, BenchTarget, bench_stages

    changes = ProfileChanges(latency, rpm, tpm, tuple(fault or ()))
    if live is not None and (profile is not None or changes != ProfileChanges() or scale != 1.0):
        raise UsageError(
            "--profile, --latency, --rpm, --tpm, --fault and --scale cannot be combined with --live"
        )
    parse_size(size)
    stress = _parse_workers(stress_workers)
    stages = bench_stages(
        posters or (LIVE_POSTERS if live else STRESS_POSTERS), workers, stress, live=live is not None
    )
    check_outputs(output, html)
    with work_folder() as folder:
        if live is None:
            target = BenchTarget(choose(profile or DEFAULT, changes, scale), scale, size)
        else:
            target = live_target(live, stages, folder, yes=yes)
        found = measure(target, stages, folder, "bench", pin=pin)
    write_results(found, output, html, as_json=as_json)


@app.command()
def sweep(  # noqa: PLR0913
    workers: Annotated[
        str, typer.Option("--workers", "-w", metavar="N,N,...", help="The numbers of workers to try.")
    ] = "1,2,5,10,20,50,100,200",
    profile: ProfileOption = None,
    posters: Annotated[
        int | None, typer.Option(metavar="N", min=2, help="Most posters for one number of workers.")
    ] = None,
    latency: LatencyOption = None,
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    fault: FaultOption = None,
    scale: ScaleOption = 1.0,
    size: SizeOption = "300x450",
    pin: PinOption = False,
    as_json: JsonOption = False,
    html: HtmlOption = None,
    output: SaveOption = None,
) -> None:
    """Measure the rate at several numbers of workers, and find where more workers stop helping.

    Examples:

      redzone bench sweep

      redzone bench sweep --profile unlimited --workers 1,10,100 --html sweep.html
    """
    from redzone.bench.measure.profiles import SWEEP_DEFAULT, ProfileChanges, choose
    from redzone.bench.measure.stages import BenchTarget
    from redzone.bench.measure.sweep import sweep_stages

    chosen = choose(profile or SWEEP_DEFAULT, ProfileChanges(latency, rpm, tpm, tuple(fault or ())), scale)
    parse_size(size)
    stages = sweep_stages(_parse_counts("--workers", workers), chosen.rpm, posters)
    check_outputs(output, html)
    with work_folder() as folder:
        found = measure(BenchTarget(chosen, scale, size), stages, folder, "sweep", pin=pin)
    write_results(found, output, html, as_json=as_json)


@app.command()
def pack(  # noqa: PLR0913
    packs: Annotated[
        str, typer.Option("--pack", metavar="N,N,...", help="Numbers of posters per request to try.")
    ] = "1,4,8,16",
    profile: ProfileOption = None,
    posters: Annotated[int, typer.Option(metavar="N", min=1, help="Most posters in a stage.")] = 4000,
    latency: LatencyOption = None,
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    fault: FaultOption = None,
    scale: ScaleOption = 1.0,
    size: SizeOption = "300x450",
    pin: PinOption = False,
    as_json: JsonOption = False,
    html: HtmlOption = None,
    output: SaveOption = None,
) -> None:
    """Measure the rate at several numbers of posters per request.

    Examples:

      redzone bench pack --scale 0.1

      redzone bench pack --rpm 60 --pack 1,2,16 --html pack.html
    """
    from redzone.bench.measure.packs import pack_stages
    from redzone.bench.measure.profiles import DEFAULT, ProfileChanges, choose
    from redzone.bench.measure.stages import BenchTarget

    chosen = choose(profile or DEFAULT, ProfileChanges(latency, rpm, tpm, tuple(fault or ())), scale)
    parse_size(size)
    stages = pack_stages(_parse_counts("--pack", packs, most=MOST_PACK), chosen, posters)
    check_outputs(output, html)
    with work_folder() as folder:
        found = measure(BenchTarget(chosen, scale, size), stages, folder, "pack", pin=pin)
    write_results(found, output, html, as_json=as_json)


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(metavar="A", help="A saved bench.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="The bench to compare with A.")],
    as_json: JsonOption = False,
) -> None:
    """Compare two saved benches: each figure with its ratio, and what else differs."""
    from rich.console import Console

    from redzone.bench.measure.compare import compare as compare_benches
    from redzone.bench.measure.result_file import load_bench
    from redzone.bench.measure.terminal_report import print_comparison

    found = compare_benches(load_bench(before), load_bench(after))
    if as_json:
        print_json(found.as_json())
    else:
        print_comparison(Console(highlight=False), found)


def _parse_workers(text: str) -> int | None:
    if text == "auto":
        return None
    if text.isdecimal() and int(text) >= 1:
        return int(text)
    raise SettingsInvalid(f"--stress-workers {text!r}: use auto or a number of at least 1")


def _parse_counts(option: str, text: str, most: int | None = None) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and 1 <= int(part) <= (most or int(part)) for part in parts):
        bounds = f"from 1 to {most}" if most else "of at least 1"
        raise SettingsInvalid(f"{option} {text!r}: write numbers {bounds}, such as 1,4,16")
    return tuple(sorted({int(part) for part in parts}))


ProfileOption = Annotated[
    str | None,
    typer.Option(
        metavar="seed|tier1|tier5|unlimited|flaky", help="A named set of latency, limits and faults."
    ),
]
LatencyOption = Annotated[
    float | None, typer.Option(metavar="SECONDS", min=0, help="Median seconds per answer. [from the profile]")
]
RpmOption = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Requests per minute. [from the profile]")
]
TpmOption = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Tokens per minute. [from the profile]")
]
FaultOption = Annotated[
    list[str] | None,
    typer.Option(metavar="KIND=SHARE", help="Faults to inject. Repeatable. [from the profile]"),
]
ScaleOption = Annotated[
    float,
    typer.Option(
        metavar="FACTOR",
        min=0.001,
        max=100,
        help="Multiply latencies, not limits: 0.1 is ten times as fast.",
    ),
]
SizeOption = Annotated[str, typer.Option(metavar="WxH", help="Poster size in px, or tiny.")]
PinOption = Annotated[
    bool, typer.Option("--pin", help="Pin simulator and client to a processor each (Linux).")
]
HtmlOption = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write a self-contained page with charts."),
]
SaveOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Save as JSON, for `bench compare`.")
]


@contextmanager
def work_folder() -> Iterator[Path]:
    """Yield a temporary folder. SIGTERM raises Interrupted, so that the child processes end too."""

    def on_term(*_: object) -> None:
        raise Interrupted("terminated", ExitCode.TERMINATED)

    before = signal.signal(signal.SIGTERM, on_term)
    try:
        with tempfile.TemporaryDirectory(prefix="redzone-bench-") as folder:
            yield Path(folder)
    finally:
        signal.signal(signal.SIGTERM, before)


def measure(
    target: BenchTarget, stages: Sequence[BenchStage], folder: Path, kind: Kind, *, pin: bool
) -> Bench:
    """Run the stages and show which one runs. Raises UsageError and RedzoneError as `analyze` does."""
    from redzone.bench.measure.stages import command_context, run_bench

    context = command_context(folder, live=target.profile is None, pin=pin)
    console = stderr()
    with console.status("") as status:

        def show_stage(text: str) -> None:
            if console.is_terminal:
                status.update(text)
            else:
                say(text)

        return run_bench(target, stages, context, show_stage, kind)


def live_target(live: str, stages: Sequence[BenchStage], folder: Path, *, yes: bool) -> BenchTarget:
    """Show the price of a live bench, ask for consent and return its target. Raises UsageError without it."""
    from redzone.bench.measure.processes import analyze
    from redzone.bench.measure.stages import STARTS, BenchTarget, command_context
    from redzone.terminal.formatting import format_cost

    context = command_context(folder, live=True, pin=False)
    most = max(stage.posters for stage in stages)
    arguments = [
        live,
        "--limit",
        str(most),
        "--no-cache",
        "--dry-run",
        "--json",
        "--home",
        str(folder / "home"),
    ]
    estimate = analyze(context, arguments).output
    if not estimate["requests"]:
        raise UsageError(f"--live {live}: the input has no poster to analyze")
    requests = sum(min(stage.posters, estimate["requests"]) for stage in stages) + STARTS
    cost = "the price is unknown"
    if estimate["most_cost_usd"] is not None:
        share = requests / estimate["requests"]
        about, at_most = (format_cost(share * estimate[name]) for name in ("cost_usd", "most_cost_usd"))
        cost = f"about {about}, at most {at_most} without retries"
    api = f"{estimate['provider']} {estimate['model']}"
    stage_names = ", ".join(f"{stage.name} {stage.posters}" for stage in stages)
    say(f"{requests} requests to {api} ({stage_names}, and {STARTS} to measure the start): {cost}")
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("--live costs money and there is no terminal to ask at; pass --yes")
        typer.confirm("Continue?", abort=True, err=True)
    return BenchTarget(None, live=api, inputs=(live,))


def write_results(found: Bench, output: Path | None, html: Path | None, *, as_json: bool) -> None:
    """Save and print the bench, and write its page."""
    from rich.console import Console

    from redzone.bench.measure.html_page import render_page
    from redzone.bench.measure.table import as_json as figures
    from redzone.bench.measure.terminal_report import print_bench

    if output is not None:
        output.write_text(found.render(), encoding="utf-8")
    if html is not None:
        html.write_text(render_page(found), encoding="utf-8")
    if as_json:
        print_json(figures(found))
    else:
        print_bench(Console(highlight=False), found)
    for path in (output, html):
        if path is not None:
            say(f"wrote {path}")


def check_outputs(*files: Path | None) -> None:
    """Check that output files can be created. Raises UsageError."""
    for file in files:
        if file is not None and not file.absolute().parent.is_dir():
            raise UsageError(f"{file}: the folder {file.parent} does not exist")
