"""What a report shows about its run, and the source of its pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from pathlib import Path

from redzone.models import Zone
from redzone.review import ReviewedOutcome
from redzone.runs import RunRecord


@dataclass(frozen=True, slots=True)
class ReportMetadata:
    """The run as a report shows it. `selection` describes the chosen rows, empty for all of them.
    Without `zero_cost_is_known`, a cost of 0 for used tokens means that the price is unknown."""

    run_id: str
    label: str
    state: str
    inputs: tuple[str, ...]
    rows: int
    zones: tuple[Zone, ...]
    judge: str
    min_confidence_pct: float | None
    begun_at: datetime
    made_at: datetime
    seconds: float
    version: str
    selection: str = ""
    zero_cost_is_known: bool = True


def report_metadata(record: RunRecord, made_at: datetime, selection: str = "") -> ReportMetadata:
    """The metadata of a run. Inputs are shown by name only: others need not see this machine's folders."""
    sure = record.settings.get("min_confidence_pct")
    return ReportMetadata(
        run_id=record.id,
        label=record.label,
        state=record.state.value,
        inputs=tuple(Path(path).name or path for path in record.inputs.paths),
        rows=record.rows,
        zones=record.zones,
        judge="the local model" if record.provider == "local" else f"{record.provider} {record.model}",
        min_confidence_pct=float(sure) if isinstance(sure, int | float) else None,
        begun_at=record.created_at,
        made_at=made_at,
        seconds=record.seconds,
        version=record.version,
        selection=selection,
        zero_cost_is_known=record.zero_cost_is_known,
    )


@dataclass(frozen=True, slots=True)
class Shot:
    """A poster's picture as a JPEG, or None and the reason; `changed`: other content was judged."""

    data: bytes | None
    reason: str = ""
    changed: bool = False


Pictures = Callable[[Sequence[ReviewedOutcome], int], Iterator[Shot]]
"""One shot for each row in order, about as many px wide as the second argument."""


def no_pictures(reviewed_outcomes: Sequence[ReviewedOutcome], width_px: int) -> Iterator[Shot]:
    """A placeholder for each row."""
    del width_px
    return repeat(Shot(None, "left out"), len(reviewed_outcomes))


@dataclass(frozen=True, slots=True)
class Report:
    """What a report needs beside the rows. `most_pictures` None is the default of its format."""

    facts: ReportMetadata
    pictures: Pictures = no_pictures
    most_pictures: int | None = None
