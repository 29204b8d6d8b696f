"""The command line: parses options, runs commands, sets the exit code.

Heavy packages are imported inside the command that needs them.
"""

from __future__ import annotations

import io
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
    epilog="Get started: redzone analyze posters.csv --output results.csv",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# rows and workers: a first try, a larger sample, the whole list
PRESETS: dict[str, tuple[int | None, str]] = {
    "small": (25, "5"),
    "medium": (100, "10"),
    "large": (None, "auto"),
}

RpmOption = Annotated[
    int | None,
    typer.Option("--rpm", metavar="N", min=1, help="Maximum requests per minute. [default: learned]"),
]
TpmOption = Annotated[
    int | None,
    typer.Option("--tpm", metavar="N", min=1, help="Maximum tokens per minute. [default: learned]"),
]
WorkersOption = Annotated[
    str | None,
    typer.Option("--workers", "-w", metavar="N|auto", help="Posters processed at the same time."),
]
DeadlineOption = Annotated[
    float | None, typer.Option(metavar="SECONDS", min=0.001, help="Maximum working time for one poster.")
]
CostOption = Annotated[
    float | None, typer.Option(metavar="USD", min=0, help="Stop before the run costs more than this.")
]
ProgressOption = Annotated[
    str, typer.Option(metavar="auto|live|plain|json|none", help="How to show progress on stderr.")
]
OutputOption = Annotated[
    list[str] | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Write .csv, .json, .jsonl, .parquet, .html or .pdf; `-` writes CSV to stdout. Repeatable.",
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
        typer.Argument(
            metavar="INPUT", help="CSV, TSV, JSON, JSONL, list of URLs, or folder; `-` reads stdin."
        ),
    ],
    workers: WorkersOption = None,
    provider: Annotated[
        str | None,
        typer.Option(metavar="auto|openai|local", help="Model provider. auto: openai if a key is set."),
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="Vision model to use.")] = None,
    base_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="OpenAI-compatible server, such as http://localhost:8000/v1."),
    ] = None,
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    zone: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PRESET|NAME=x,y,w,h", help="Zone to check, as fractions. Repeatable. [default: red]"
        ),
    ] = None,
    pack: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=16, help="Posters per request. [default: 1]")
    ] = None,
    view: Annotated[
        str | None, typer.Option(metavar="crop|poster", help="What to show the model first. [default: crop]")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(metavar="small|medium|large", help="25 rows with 5 workers, 100 with 10, or all rows."),
    ] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="Only the first N rows.")] = None,
    sample: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Only N rows chosen at random.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed chooses the same sample.")] = 0,
    column_map: Annotated[
        str | None, typer.Option("--map", metavar="id=COL,image=COL", help="Which columns to use.")
    ] = None,
    image_base: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Address that relative image paths are appended to."),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help="Encoding of the list. [default: detected]")
    ] = None,
    deadline: DeadlineOption = None,
    max_cost: CostOption = None,
    min_confidence: Annotated[
        float | None,
        typer.Option(metavar="PCT", min=0, max=100, help="Verdicts below this confidence are unsure."),
    ] = None,
    fail_on: Annotated[
        str | None, typer.Option(metavar="fail", help="Exit with code 5 if a poster fails (for CI).")
    ] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Do not read or write the verdict cache.")
    ] = False,
    partial_download: Annotated[
        bool,
        typer.Option(
            "--partial-download", help="Download only the start of a poster if that covers the zone."
        ),
    ] = False,
    output: OutputOption = None,
    overwrite: OverwriteOption = False,
    allow_private_hosts: Annotated[
        bool, typer.Option("--allow-private-hosts", help="Also fetch images from private addresses.")
    ] = False,
    as_json: JsonOption = False,
    progress: ProgressOption = "auto",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Estimate requests, tokens, cost and time; send nothing.")
    ] = False,
    home: HomeOption = None,
    name: Annotated[str, typer.Option(metavar="LABEL", help="Label for the run.")] = "",
) -> None:
    """Check every poster in a list.

    Examples:

      redzone analyze posters.csv -o results.csv

      redzone analyze posters.csv --workers 10 --rpm 500 --max-cost 5

      redzone analyze artwork/ --zone red --zone logo=0,0.9,1,0.1 --provider local

      redzone analyze posters.csv --dry-run
    """
    from redzone import api
    from redzone.run_setup import RunRequest

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
        "image_base": image_base,
        "input_encoding": encoding,
        "deadline_s": deadline,
        "max_cost_usd": max_cost,
        "min_confidence_pct": min_confidence,
        "enable_cache": False if no_cache else None,
        "partial_download": partial_download or None,
        "allow_private_hosts": allow_private_hosts or None,
        "home": home,
    }
    loaded = load_settings(given)
    request = RunRequest(tuple(inputs), _mapping(column_map), limit, sample, seed, name)
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
        str | None,
        typer.Argument(metavar="RUN_ID", help="Run id or a unique prefix. [default: newest unfinished]"),
    ] = None,
    retry_errors: Annotated[
        bool, typer.Option("--retry-errors", help="Also retry posters that ended in error.")
    ] = False,
    allow_changed_input: Annotated[
        bool, typer.Option("--allow-changed-input", help="If the input changed, match rows by id and image.")
    ] = False,
    workers: WorkersOption = None,
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    deadline: DeadlineOption = None,
    max_cost: CostOption = None,
    fail_on: Annotated[
        str | None, typer.Option(metavar="fail", help="Exit with code 5 if a poster fails.")
    ] = None,
    output: OutputOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    progress: ProgressOption = "auto",
    home: HomeOption = None,
) -> None:
    """Continue an unfinished run with its own settings.

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
app.command(short_help="Open the dashboard: watch, review and start runs.")(dashboard)
app.command(short_help="Write a run's results to a file.")(runs.export)
app.command()(report)
app.add_typer(runs.app, name="runs")
app.command()(runs.check)
app.add_typer(config.app, name="config")
app.add_typer(cache.app, name="cache")
app.command()(doctor)
app.command()(schema)
app.add_typer(bench.app, name="bench", short_help="Measure speed on a simulator or the real API.")


def main() -> None:
    """Runs the command line; prints expected errors as one line on stderr and sets the exit code."""
    _prepare_stdout()
    try:
        try:
            app(standalone_mode=True)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # a full or closed stdout fails here, not at interpreter exit
    except RedzoneError as error:
        say(f"redzone: {error}")
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        raise SystemExit(ExitCode.INTERRUPTED) from None
    except Exception as error:  # noqa: BLE001  all but errors of the system are raised again
        raise SystemExit(_report_os_error(error)) from None


def _report_os_error(error: Exception) -> ExitCode:
    """Prints an error of the operating system as one line. Raises `error` if it is none."""
    from redzone.commands.system_errors import abandon, describe_os_error, find_os_error

    found = find_os_error(error)
    if found is None:
        raise error
    if not isinstance(found, BrokenPipeError):  # the reader of stdout is gone on purpose, as with `head`
        text, code = describe_os_error(found)
        say(f"redzone: {text}")
    else:
        code = ExitCode.UNEXPECTED
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        abandon(sys.stdout)
    return code


def _prepare_stdout() -> None:
    """What is piped or redirected is UTF-8; a terminal gets a replacement for what it cannot show."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        if sys.stdout.isatty():
            sys.stdout.reconfigure(errors="replace")
        else:
            sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")


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
        for note in run.input_notes:
            say(note)
    result = carry_out(run, display)
    finish(run, result, display.console, options)
    return result
