"""The command line: parse, call, set the exit code. Everything heavy is imported inside its command."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from redzone.commands import bench, cache, config, runs
from redzone.commands.dashboard import dashboard
from redzone.commands.doctor import doctor
from redzone.commands.report import report
from redzone.commands.run_output import (
    OutputOptions,
    check_outputs,
    finish,
    print_estimate,
    run_estimate_lines,
)
from redzone.commands.terminal import (
    HomeOption,
    JsonOption,
    OverwriteOption,
    explain_os_error,
    load_settings,
    print_json,
    resolve_home,
    say,
    stderr,
)
from redzone.errors import ExitCode, RedzoneError

if TYPE_CHECKING:
    from redzone.api import Run, RunResult
    from redzone.commands.runner import DisplayOptions

app = typer.Typer(
    help="Find posters whose badge corner hides their title, logo or face.",
    epilog="Begin with: redzone analyze posters.csv --output results.csv",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# rows and workers: to try a list out, to look at a part of it, to do it all
PRESETS: dict[str, tuple[int | None, str]] = {
    "small": (25, "5"),
    "medium": (100, "10"),
    "large": (None, "auto"),
}

RpmOption = Annotated[
    int | None, typer.Option("--rpm", min=1, help="Most requests per minute. [default: learned]")
]
TpmOption = Annotated[
    int | None, typer.Option("--tpm", min=1, help="Most tokens per minute. [default: learned]")
]
WorkersOption = Annotated[
    str | None, typer.Option("--workers", "-w", metavar="N|auto", help="Posters in hand at the same time.")
]
DeadlineOption = Annotated[
    float | None, typer.Option(metavar="SECONDS", min=0.001, help="Longest working time for one poster.")
]
CostOption = Annotated[
    float | None, typer.Option(metavar="USD", min=0, help="Stop before the run costs more than this.")
]
ProgressOption = Annotated[
    str, typer.Option(metavar="auto|live|plain|json|none", help="How progress is shown on stderr.")
]
OutputOption = Annotated[
    list[str] | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Write .csv, .json, .jsonl, .parquet, .html, .pdf; `-` is CSV on stdout.",
    ),
]


@app.callback(invoke_without_command=True)
def redzone(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Find posters whose badge corner hides their title, logo or face."""
    if version:
        from redzone._version import __version__

        typer.echo(f"redzone {__version__}")
        raise typer.Exit


@app.command()
def analyze(  # noqa: PLR0913  Typer reads an option from each argument
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT...", help="CSV, TSV, JSON(L), URL list, folder; `-` is stdin."),
    ],
    workers: WorkersOption = None,
    provider: Annotated[
        str | None, typer.Option(metavar="auto|openai|local", help="Who judges. auto: openai with a key.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="The vision model to ask.")] = None,
    base_url: Annotated[
        str | None, typer.Option(help="An OpenAI-compatible server, such as http://localhost:8000/v1.")
    ] = None,
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    zone: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PRESET|NAME=x,y,w,h", help="Zone to judge, in fractions. Again for more. [default: red]"
        ),
    ] = None,
    pack: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=16, help="Posters in one request. [default: 1]")
    ] = None,
    view: Annotated[
        str | None, typer.Option(metavar="crop|poster", help="What the model sees first.")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="small|medium|large", help="25 rows with 5 workers, 100 with 10, all with auto."
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N rows.")] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="Only N rows drawn at random.")] = None,
    seed: Annotated[int, typer.Option(help="Repeats a sample.")] = 0,
    column_map: Annotated[
        str | None, typer.Option("--map", metavar="id=COL,image=COL", help="Columns with other names.")
    ] = None,
    deadline: DeadlineOption = None,
    max_cost: CostOption = None,
    min_confidence: Annotated[
        float | None, typer.Option(metavar="PCT", min=0, max=100, help="Below this a verdict is unsure.")
    ] = None,
    fail_on: Annotated[
        str | None, typer.Option(metavar="fail", help="Exit 5 when a poster fails (for pipelines).")
    ] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Neither use nor fill the shared cache.")
    ] = False,
    partial_download: Annotated[
        bool,
        typer.Option(
            "--partial-download", help="Fetch only the start of a poster where that shows the zone."
        ),
    ] = False,
    output: OutputOption = None,
    overwrite: OverwriteOption = False,
    allow_private_hosts: Annotated[
        bool, typer.Option("--allow-private-hosts", help="Fetch images from private addresses too.")
    ] = False,
    as_json: JsonOption = False,
    progress: ProgressOption = "auto",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read everything, send nothing, say what it would take.")
    ] = False,
    home: HomeOption = None,
    name: Annotated[str, typer.Option(metavar="LABEL", help="A label for the run.")] = "",
) -> None:
    """Judge every poster of a list.

    Examples:

      redzone analyze posters.csv -o results.csv

      redzone analyze posters.csv --workers 10 --rpm 500 --max-cost 5

      redzone analyze artwork/ --zone red --zone logo=0,0.9,1,0.1 --provider local

      redzone analyze posters.csv --dry-run
    """
    from redzone import api

    _choice("--fail-on", fail_on, ("fail",))
    _choice("--preset", preset, tuple(PRESETS))
    preset_limit, preset_workers = PRESETS.get(preset or "", (None, None))
    limit, workers = limit or preset_limit, workers or preset_workers
    given = {
        "workers": workers,
        "provider": provider,
        "model": model,
        "openai_base_url": base_url,
        "requests_per_min": rpm,
        "tokens_per_min": tpm,
        "zones": tuple(zone) if zone else None,
        "pack": pack,
        "view": view,
        "deadline_s": deadline,
        "max_cost_usd": max_cost,
        "min_confidence_pct": min_confidence,
        "enable_cache": False if no_cache else None,
        "partial_download": partial_download or None,
        "allow_private_hosts": allow_private_hosts or None,
        "home": home,
    }
    loaded = load_settings(given)
    request = api.RunRequest(tuple(inputs), _mapping(column_map), limit, sample, seed, name)
    if dry_run:
        print_estimate(loaded.settings, request, as_json=as_json)
        return
    if preset and "-" not in inputs:  # stdin can be read only once
        for line in run_estimate_lines(loaded.settings, request):
            say(line)
    display, options = _display(progress), OutputOptions(tuple(output or ()), overwrite, as_json)
    check_outputs(options, inputs)
    result = _carry_out(api.begin(loaded.settings, request), display, options)
    raise typer.Exit(result.exit_code(fail_on_fail=fail_on is not None))


