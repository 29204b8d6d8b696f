"""What `analyze` and `resume` print and write before and after a run."""

from __future__ import annotations

import sys
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

SHOWN_VERDICTS = 30


def check_outputs(output: list[str] | None) -> None:
    """Rejects unusable output paths before the run costs anything. Raises UsageError."""
    if not output:
        return
    from redzone.errors import UsageError
    from redzone.reports import format_for

    for target in output:
        if target != "-":
            format_for(Path(target))
            if not Path(target).absolute().parent.is_dir():
                raise UsageError(
                    f"--output {target}: the folder {Path(target).parent} does not exist; create it first"
                )


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


def finish(run: Run, result: RunResult, console: Console, output: list[str], *, as_json: bool) -> None:
    """Writes the results, then prints the summary and the next commands."""
    from redzone.errors import Interrupted
    from redzone.terminal.summary import Ending, SummaryFacts, print_summary

    for repair in result.repairs:
        say(repair)
    job, snapshot = run.job, result.snapshot
    written = write_outputs(job.folder, output)
    if snapshot is None:
        return
    ending = Ending.FINISHED
    if result.stopped is not None:
        ending = Ending.INTERRUPTED if isinstance(result.stopped, Interrupted) else Ending.STOPPED
    facts = SummaryFacts(
        run_id=run.id,
        folder=str(job.folder.path),
        ending=ending,
        reason=str(result.stopped or ""),
        outputs=tuple(written),
        next_commands=_next_commands(result, written),
    )
    if as_json:
        print_json(
            {
                "run_id": run.id,
                "state": ending.value,
                "reason": facts.reason,
                "rows": job.rows,
                "counts": {str(status): count for status, count in result.counts.items()},
                "requests": snapshot.requests,
                "image_bytes": snapshot.image_bytes,
                "cost_usd": round(snapshot.cost_usd, 6),
                "seconds": round(snapshot.elapsed_s, 3),
                "folder": facts.folder,
                "outputs": written,
            }
        )
    if job.rows <= SHOWN_VERDICTS:
        from redzone.reports.results import open_results
        from redzone.terminal.summary import verdict_table

        with open_results(job.folder) as results:
            console.print(verdict_table(results.reviewed_outcomes()))
    print_summary(console, snapshot, facts)


def write_outputs(folder: RunFolder, output: list[str]) -> list[str]:
    """Writes the run's results to each target. Returns the full paths of the files."""
    from redzone.query import ALL
    from redzone.reports import results

    if output:
        from redzone.commands.report import report_pictures

        with results.open_results(folder) as found:
            for line in results.write_outputs(found, output, ALL, sys.stdout, report_pictures(folder)):
                say(line)
    return [str(Path(target).absolute()) for target in output if target != "-"]


def _next_commands(result: RunResult, written: list[str]) -> tuple[str, ...]:
    from redzone.models import Status

    run = result.run_id
    if result.stopped is not None:
        return (f"redzone resume {run}",)
    again = (f"redzone resume {run} --retry-errors",) if result.counts[Status.ERROR] else ()
    return again if written else (*again, f"redzone export {run} -o results.csv")
