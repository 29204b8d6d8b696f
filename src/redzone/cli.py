"""The command line: parse, call, set the exit code. Everything heavy is imported inside its command."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from redzone.commands import bench, cache, config, runs
from redzone.commands.doctor import doctor
from redzone.commands.terminal import (
    HomeOption,
    JsonOption,
    home_of,
    load_settings,
    print_json,
    say,
    stderr,
)
from redzone.errors import ExitCode, RedzoneError

if TYPE_CHECKING:
    from redzone.launch import End, Manner
    from redzone.wiring import Job

app = typer.Typer(
    help="Find posters whose badge corner hides their title, logo or face.",
    epilog="Begin with: redzone analyze posters.csv --output results.csv",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
SHOWN_VERDICTS = 30

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
        "--output", "-o", metavar="FILE", help="Write results: .csv, .json, .jsonl; `-` is CSV on stdout."
    ),
]


@app.callback(invoke_without_command=True)
def redzone(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Find posters whose badge corner hides their title, logo or face."""
    if version:
        from redzone import __version__

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
    view: Annotated[
        str | None, typer.Option(metavar="crop|poster", help="What the model sees first.")
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
    output: OutputOption = None,
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
    from redzone import launch

    _choice("--fail-on", fail_on, ("fail",))
    given = {
        "workers": workers,
        "provider": provider,
        "model": model,
        "openai_base_url": base_url,
        "requests_per_min": rpm,
        "tokens_per_min": tpm,
        "zones": tuple(zone) if zone else None,
        "view": view,
        "deadline_s": deadline,
        "max_cost_usd": max_cost,
        "min_confidence_pct": min_confidence,
        "enable_cache": False if no_cache else None,
        "allow_private_hosts": allow_private_hosts or None,
        "home": home,
    }
    loaded = load_settings(given)
    request = launch.Request(tuple(inputs), _mapping(column_map), limit, sample, seed, name)
    if dry_run:
        _forecast(loaded.settings, home_of(loaded), request, as_json=as_json)
        return
    manner = _manner(progress)
    _check_outputs(output)
    job, opened = launch.begin(loaded.settings, home_of(loaded), request)
    say(f"run {job.folder.id}: {job.rows:,} posters, {_who(job)}")
    with job.folder.lock():
        end = launch.carry_out(job, opened, manner)
        _finish(job, end, manner, output or [], as_json=as_json)
    raise typer.Exit(launch.exit_code(end, fail_on_fail=fail_on is not None))


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
    as_json: JsonOption = False,
    progress: ProgressOption = "auto",
    home: HomeOption = None,
) -> None:
    """Finish a run with its own settings.

    Examples:

      redzone resume

      redzone resume 20261123-1629 --retry-errors -o results.csv
    """
    from redzone import launch
    from redzone.runs import RunStore
    from redzone.runs.record import RunState

    _choice("--fail-on", fail_on, ("fail",))
    place = home_of(load_settings({"home": home}))
    store = RunStore(place)
    folder = store.get(run) if run else store.newest_unfinished()
    if folder is None:
        say(f"every run in {store.folder} is finished")
        return
    manner = _manner(progress, retry_errors=retry_errors)
    _check_outputs(output)
    given = {
        "workers": workers,
        "requests_per_min": rpm,
        "tokens_per_min": tpm,
        "deadline_s": deadline,
        "max_cost_usd": max_cost,
        "home": home,
    }
    with folder.lock():
        record = folder.read()
        settings = load_settings({**record.settings, **_given(given)}).settings
        job, opened = launch.reopen(folder, settings, place, allow_changed=allow_changed_input)
        record = folder.read()
        if record.state is RunState.FINISHED and not (retry_errors and record.counts.get("error")):
            counts = ", ".join(f"{count:,} {status}" for status, count in record.counts.items())
            say(f"run {folder.id} is finished: {counts}")
            _write_outputs(job, output or [])
            return
        say(f"run {job.folder.id}: {job.rows:,} posters, {_who(job)}")
        end = launch.carry_out(job, opened, manner)
        _finish(job, end, manner, output or [], as_json=as_json)
    raise typer.Exit(launch.exit_code(end, fail_on_fail=fail_on is not None))


