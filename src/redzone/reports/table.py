"""The flat columns of an outcome, for every format that is a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from redzone.models import Outcome, Row, ZoneVerdict
from redzone.text import clean

PENDING = "pending"
_ZONE_COLUMNS = ("contains_key_elements", "confidence_pct", "elements", "justification")
_OUTCOME_COLUMNS = (
    "source",
    "model",
    "error_code",
    "error",
    "strategy",
    "attempts",
    "cost_usd",
    "image_sha256",
    "finished_at",
)


@dataclass(frozen=True, slots=True)
class Layout:
    """What a table of results holds: the input's own columns and the names of the zones judged."""

    input_columns: tuple[str, ...]
    zones: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns. A result's name that the input has already (in any case) gets `redzone_` in front."""
        taken = {column.casefold() for column in self.input_columns}
        names = list(self.input_columns)
        for column in result_columns(self.zones):
            name = column
            while name.casefold() in taken:
                name = f"redzone_{name}"
            taken.add(name.casefold())
            names.append(name)
        return tuple(names)

    def cells(self, row: Row, outcome: Outcome | None) -> tuple[str, ...]:
        """One line of the table; text as it came, so each format makes it safe in its own way."""
        own = (row.columns.get(column, "") for column in self.input_columns)
        return (*own, *result_cells(outcome, self.zones))


def result_columns(zones: Sequence[str]) -> tuple[str, ...]:
    """`status`, four columns for each zone with the zone's name in front, then how the outcome came about."""
    judged = (f"{zone}_{column}" for zone in zones for column in _ZONE_COLUMNS)
    return ("status", *judged, *_OUTCOME_COLUMNS)


def result_cells(outcome: Outcome | None, zones: Sequence[str]) -> tuple[str, ...]:
    """The cells under `result_columns(zones)`; without an outcome the status is `pending`, the rest empty.

    Verdicts are `true` and `false`, money is US dollars with six decimals, instants are ISO 8601 UTC.
    """
    if outcome is None:
        return (PENDING, *[""] * (len(result_columns(zones)) - 1))
    verdicts = {verdict.name: verdict for verdict in outcome.zones}
    judged = (cell for zone in zones for cell in _zone_cells(verdicts.get(zone)))
    error = outcome.error
    return (
        outcome.status.value,
        *judged,
        outcome.source.value if outcome.source else "",
        outcome.model or "",
        error.code.value if error else "",
        clean(error.message) if error else "",
        outcome.strategy or "",
        str(outcome.attempts),
        f"{outcome.cost_usd:.6f}",
        outcome.image_sha256 or "",
        outcome.finished_at.isoformat(),
    )


def _zone_cells(verdict: ZoneVerdict | None) -> tuple[str, ...]:
    if verdict is None:
        return ("",) * len(_ZONE_COLUMNS)
    elements = "; ".join(
        f"{e.kind.value}: {clean(e.label)}" if e.label else e.kind.value for e in verdict.elements
    )
    return (
        "true" if verdict.contains_key_elements else "false",
        f"{verdict.confidence_pct:.10g}",
        elements,
        clean(verdict.justification),
    )