@app.command()
def resume(  # noqa: PLR0913
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN_ID]", help="Run id or its beginning. [newest unfinished]")
    ] = None,
    retry_errors: Annotated[
        bool, typer.Option("--retry-errors", help="Try the posters that ended in error again.")
    ] = False,
    allow_changed_input: Annotated[
        bool, typer.Option("--allow-changed-input", help="Match rows by id and image if the input changed.")
    ] = False,
    workers: WorkersOption = None,
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    deadline: DeadlineOption = None,
    max_cost: CostOption = None,
    fail_on: Annotated[str | None, typer.Option(metavar="fail", help="Exit 5 when a poster fails.")] = None,
    output: OutputOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    progress: ProgressOption = "auto",
    home: HomeOption = None,
) -> None:
    """Finish a run with its own settings.

    Examples:

      redzone resume

      redzone resume 20261123-1629 --retry-errors -o results.csv
    """
    from redzone import api
    from redzone.runs import RunStore

    _choice("--fail-on", fail_on, ("fail",))
    store = RunStore(resolve_home(load_settings({"home": home})), say)
    folder = store.newest_unfinished() if run is None else store.get(run)
    if folder is None:
        say(f"every run in {store.folder} is finished")
        return
    display, options = _display(progress), OutputOptions(tuple(output or ()), overwrite, as_json)
    check_outputs(options, folder.read().inputs.paths)
    again = api.resume(
        folder.id,
        home=home,
        retry_errors=retry_errors,
        allow_changed_input=allow_changed_input,
        workers=workers,
        requests_per_min=rpm,
        tokens_per_min=tpm,
        deadline_s=deadline,
        max_cost_usd=max_cost,
    )
    result = _carry_out(again, display, options)
    raise typer.Exit(result.exit_code(fail_on_fail=fail_on is not None))


def schema() -> None:
    """Print the JSON Schema of a checkpoint line."""
    from redzone.runs.checkpoint import line_schema

    print_json(line_schema())


# in the order of the help page
app.command()(dashboard)
app.command()(runs.export)
app.command()(report)
app.add_typer(runs.app, name="runs")
app.command()(runs.check)
app.add_typer(config.app, name="config")
app.add_typer(cache.app, name="cache")
app.command()(doctor)
app.command()(schema)
app.add_typer(bench.app, name="bench")


def main() -> None:
    """Run the command line; expected errors become one line on stderr and an exit code."""
    _prepare_stdout()
    try:
        try:
            app(standalone_mode=True)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # a full disk is reported here, not by the interpreter at its end
    except RedzoneError as error:
        say(f"redzone: {error}")
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        raise SystemExit(ExitCode.INTERRUPTED) from None
    except BrokenPipeError:
        _discard_stdout()
        raise SystemExit(ExitCode.UNEXPECTED) from None
    except (OSError, ImportError) as error:
        explained = explain_os_error(error)
        if explained is None:
            raise
        say(f"redzone: {explained}")
        _discard_stdout()
        raise SystemExit(ExitCode.UNEXPECTED) from None


def _prepare_stdout() -> None:
    """What is piped or redirected is UTF-8; a terminal gets a replacement for what it cannot show."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        if sys.stdout.isatty():
            sys.stdout.reconfigure(errors="replace")
        else:
            sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")


def _discard_stdout() -> None:
    """Let the interpreter's last flush succeed when stdout cannot be written any more."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _choice(option: str, value: str | None, known: tuple[str, ...]) -> None:
    if value is not None and value not in known:
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(known)}", param_hint=option)


def _mapping(text: str | None) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",")] if text else []
    if any(not equals for _, equals, _ in pairs):
        raise typer.BadParameter("write --map id=COLUMN,image=COLUMN", param_hint="--map")
    return {role.strip(): column.strip() for role, _, column in pairs}


def _display(progress: str) -> DisplayOptions:
    from redzone.commands.runner import DisplayOptions
    from redzone.terminal.progress import Progress

    _choice("--progress", progress, tuple(Progress))
    return DisplayOptions(Progress(progress), stderr())


def _carry_out(run: Run, display: DisplayOptions, options: OutputOptions) -> RunResult:
    """Say what the run is, carry it out, and say how it went."""
    from redzone.commands.runner import carry_out

    run.open()
    if run.finished_before:
        counts = ", ".join(f"{count:,} {status}" for status, count in run.record.counts.items())
        say(f"run {run.id} is finished: {counts}")
    else:
        say(f"run {run.id}: {run.job.rows:,} posters, {run.job.plan.description}")
    result = carry_out(run, display)
    finish(run, result, display.console, options)
    return result
