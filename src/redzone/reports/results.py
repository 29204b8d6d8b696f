"""A run's results, row by row in input order, for exports and listings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TextIO

from redzone.errors import UsageError
from redzone.inputs import Inputs
from redzone.query import ALL, Filter, RunIndex
from redzone.reports import (
    Format,
    Pictures,
    Report,
    TableLayout,
    format_for,
    no_pictures,
    report_metadata,
    write_results,
)
from redzone.reports.destination import STDOUT, check_destinations
from redzone.review import ReviewedOutcome
from redzone.runs import RunFolder
from redzone.runs.input import unchanged_run_input
from redzone.runs.record import RunRecord

INPUT_CHANGED = (
    "the input has changed since: rows come from the checkpoint, without the input's other columns"
)
"""The message of a command when `Results.inputs` is None."""

_END = (math.inf, None)


@dataclass(frozen=True, slots=True)
class Results:
    """A run's rows with their outcomes and reviews; a context manager. `inputs` is None if the input has
    changed since the run: then the rows come from the checkpoint, without the input's other columns."""

    record: RunRecord
    browser: RunIndex
    inputs: Inputs | None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.browser.close()

    @property
    def layout(self) -> TableLayout:
        """The columns of a table of these results."""
        columns = self.record.columns if self.inputs is not None else ("row", "id", "title", "group", "image")
        zones = tuple(zone.name for zone in self.record.zones)
        return TableLayout(columns, zones, self.record.zero_cost_is_known)

    def reviewed_outcomes(self, wanted: Filter = ALL) -> Iterator[ReviewedOutcome]:
        """The matching rows in input order, with pending ones if the filter admits them; in constant memory.
        Raises CheckpointUnusable."""
        if self.inputs is None:
            yield from self.browser.reviewed_outcomes(wanted)
            return
        # both ascend by row, so one pass over each is enough
        answered = self.browser.walk(wanted)
        number, reviewed = next(answered, _END)
        for row in self.inputs.rows():
            while number < row.row:
                number, reviewed = next(answered, _END)
            if number > row.row:
                if wanted.admits_pending(row):
                    yield ReviewedOutcome(row, None)
            elif reviewed is not None:
                yield replace(reviewed, row=row)


def open_results(folder: RunFolder) -> Results:
    """The results of a run, finished or not."""
    record = folder.read()
    return Results(record, RunIndex(folder), unchanged_run_input(folder, record))


def build_report(
    results: Results, wanted: Filter, pictures: Pictures, most_pictures: int | None = None
) -> Report:
    """What a page or PDF of the matching rows needs beside them."""
    facts = report_metadata(results.record, datetime.now(UTC), _describe_filter(wanted))
    return Report(facts, pictures, most_pictures)


def _describe_filter(wanted: Filter) -> str:
    given: dict[str, list[str]] = {}
    for name, value in wanted.to_query():
        given.setdefault(name.replace("_", " "), []).append(value)
    return "; ".join(f"{name} {', '.join(values)}" for name, values in given.items())


def write_outputs(  # noqa: PLR0913
    results: Results,
    targets: Sequence[str],
    wanted: Filter,
    stream: TextIO | None,
    pictures: Pictures = no_pictures,
    *,
    most_pictures: int | None = None,
    overwrite: bool = False,
) -> Iterator[str]:
    """Write the matching rows to each target and yield a line about each file; `-` is CSV on the stream.

    The pictures are for HTML and PDF. Raises UsageError, before anything is written for a target that
    `check_destinations` refuses.
    """
    check_destinations(targets, results.record.inputs.paths, overwrite=overwrite)
    if STDOUT in targets and stream is None:
        raise UsageError("stdout is closed; name a file with --output")
    forms = [Format.CSV if target == STDOUT else format_for(Path(target)) for target in targets]
    for target, form in zip(targets, forms, strict=True):
        place = stream if target == STDOUT and stream is not None else Path(target)
        report = build_report(results, wanted, pictures, most_pictures)
        count = write_results(place, form, results.reviewed_outcomes(wanted), results.layout, report)
        if target != STDOUT:
            yield f"{count:,} rows written to {target}"
