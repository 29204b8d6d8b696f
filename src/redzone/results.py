"""What a run has found, row by row in input order, for exports and listings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from redzone.errors import UsageError
from redzone.findings import Finding, Review
from redzone.models import Outcome, Poster, Row, Status
from redzone.reports import Format, Layout, format_for, write_results
from redzone.runs import RunFolder
from redzone.runs.index import CheckpointIndex
from redzone.runs.record import RunRecord
from redzone.runs.reviews import read_reviews
from redzone.sources import Inputs, InputSpec, SpooledStdin, open_inputs


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are wanted; empty means all."""

    statuses: frozenset[Status] = frozenset()
    groups: frozenset[str] = frozenset()

    def wants(self, finding: Finding) -> bool:
        """Whether a finding passes. A pending one has no status."""
        if self.statuses and finding.status not in self.statuses:
            return False
        return not self.groups or finding.row.group in self.groups


@dataclass(frozen=True, slots=True)
class Results:
    """A run's rows with their outcomes and reviews. `inputs` is None where the input is no longer the one
    that was judged: then the rows come from the checkpoint, without the input's further columns."""

    record: RunRecord
    index: CheckpointIndex
    reviews: Mapping[int, tuple[Review, ...]]
    inputs: Inputs | None

    @property
    def layout(self) -> Layout:
        """The columns of a table of these results."""
        columns = self.record.columns if self.inputs is not None else ("row", "id", "title", "group", "image")
        return Layout(columns, tuple(zone.name for zone in self.record.zones))

    def findings(self, wanted: Filter) -> Iterator[Finding]:
        """The wanted rows in input order, each with its outcome, if there is one, and its reviews."""
        return filter(wanted.wants, map(self._finding, self._pairs()))

    def _finding(self, pair: tuple[Row, Outcome | None]) -> Finding:
        row, outcome = pair
        return Finding(row, outcome, self.reviews.get(row.row, ()) if outcome is not None else ())

    def _pairs(self) -> Iterator[tuple[Row, Outcome | None]]:
        outcomes = self.index.latest()
        if self.inputs is None:
            yield from ((_row_of(outcome), outcome) for outcome in outcomes)
            return
        # both ascend by row, so each is read once
        outcome = next(outcomes, None)
        for row in self.inputs.rows():
            while outcome is not None and outcome.row < row.row:
                outcome = next(outcomes, None)
            yield row, outcome if outcome is not None and outcome.row == row.row else None


def open_results(folder: RunFolder) -> Results:
    """The results of a run, whether it is finished or not."""
    record = folder.read()
    index, reviews = CheckpointIndex.read(folder.checkpoint_path), read_reviews(folder.reviews_path)
    return Results(record, index, reviews, unchanged_inputs(folder, record))


def inputs_of(folder: RunFolder, record: RunRecord, paths: tuple[str, ...] | None = None) -> Inputs:
    """The run's input, opened anew, or the same rows of another place. Raises InputUnusable."""
    asked = record.inputs
    stdin = SpooledStdin(str(folder.path / "stdin"), asked.base_dir)
    return open_inputs(
        InputSpec(paths or asked.paths, asked.mapping, asked.limit, asked.sample, asked.seed or 0, stdin)
    )


def unchanged_inputs(folder: RunFolder, record: RunRecord) -> Inputs | None:
    """The run's input, or None where it is gone or differs from what the run began with."""
    try:
        inputs = inputs_of(folder, record)
        return inputs if inputs.digest() == record.input_sha256 else None
    except (UsageError, OSError):
        return None


def _row_of(outcome: Outcome) -> Row:
    cells = {
        "row": str(outcome.row),
        "id": outcome.id,
        "title": outcome.title,
        "group": outcome.group,
        "image": outcome.image,
    }
    return Poster(outcome.row, outcome.id, outcome.image, outcome.title, outcome.group, cells)


def write_outputs(results: Results, targets: Sequence[str], wanted: Filter, stream: TextIO) -> Iterator[str]:
    """Write the wanted rows to each target, `-` being CSV on the stream; yields a line about each file.

    Raises UsageError for an unknown extension, before anything is written.
    """
    forms = [Format.CSV if target == "-" else format_for(Path(target)) for target in targets]
    for target, form in zip(targets, forms, strict=True):
        place = stream if target == "-" else Path(target)
        count = write_results(place, form, results.findings(wanted), results.layout)
        if target != "-":
            yield f"{count:,} rows written to {target}"
