"""The texts of a report about one poster: clean, short enough, the same in HTML and PDF."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from redzone.models import Box, Element, Status
from redzone.reports.digest import confidence_pct
from redzone.review import ReviewedOutcome
from redzone.text import clean

NAME, LONG = 160, 1200  # characters
_FOLDERS = re.compile(r"(?<![\w/:.%-])/(?:[^/\s]+/)+")


@dataclass(frozen=True, slots=True)
class ReportCard:
    """The texts about one poster; empty where there is nothing to report.

    `beside` is shown beside the verdict: the model's confidence, or the code of the error. `original` is the
    run's own verdict if a person overruled it. `boxes` are the key elements' places, in fractions of the
    poster.
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


def report_card(reviewed: ReviewedOutcome) -> ReportCard:
    """The card of a row that has an outcome. Raises ValueError for a pending one."""
    outcome, status = reviewed.outcome, reviewed.status
    if outcome is None or status is None:
        raise ValueError(f"row {reviewed.row.row} is pending: it has no card")
    elements = [element for verdict in outcome.zones for element in verdict.elements]
    fault = outcome.error
    error_text = without_folders(fault.message, LONG) if fault is not None else ""
    sure_pct = confidence_pct(reviewed)
    return ReportCard(
        row=reviewed.row.row,
        status=status,
        title=clean(reviewed.row.title, NAME),
        id=clean(reviewed.row.id, NAME),
        group=clean(reviewed.row.group, NAME),
        beside=fault.code.value
        if fault is not None
        else ""
        if sure_pct is None
        else f"{sure_pct:.0f} % sure",
        reason=clean(reviewed.justification or error_text, LONG),
        found=_found(elements),
        review=_review(reviewed),
        original=_original(reviewed),
        note=clean(reviewed.note or "", LONG),
        boxes=tuple(element.box for element in elements if element.box is not None),
    )


def without_folders(message: str, limit: int) -> str:
    """A message without this machine's folders: others read the report."""
    return clean(_FOLDERS.sub("", message), limit)


def _found(elements: Sequence[Element]) -> str:
    """Each kind and label once: `2x face, text “HEAT”`."""
    counts = Counter(
        f"{element.kind} “{element.label}”" if element.label not in ("", element.kind) else element.kind.value
        for element in elements
    )
    return clean(", ".join(f"{count}x {what}" if count > 1 else what for what, count in counts.items()), LONG)


def _review(reviewed: ReviewedOutcome) -> str:
    by, at = reviewed.reviewed_by, reviewed.reviewed_at
    if by is None or at is None:
        return ""
    text = f"Reviewed by {clean(by, NAME)} on {at:%Y-%m-%d %H:%M} UTC"
    if not reviewed.disagreed:
        return text
    given = reviewed.status_by_person.items()
    opinions = ", ".join(f"{clean(name, NAME)}: {status}" for name, status in given)
    return f"{text}; reviewers disagree ({opinions})"


def _original(reviewed: ReviewedOutcome) -> str:
    if (
        reviewed.status is reviewed.original_status
        and reviewed.justification == reviewed.original_justification
    ):
        return ""
    reason = f": {reviewed.original_justification}" if reviewed.original_justification else ""
    return clean(f"The model said {reviewed.original_status}{reason}", LONG)
