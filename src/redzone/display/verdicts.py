"""The verdicts of a short run as a table. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from redzone.models import Outcome, Row, Status
from redzone.text import clean

_STYLES = {Status.PASS: "green", Status.FAIL: "red", Status.UNSURE: "yellow", Status.ERROR: "magenta"}


def verdict_table(rows: Iterable[tuple[Row, Outcome | None]]) -> Table:
    """A line for each row in input order: status, id, title, confidence and reason."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("status", "id", "title"):
        table.add_column(column, no_wrap=True)
    table.add_column("sure", justify="right", no_wrap=True)
    table.add_column("reason", overflow="fold")
    for row, outcome in rows:
        if outcome is None:
            table.add_row("pending", Text(clean(row.id)), Text(clean(row.title, 30)), "", "")
            continue
        table.add_row(
            Text(outcome.status, style=_STYLES[outcome.status]),
            Text(clean(row.id)),
            Text(clean(row.title, 30)),
            f"{min(zone.confidence_pct for zone in outcome.zones):.0f} %" if outcome.zones else "",
            Text(clean(_reason(outcome))),
        )
    return table


def _reason(outcome: Outcome) -> str:
    if outcome.error is not None:
        return f"{outcome.error.code}: {outcome.error.message}"
    if len(outcome.zones) == 1:
        return outcome.zones[0].justification
    return "; ".join(f"{zone.name}: {zone.justification}" for zone in outcome.zones)
