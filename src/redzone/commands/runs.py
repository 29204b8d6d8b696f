"""`redzone runs`, `redzone export` and `redzone check`: show runs, export their results, verify them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from redzone.commands.filter_options import (
    CodeOption,
    DisagreedOption,
    GroupOption,
    KindOption,
    MaxConfidenceOption,
    MinConfidenceOption,
    ReviewedOption,
    SourceOption,
    StatusOption,
    TextOption,
    build_filter,
)
from redzone.commands.terminal import (
    HomeOption,
    JsonOption,
    OverwriteOption,
    RunArgument,
    home_for,
    print_json,
    say,
)
from redzone.errors import ExitCode

app = typer.Typer(help="List, show and remove runs.", no_args_is_help=True)

_STATUSES = ("pass", "fail", "unsure", "error")
_LISTED = ("run", "state", "rows", *_STATUSES, "label", "model", "input")


@app.command("list")
def list_runs(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the runs, newest first."""
    from redzone.errors import UsageError
    from redzone.runs import RunStore
    from redzone.runs.status import observe
    from redzone.text import clean

    store = RunStore(home_for(home))
    records = []
    for folder in store.folders():
        try:
            records.append(observe(folder).corrected)
        except UsageError as error:
            say(f"skipped: {error}")
    if as_json:
        print_json([record.model_dump(mode="json", by_alias=True) for record in records])
        return
    if not records:
        say(f"no runs in {store.folder}")
        return
    lines: list[tuple[str, ...]] = [_LISTED]
    for record in records:
        names = ", ".join(Path(path).name for path in record.inputs.paths)
        counts = [str(record.counts.get(status, "")) for status in _STATUSES]
        cells = [record.id, record.state, str(record.rows), *counts, record.label, record.model, names]
        lines.append(tuple(clean(cell) for cell in cells))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo("  ".join(padded).rstrip())


