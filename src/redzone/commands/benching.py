"""What the bench's commands share: options, the folder that they work in, and what is done with a bench."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from redzone.commands.terminal import print_json, say, stderr
from redzone.errors import ExitCode, Interrupted, UsageError

if TYPE_CHECKING:
    from redzone.bench.measure.result_file import Bench
    from redzone.bench.measure.stages import Kind, Stage, World

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


def measure(world: World, stages: Sequence[Stage], folder: Path, kind: Kind, *, pin: bool) -> Bench:
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


def live_world(live: str, stages: Sequence[Stage], folder: Path, *, yes: bool) -> World:
    """The real API, after its price was shown and agreed to. Raises UsageError without a yes."""
    from redzone.bench.measure.processes import analyze
    from redzone.bench.measure.stages import STARTS, World, surroundings
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
    return World(None, live=api, inputs=(live,))


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
