"""What `analyze` and `resume` print and write before and after a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from redzone.commands.terminal import print_json, say

if TYPE_CHECKING:
    from redzone.config.settings import Settings
    from redzone.launch import End, Manner, Request
    from redzone.runs import RunFolder
    from redzone.wiring import Job

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


def who_judges(job: Job) -> str:
    """The zones, the model, and why this model was chosen."""
    zones = ", ".join(zone.name for zone in job.zones)
    model = "the local model" if job.provider.name == "local" else f"openai {job.provider.model}"
    return f"zone {zones}, judged by {model} ({job.provider.reason})"


def print_estimate(settings: Settings, home: Path, request: Request, *, as_json: bool) -> None:
    """Prints the estimate of `--dry-run` to stdout."""
    if as_json:
        from redzone.launch import estimate_run

        provider, found = estimate_run(settings, home, request)
        print_json({"provider": provider.name, "model": provider.model, **found.model_dump()})
        return
    for line in (*run_estimate_lines(settings, home, request), "nothing was sent"):
        typer.echo(line)


def run_estimate_lines(settings: Settings, home: Path, request: Request) -> tuple[str, ...]:
    """The estimate of a run, one figure per line."""
    from redzone.launch import estimate_run
    from redzone.terminal.summary import estimate_lines

    return estimate_lines(estimate_run(settings, home, request)[1])


def finish(job: Job, end: End, manner: Manner, output: list[str], *, as_json: bool) -> None:
    """Writes the results, then prints the summary and the next commands."""
    from redzone.errors import Interrupted
    from redzone.terminal.summary import Ending, SummaryFacts, print_summary

    for repair in end.repairs:
        say(repair)
    written = write_outputs(job.folder, output)
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
                "image_bytes": end.snapshot.image_bytes,
                "cost_usd": round(end.snapshot.cost_usd, 6),
                "seconds": round(end.snapshot.elapsed_s, 3),
                "folder": facts.folder,
                "outputs": written,
            }
        )
    console = manner.console
    if job.rows <= SHOWN_VERDICTS:
        from redzone.reports.results import open_results
        from redzone.terminal.summary import verdict_table

        with open_results(job.folder) as results:
            console.print(verdict_table(results.reviewed_outcomes()))
    print_summary(console, end.snapshot, facts)


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


def _next_commands(job: Job, end: End, written: list[str]) -> tuple[str, ...]:
    run = job.folder.id
    if end.stopped is not None:
        return (f"redzone resume {run}",)
    again = (f"redzone resume {run} --retry-errors",) if end.snapshot.errors else ()
    return again if written else (*again, f"redzone export {run} -o results.csv")
