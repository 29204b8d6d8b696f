"""The columns of a row's result, for every format that is a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from redzone.models import ZoneVerdict
from redzone.review import ReviewedOutcome
from redzone.text import clean

PENDING = "pending"
_ZONE_COLUMNS = ("contains_key_elements", "confidence_pct", "elements", "justification")
OUTCOME_COLUMNS = (
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
REVIEW_COLUMNS = (
    "justification",
    "reviewed",
    "reviewed_by",
    "reviewed_at",
    "original_status",
    "original_justification",
    "disagreed",
    "note",
)


@dataclass(frozen=True, slots=True)
class TableLayout:
    """The columns of a table of results: the input's own, and those of the judged zones. Without
    `zero_cost_is_known`, a cost of 0 for used tokens is left empty: the price is unknown."""

    input_columns: tuple[str, ...]
    zones: tuple[str, ...]
    zero_cost_is_known: bool = True

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns. A result column whose name is taken, in any case, is prefixed `redzone_`."""
        taken = {column.casefold() for column in self.input_columns}
        names = list(self.input_columns)
        for column in result_columns(self.zones):
            name = column
            while name.casefold() in taken:
                name = f"redzone_{name}"
            taken.add(name.casefold())
            names.append(name)
        return tuple(names)

    def cells(self, reviewed: ReviewedOutcome) -> tuple[str, ...]:
        """One line of the table. The text is unchanged: each format escapes it in its own way."""
        own = (reviewed.row.columns.get(column, "") for column in self.input_columns)
        cells = result_cells(reviewed, self.zones)
        if not self.cost_is_known(reviewed):
            cost = result_columns(self.zones).index("cost_usd")
            cells = (*cells[:cost], "", *cells[cost + 1 :])
        return (*own, *cells)

    def cost_is_known(self, reviewed: ReviewedOutcome) -> bool:
        """Whether the outcome's cost is a figure."""
        outcome = reviewed.outcome
        if self.zero_cost_is_known or outcome is None or outcome.cost_usd:
            return True
        return not outcome.tokens.input + outcome.tokens.output


def result_columns(zones: Sequence[str]) -> tuple[str, ...]:
    """`status`, four columns per zone prefixed with its name, then those of the outcome and the reviews."""
    judged = (f"{zone}_{column}" for zone in zones for column in _ZONE_COLUMNS)
    return ("status", *judged, *OUTCOME_COLUMNS, *REVIEW_COLUMNS)


def result_cells(reviewed: ReviewedOutcome, zones: Sequence[str]) -> tuple[str, ...]:
    """The cells under `result_columns(zones)`; without an outcome the status is `pending`, the rest empty.

    Status and justification are those after review; a zone's columns are always the model's own.
    Verdicts are `true` and `false`, money is US dollars with six decimals, instants are ISO 8601 UTC.
    """
    outcome, status = reviewed.outcome, reviewed.status
    if outcome is None or status is None:
        return (PENDING, *[""] * (len(result_columns(zones)) - 1))
    verdicts = {verdict.name: verdict for verdict in outcome.zones}
    judged = (cell for zone in zones for cell in _zone_cells(verdicts.get(zone)))
    error = outcome.error
    return (
        status.value,
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
        *_review_cells(reviewed),
    )


def _review_cells(reviewed: ReviewedOutcome) -> tuple[str, ...]:
    at, original = reviewed.reviewed_at, reviewed.original_status
    return (
        clean(reviewed.justification),
        _yes_or_no(reviewed.reviewed),
        clean(reviewed.reviewed_by or ""),
        at.isoformat() if at is not None else "",
        original.value if original is not None else "",
        clean(reviewed.original_justification),
        _yes_or_no(reviewed.disagreed),
        clean(reviewed.note or "", keep_lines=True),
    )


def _yes_or_no(value: bool) -> str:
    return "true" if value else "false"


def _zone_cells(verdict: ZoneVerdict | None) -> tuple[str, ...]:
    if verdict is None:
        return ("",) * len(_ZONE_COLUMNS)
    elements = "; ".join(
        f"{e.kind.value}: {clean(e.label)}" if e.label else e.kind.value for e in verdict.elements
    )
    return (
        _yes_or_no(verdict.contains_key_elements),
        f"{verdict.confidence_pct:.10g}",
        elements,
        clean(verdict.justification),
    )
