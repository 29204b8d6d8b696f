"""`redzone bench`: how fast it is here, without a key or a bill, or against the real API."""

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
            metavar="N", min=1, help="Posters of the stress stage; no stage has more. [100, live 10]"
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", "-w", metavar="N", min=1, help="Of the parallel stage.")
    ] = PARALLEL_WORKERS,
    stress_workers: Annotated[str, typer.Option(metavar="N|auto", help="Of the stress stage.")] = "auto",
    latency: LatencyOption = None,
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    fault: FaultOption = None,
    scale: ScaleOption = 1.0,
    size: SizeOption = "300x450",
    pin: PinOption = False,
    live: Annotated[
        str | None, typer.Option("--live", metavar="INPUT", help="Ask the configured real API about these.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Pay for --live without asking.")] = False,
    as_json: JsonOption = False,
    html: HtmlOption = None,
    output: SaveOption = None,
) -> None:
    """Measure one at a time, in parallel and under stress, against a simulator or with --live the real API.

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
            "--live asks the real API: --profile, --latency, --rpm, --tpm, --fault and --scale are not its"
        )
    parse_size(size)
    crew = _workers(stress_workers)
    stages = bench_stages(
        posters or (LIVE_POSTERS if live else STRESS_POSTERS), workers, crew, live=live is not None
    )
    check_outputs(output, html)
    with workplace() as folder:
        if live is None:
            world = BenchTarget(choose(profile or DEFAULT, changes, scale), scale, size)
        else:
            world = live_world(live, stages, folder, yes=yes)
        found = measure(world, stages, folder, "bench", pin=pin)
    hand_over(found, output, html, as_json=as_json)


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
    """Vary the workers: the linear part, the knee, and where Little's law puts it.

    Examples:

      redzone bench sweep

      redzone bench sweep --profile unlimited --workers 1,10,100 --html sweep.html
    """
    from redzone.bench.measure.profiles import SWEEP_DEFAULT, ProfileChanges, choose
    from redzone.bench.measure.stages import BenchTarget
    from redzone.bench.measure.sweep import sweep_stages

    chosen = choose(profile or SWEEP_DEFAULT, ProfileChanges(latency, rpm, tpm, tuple(fault or ())), scale)
    parse_size(size)
    stages = sweep_stages(_counts("--workers", workers), chosen.rpm, posters)
    check_outputs(output, html)
    with workplace() as folder:
        found = measure(BenchTarget(chosen, scale, size), stages, folder, "sweep", pin=pin)
    hand_over(found, output, html, as_json=as_json)


@app.command()
def pack(  # noqa: PLR0913
    packs: Annotated[
        str, typer.Option("--pack", metavar="N,N,...", help="The numbers of posters a request to try.")
    ] = "1,4,8,16",
    profile: ProfileOption = None,
    posters: Annotated[int, typer.Option(metavar="N", min=1, help="Most posters for one of them.")] = 4000,
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
    """Vary the posters in a request: what packs bring under a limit of requests a minute.

    Examples:

      redzone bench pack --scale 0.1

      redzone bench pack --rpm 60 --pack 1,2,16 --html pack.html
    """
    from redzone.bench.measure.packs import pack_stages
    from redzone.bench.measure.profiles import DEFAULT, ProfileChanges, choose
    from redzone.bench.measure.stages import BenchTarget

    chosen = choose(profile or DEFAULT, ProfileChanges(latency, rpm, tpm, tuple(fault or ())), scale)
    parse_size(size)
    stages = pack_stages(_counts("--pack", packs, most=MOST_PACK), chosen, posters)
    check_outputs(output, html)
    with workplace() as folder:
        found = measure(BenchTarget(chosen, scale, size), stages, folder, "pack", pin=pin)
    hand_over(found, output, html, as_json=as_json)


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(metavar="A", help="A saved bench.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="A later one.")],
    as_json: JsonOption = False,
) -> None:
    """Compare two saved benches: each figure, its ratio, and what else differs."""
    from rich.console import Console

    from redzone.bench.measure.compare import compare as compare_benches
    from redzone.bench.measure.result_file import load_bench
    from redzone.bench.measure.terminal_report import print_comparison

    found = compare_benches(load_bench(before), load_bench(after))
    if as_json:
        print_json(found.as_json())
    else:
        print_comparison(Console(highlight=False), found)


def _workers(text: str) -> int | None:
    if text == "auto":
        return None
    if text.isdecimal() and int(text) >= 1:
        return int(text)
    raise SettingsInvalid(f"--stress-workers {text!r}: use auto or a number of at least 1")


def _counts(option: str, text: str, most: int | None = None) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and 1 <= int(part) <= (most or int(part)) for part in parts):
        bounds = f"from 1 to {most}" if most else "of at least 1"
        raise SettingsInvalid(f"{option} {text!r}: write numbers {bounds}, such as 1,4,16")
    return tuple(sorted({int(part) for part in parts}))


ProfileOption = Annotated[
    str | None,
    typer.Option(metavar="seed|tier1|tier5|unlimited|flaky", help="Latency, limits and faults by name."),
]
LatencyOption = Annotated[
    float | None, typer.Option(metavar="SECONDS", min=0, help="Instead of the profile's: seconds an answer.")
]
RpmOption = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Instead of the profile's: requests a minute.")
]
TpmOption = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Instead of the profile's: tokens a minute.")
]
FaultOption = Annotated[
    list[str] | None,
    typer.Option(metavar="KIND=SHARE", help="Instead of the profile's: faults. Again for more."),
]
ScaleOption = Annotated[
    float,
    typer.Option(
        metavar="FACTOR",
        min=0.001,
        max=100,
        help="Multiplies latencies, not limits: 0.1 is ten times as quick.",
    ),
]
SizeOption = Annotated[str, typer.Option(metavar="WxH", help="Poster size in px, or tiny.")]
PinOption = Annotated[
    bool, typer.Option("--pin", help="Keep simulator and client on a processor each (Linux).")
]
HtmlOption = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write a page with charts that needs nothing else."),
]
SaveOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Save as JSON, for `bench compare`.")
]


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder for the runs. SIGTERM is turned into an exception, so that the children end, too."""

    def on_term(*_: object) -> None:
        raise Interrupted("terminated", ExitCode.TERMINATED)

    before = signal.signal(signal.SIGTERM, on_term)
    try:
        with tempfile.TemporaryDirectory(prefix="redzone-bench-") as folder:
            yield Path(folder)
    finally:
        signal.signal(signal.SIGTERM, before)


