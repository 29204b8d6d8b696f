"""A finding as the words of a report: clean, short enough, the same in HTML and PDF."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from redzone.models import Box, Element, Status
from redzone.reports.digest import confidence_pct
from redzone.review import Finding, standing
from redzone.text import clean

NAME, LONG = 160, 1200  # characters
_FOLDERS = re.compile(r"(?<![\w/:.%-])/(?:[^/\s]+/)+")


@dataclass(frozen=True, slots=True)
class Card:
    """What is told of one poster; empty where there is nothing to tell.

    `beside` the verdict stands how sure the model was, or the code of the error.
    `original` is the run's own verdict where a person overruled it, `boxes` where key elements are, in
    fractions of the poster.
    """

    row: int
    status: Status
    title: str
    id: str
    group: str
    beside: str
    reason: str
    found: str
    review: str
    original: str
    note: str
    boxes: tuple[Box, ...]

    @property
    def name(self) -> str:
        """The title, else the id, else the row."""
        return self.title or self.id or f"row {self.row}"


def card_of(finding: Finding) -> Card:
    """The words about a finding that has an outcome."""
    outcome, status = finding.outcome, finding.status
    if outcome is None or status is None:
        raise ValueError(f"row {finding.row.row} is pending: there is nothing to tell")
    elements = [element for verdict in outcome.zones for element in verdict.elements]
    fault = outcome.error
    told_by_fault = told_outside(fault.message, LONG) if fault is not None else ""
    sure_pct = confidence_pct(finding)
    return Card(
        row=finding.row.row,
        status=status,
        title=clean(finding.row.title, NAME),
        id=clean(finding.row.id, NAME),
        group=clean(finding.row.group, NAME),
        beside=fault.code.value
        if fault is not None
        else ""
        if sure_pct is None
        else f"{sure_pct:.0f} % sure",
        reason=clean(finding.justification or told_by_fault, LONG),
        found=_found(elements),
        review=_review(finding),
        original=_original(finding),
        note=clean(finding.note or "", LONG),
        boxes=tuple(element.box for element in elements if element.box is not None),
    )


def told_outside(message: str, limit: int) -> str:
    """A message without the folders of this machine: a report is read by others."""
    return clean(_FOLDERS.sub("", message), limit)


def _found(elements: Sequence[Element]) -> str:
    """Each kind and label once: `2x face, text “HEAT”`."""
    told = Counter(
        f"{element.kind} “{element.label}”" if element.label not in ("", element.kind) else element.kind.value
        for element in elements
    )
    return clean(", ".join(f"{count}x {what}" if count > 1 else what for what, count in told.items()), LONG)


def _review(finding: Finding) -> str:
    by, at = finding.reviewed_by, finding.reviewed_at
    if by is None or at is None:
        return ""
    said = f"Reviewed by {clean(by, NAME)} on {at:%Y-%m-%d %H:%M} UTC"
    if not finding.disagreed:
        return said
    last = {one.by: one.new_status for one in standing(finding.reviews) if one.new_status is not None}
    views = ", ".join(f"{clean(name, NAME)}: {status}" for name, status in last.items())
    return f"{said}; reviewers disagree ({views})"


def _original(finding: Finding) -> str:
    if finding.status is finding.original_status and finding.justification == finding.original_justification:
        return ""
    words = f": {finding.original_justification}" if finding.original_justification else ""
    return clean(f"The model said {finding.original_status}{words}", LONG)
