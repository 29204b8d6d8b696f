"""What `analyze` and `resume` print and write before and after a run."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from redzone.commands.terminal import print_json, say

if TYPE_CHECKING:
    from rich.console import Console

    from redzone.api import Run, RunResult
    from redzone.config.settings import Settings
    from redzone.models import RunEstimate
    from redzone.plan import RunPlan
    from redzone.run_setup import RunRequest
    from redzone.runs import RunFolder
    from redzone.terminal.summary import Ending

SHOWN_VERDICTS = 30


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """Where the results go: files, or `-` for stdout; and whether the summary is JSON on stdout."""

    targets: tuple[str, ...]
    overwrite: bool
    as_json: bool


def check_outputs(options: OutputOptions, inputs: Iterable[str]) -> None:
    """Refuse an impossible output before anything is paid for. Raises UsageError."""
    if options.targets:
        from redzone.reports.destination import check_destinations

        check_destinations(options.targets, inputs, overwrite=options.overwrite)


def print_estimate(settings: Settings, request: RunRequest, *, as_json: bool) -> None:
    """Prints the estimate of `--dry-run` to stdout."""
    if as_json:
        plan, found = _estimate(settings, request)
        print_json({"provider": plan.provider.name, "model": plan.provider.model, **found.model_dump()})
        return
    for line in (*run_estimate_lines(settings, request), "nothing was sent"):
        typer.echo(line)


def run_estimate_lines(settings: Settings, request: RunRequest) -> tuple[str, ...]:
    """The estimate of a run, one figure per line."""
    from redzone.terminal.summary import estimate_lines

    return estimate_lines(_estimate(settings, request)[1])


def _estimate(settings: Settings, request: RunRequest) -> tuple[RunPlan, RunEstimate]:
    import asyncio

    from redzone.api import estimate_request

    return asyncio.run(estimate_request(settings, request))


def finish(run: Run, result: RunResult, console: Console, options: OutputOptions) -> None:
    """Writes the results, then prints the summary and the next commands.

    Raises UsageError, after the summary, if the results cannot be written.
    """
    from redzone.errors import UsageError

    for repair in result.repairs:
        say(repair)
    failure: UsageError | None = None
    written: list[str] = []
    try:
        written = write_outputs(run.job.folder, options)
    except UsageError as error:
        failure = UsageError(f"{error}; the run has them: `redzone export {run.id} -o FILE` writes them")
    if options.as_json:
        print_json(_result_json(run, result, written))
    _print_summary(run, result, console, written)
    if failure is not None:
        raise failure


def _result_json(run: Run, result: RunResult, written: list[str]) -> dict[str, object]:
    """The result of `--json`. A run that was finished before has the figures of its checkpoint."""
    from redzone.runs.index import CheckpointIndex

    snapshot, record = result.snapshot, run.record
    if snapshot is not None:
        cost_usd = snapshot.known_cost_usd
    else:
        index = CheckpointIndex.read(run.job.folder.checkpoint_path)
        cost_usd = record.known_cost_usd(index.cost_usd, index.tokens.input + index.tokens.output)
    return {
        "run_id": run.id,
        "state": _ending(result).value,
        "reason": str(result.stopped or ""),
        "rows": run.job.rows,
        "counts": {str(status): count for status, count in result.counts.items()},
        "requests": snapshot.requests if snapshot is not None else 0,
        "image_bytes": snapshot.image_bytes if snapshot is not None else 0,
        "cost_usd": None if cost_usd is None else round(cost_usd, 6),
        "seconds": round(snapshot.elapsed_s, 3) if snapshot is not None else 0.0,
        "folder": str(run.job.folder.path),
        "outputs": written,
    }


def _ending(result: RunResult) -> Ending:
    from redzone.errors import Interrupted
    from redzone.terminal.summary import Ending

    if result.stopped is None:
        return Ending.FINISHED
    return Ending.INTERRUPTED if isinstance(result.stopped, Interrupted) else Ending.STOPPED


def _print_summary(run: Run, result: RunResult, console: Console, written: list[str]) -> None:
    from redzone.terminal.summary import SummaryFacts, print_summary, verdict_table

    if result.snapshot is None:
        return
    facts = SummaryFacts(
        run_id=run.id,
        folder=str(run.job.folder.path),
        ending=_ending(result),
        reason=str(result.stopped or ""),
        outputs=tuple(written),
        next_commands=_next_commands(result, written),
    )
    table = None
    if run.job.rows <= SHOWN_VERDICTS:
        from redzone.reports.results import open_results

        with open_results(run.job.folder) as results:
            table = verdict_table(results.reviewed_outcomes())
    with suppress(OSError):  # stderr is full or closed: the run's result does not depend on it
        if table is not None:
            console.print(table)
        print_summary(console, result.snapshot, facts)


def write_outputs(folder: RunFolder, options: OutputOptions) -> list[str]:
    """Write the run's results to each target; the full paths of the files."""
    from redzone.query import ALL
    from redzone.reports import results

    targets, overwrite = options.targets, options.overwrite
    if targets:
        from redzone.commands.report import report_pictures

        pictures = report_pictures(folder)
        with results.open_results(folder) as found:
            for line in results.write_outputs(found, targets, ALL, sys.stdout, pictures, overwrite=overwrite):
                say(line)
    return [str(Path(target).absolute()) for target in targets if target != "-"]


def _next_commands(result: RunResult, written: list[str]) -> tuple[str, ...]:
    from redzone.models import Status

    run = result.run_id
    if result.stopped is not None:
        return (f"redzone resume {run}",)
    again = (f"redzone resume {run} --retry-errors",) if result.counts[Status.ERROR] else ()
    return again if written else (*again, f"redzone export {run} -o results.csv")
