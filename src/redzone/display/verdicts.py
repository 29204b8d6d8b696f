"""The verdicts of a short run as a table. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from redzone.findings import Finding
from redzone.models import Status
from redzone.text import clean

_STYLES = {Status.PASS: "green", Status.FAIL: "red", Status.UNSURE: "yellow", Status.ERROR: "magenta"}


def verdict_table(findings: Iterable[Finding]) -> Table:
    """A line for each row in input order: status, id, title, confidence and reason."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("status", "id", "title"):
        table.add_column(column, no_wrap=True)
    table.add_column("sure", justify="right", no_wrap=True)
    table.add_column("reason", overflow="fold")
    for finding in findings:
        row, outcome, status = finding.row, finding.outcome, finding.status
        if outcome is None or status is None:
            table.add_row("pending", Text(clean(row.id)), Text(clean(row.title, 30)), "", "")
            continue
        table.add_row(
            Text(status, style=_STYLES[status]),
            Text(clean(row.id)),
            Text(clean(row.title, 30)),
            f"{min(zone.confidence_pct for zone in outcome.zones):.0f} %" if outcome.zones else "",
            Text(clean(_reason(finding))),
        )
    return table


def _reason(finding: Finding) -> str:
    error = finding.outcome.error if finding.outcome is not None else None
    if error is not None and not finding.reviewed:
        return f"{error.code}: {error.message}"
    return finding.justification