def schema() -> None:
    """Print the JSON Schema of a checkpoint line."""
    from redzone.runs.checkpoint import line_schema

    print_json(line_schema())


# in the order of the help page
app.command()(runs.export)
app.add_typer(runs.app, name="runs")
app.command()(runs.check)
app.add_typer(config.app, name="config")
app.add_typer(cache.app, name="cache")
app.command()(doctor)
app.command()(schema)
app.add_typer(bench.app, name="bench")


def main() -> None:
    """Run the command line; expected errors become one line on stderr and an exit code."""
    try:
        app(standalone_mode=True)
    except RedzoneError as error:
        say(f"redzone: {error}")
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        raise SystemExit(ExitCode.INTERRUPTED) from None
    except BrokenPipeError:
        # the reader of stdout has gone; say nothing more to it at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(ExitCode.UNEXPECTED) from None


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


def _manner(progress: str, *, retry_errors: bool = False) -> Manner:
    from redzone.display import Progress
    from redzone.launch import Manner

    _choice("--progress", progress, tuple(Progress))
    return Manner(Progress(progress), stderr(), retry_errors)


def _check_outputs(output: list[str] | None) -> None:
    """Refuse an impossible output before anything is paid for."""
    from redzone.errors import UsageError
    from redzone.reports import format_for

    for target in output or ():
        if target != "-":
            format_for(Path(target))
            if not Path(target).absolute().parent.is_dir():
                raise UsageError(
                    f"--output {target}: there is no folder {Path(target).parent}; create it first"
                )


def _who(job: Job) -> str:
    zones = ", ".join(zone.name for zone in job.zones)
    model = "the local model" if job.provider.name == "local" else f"openai {job.provider.model}"
    return f"zone {zones}, judged by {model} ({job.provider.reason})"


def _forecast(settings: Any, home: Path, request: Any, *, as_json: bool) -> None:
    from redzone.display.forecast_text import forecast_lines
    from redzone.launch import foresee

    provider, found = foresee(settings, home, request)
    if as_json:
        print_json({"provider": provider.name, "model": provider.model, **found.as_json()})
        return
    for line in forecast_lines(found):
        typer.echo(line)


def _finish(job: Job, end: End, manner: Manner, output: list[str], *, as_json: bool) -> None:
    """Write the results, say how it went and what to do next."""
    from redzone.display import Ending, SummaryFacts, print_summary
    from redzone.errors import Interrupted

    for repair in end.repairs:
        say(repair)
    written = _write_outputs(job, output)
    ending = Ending.FINISHED
    if end.stopped is not None:
        ending = Ending.INTERRUPTED if isinstance(end.stopped, Interrupted) else Ending.STOPPED
    facts = SummaryFacts(
        run_id=job.folder.id,
        folder=str(job.folder.path),
        ending=ending,
        reason=str(end.stopped or ""),
        outputs=tuple(written),
        next_commands=_next_commands(job, end, written),
    )
    if as_json:
        counts = job.folder.read().counts
        print_json(
            {
                "run_id": job.folder.id,
                "state": ending.value,
                "reason": facts.reason,
                "rows": job.rows,
                "counts": counts,
                "requests": end.snapshot.requests,
                "cost_usd": round(end.snapshot.cost_usd, 6),
                "seconds": round(end.snapshot.elapsed_s, 3),
                "folder": facts.folder,
                "outputs": written,
            }
        )
    console = manner.console
    if job.rows <= SHOWN_VERDICTS:
        from redzone.display.verdicts import verdict_table
        from redzone.results import Filter, open_results

        console.print(verdict_table(open_results(job.folder).rows(Filter())))
    print_summary(console, end.snapshot, facts)


def _write_outputs(job: Job, output: list[str]) -> list[str]:
    from redzone.results import Filter, open_results, write_outputs

    if output:
        for line in write_outputs(open_results(job.folder), output, Filter(), sys.stdout):
            say(line)
    return [str(Path(target).absolute()) for target in output if target != "-"]


def _next_commands(job: Job, end: End, written: list[str]) -> tuple[str, ...]:
    run = job.folder.id
    if end.stopped is not None:
        return (f"redzone resume {run}",)
    again = (f"redzone resume {run} --retry-errors",) if end.snapshot.errors else ()
    return again if written else (*again, f"redzone export {run} -o results.csv")