@app.command()
def show(run: RunArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show a run's request and its results so far."""
    from redzone.runs import RunStore
    from redzone.runs.index import CheckpointIndex
    from redzone.runs.lock import lock_owner_pid
    from redzone.runs.status import observe
    from redzone.text import clean

    folder = RunStore(home_for(home)).get(run)
    record = observe(folder).corrected
    index = CheckpointIndex.read(folder.checkpoint_path)
    cost_usd = record.known_cost_usd(index.cost_usd, index.tokens.input + index.tokens.output)
    counts = {status.value: count for status, count in index.counts.items()}
    results = {
        "folder": str(folder.path),
        "counts": counts,
        "pending": record.rows - index.answered,
        "in_doubt": list(index.in_doubt),
        "cost_usd": None if cost_usd is None else round(cost_usd, 6),
        "tokens": {"input": index.tokens.input, "output": index.tokens.output},
        "worked_on_by_pid": lock_owner_pid(folder),
    }
    if as_json:
        print_json({**record.model_dump(mode="json", by_alias=True), "found": results})
        return
    facts = {
        "run": record.id + (f" ({record.label})" if record.label else ""),
        "state": record.state + (f": {record.reason}" if record.reason else ""),
        "input": ", ".join(record.inputs.paths),
        "input sha256": record.input_sha256,
        "started": f"{record.created_at:%Y-%m-%d %H:%M:%S} UTC with redzone {record.version}",
        "model": record.model if record.provider == "local" else f"{record.provider} {record.model}",
        "zones": ", ".join(f"{z.name}={z.x:g},{z.y:g},{z.w:g},{z.h:g}" for z in record.zones),
        "rows": f"{record.rows:,}",
        **{status: f"{count:,}" for status, count in counts.items()},
        "pending": f"{record.rows - index.answered:,}",
        "in doubt": f"{len(index.in_doubt):,} requests without a recorded answer",
        "cost": ("unknown" if cost_usd is None else f"${cost_usd:.4f}")
        + f" for {index.tokens.input:,} + {index.tokens.output:,} tokens",
        "folder": str(folder.path),
    }
    for name, value in facts.items():
        typer.echo(f"{name:<13} {clean(value)}")


@app.command("rm")
def remove(
    runs: Annotated[list[str], typer.Argument(help="Run ids, or beginnings of them.")],
    home: HomeOption = None,
) -> None:
    """Remove runs with their checkpoints. The cache keeps their verdicts."""
    from redzone.runs import RunStore

    store = RunStore(home_for(home))
    for run in runs:
        say(f"removed {store.remove(run)}")


def export(  # noqa: PLR0913  Typer reads an option from each argument
    run: RunArgument,
    output: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            help="File to write: .csv, .json, .jsonl, .parquet, .html, .pdf; `-` is CSV to stdout.",
        ),
    ] = None,
    status: StatusOption = None,
    group: GroupOption = None,
    min_confidence: MinConfidenceOption = None,
    max_confidence: MaxConfidenceOption = None,
    kind: KindOption = None,
    reviewed: ReviewedOption = None,
    disagreed: DisagreedOption = None,
    source: SourceOption = None,
    code: CodeOption = None,
    text: TextOption = "",
    overwrite: OverwriteOption = False,
    home: HomeOption = None,
) -> None:
    """Write a run's results: one row per input row that matches the options.

    Examples:

      redzone export 20261123 -o results.csv

      redzone export 20261123 --status fail --status unsure --unreviewed -o review.csv
    """
    from redzone.commands.report import report_pictures
    from redzone.reports.destination import check_destinations
    from redzone.reports.results import INPUT_CHANGED, open_results, write_outputs
    from redzone.runs import RunStore

    wanted = build_filter(
        {"status": status, "group": group, "kind": kind, "source": source, "code": code},
        min_confidence=min_confidence,
        max_confidence=max_confidence,
        reviewed=reviewed,
        disagreed=disagreed,
        text=text,
    )
    folder = RunStore(home_for(home)).get(run)
    targets, pictures = output or ["-"], report_pictures(folder)
    check_destinations(targets, folder.read().inputs.paths, overwrite=overwrite)
    with open_results(folder) as results:
        if results.inputs is None:
            say(INPUT_CHANGED)
        for line in write_outputs(results, targets, wanted, sys.stdout, pictures, overwrite=overwrite):
            say(line)


def check(run: RunArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Verify a run's checkpoint: every checksum, every row."""
    from dataclasses import asdict

    from redzone.runs import RunStore
    from redzone.runs.index import check_checkpoint
    from redzone.runs.input import unchanged_run_input

    folder = RunStore(home_for(home)).get(run)
    record = folder.read()
    inputs = unchanged_run_input(folder, record)
    rows = record.rows if inputs is None else (row.row for row in inputs.rows())
    report = check_checkpoint(folder.checkpoint_path, rows)
    if as_json:
        values = asdict(report)
        values["counts"] = {status.value: count for status, count in report.counts.items()}
        print_json(
            {**values, "ok": report.ok, "balanced": report.balanced, "input_unchanged": inputs is not None}
        )
    else:
        counts = " + ".join(f"{count:,} {status}" for status, count in report.counts.items())
        kinds = [f"{report.intents:,} intents", f"{report.outcomes:,} outcomes"]
        if report.spent_lines:
            kinds.append(f"{report.spent_lines:,} of spending without an outcome")
        typer.echo(f"{report.lines:,} lines: {', '.join(kinds)}")
        typer.echo(f"{report.rows:,} rows = {counts} + {report.pending:,} pending")
        typer.echo(f"in doubt: {len(report.in_doubt):,} requests without a recorded answer")
        for bad in report.bad_lines[:20]:
            typer.echo(f"line {bad.number:,}: {bad.reason}")
        if report.torn_bytes:
            typer.echo(f"the last line is torn ({report.torn_bytes} bytes); the next resume cuts it off")
        typer.echo("ok" if report.ok else "damaged")
    if inputs is None:
        say("the input is gone or has changed: rows were counted by run.json only")
    if not report.ok:
        raise typer.Exit(ExitCode.UNEXPECTED)