def measure(
    world: BenchTarget, stages: Sequence[BenchStage], folder: Path, kind: Kind, *, pin: bool
) -> Bench:
    """Carry out the stages, saying which one begins. Raises UsageError and RedzoneError as `analyze` does."""
    from redzone.bench.measure.stages import run_bench, surroundings

    around = surroundings(folder, live=world.profile is None, pin=pin)
    console = stderr()
    with console.status("") as status:

        def tell(text: str) -> None:
            if console.is_terminal:
                status.update(text)
            else:
                say(text)

        return run_bench(world, stages, around, tell, kind)


def live_world(live: str, stages: Sequence[BenchStage], folder: Path, *, yes: bool) -> BenchTarget:
    """The real API, after its price was shown and agreed to. Raises UsageError without a yes."""
    from redzone.bench.measure.processes import analyze
    from redzone.bench.measure.stages import STARTS, BenchTarget, surroundings
    from redzone.terminal.formatting import format_cost

    around = surroundings(folder, live=True, pin=False)
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
    told = analyze(around, arguments).told
    if not told["requests"]:
        raise UsageError(f"--live {live}: there is no poster in it that could be asked about")
    asked = sum(min(stage.posters, told["requests"]) for stage in stages) + STARTS
    cost = "its price is not known"
    if told["most_cost_usd"] is not None:
        each, most_each = told["cost_usd"] / told["requests"], told["most_cost_usd"] / told["requests"]
        cost = f"about {format_cost(asked * each)}, at most {format_cost(asked * most_each)} without retries"
    api = f"{told['provider']} {told['model']}"
    stage_names = ", ".join(f"{stage.name} {stage.posters}" for stage in stages)
    say(f"{asked} requests to {api} ({stage_names}, and {STARTS} to measure the start): {cost}")
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("--live costs money and nobody is there to ask: pass --yes")
        typer.confirm("Go on?", abort=True, err=True)
    return BenchTarget(None, live=api, inputs=(live,))


def hand_over(found: Bench, output: Path | None, html: Path | None, *, as_json: bool) -> None:
    """Save, draw and print."""
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
    """Refuse an impossible file before the time is spent."""
    for file in files:
        if file is not None and not file.absolute().parent.is_dir():
            raise UsageError(f"{file}: there is no folder {file.parent}; create it first")
