"""Small runs to look through."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from redzone.models import Outcome, Poster, Row, Status
from redzone.query import Filter, Sort
from redzone.review import Review, ReviewedOutcome
from redzone.runs import RunFolder
from redzone.runs.checkpoint import read_outcomes, render_outcome
from redzone.runs.reviews import read_reviews, render_review

STATUS_ORDER = (Status.FAIL, Status.UNSURE, Status.ERROR, Status.PASS)


def run_of(path: Path, outcomes: Iterable[Outcome], reviews: Iterable[Review] = ()) -> RunFolder:
    """A run's folder with these outcomes and reviews in it."""
    folder = RunFolder(path)
    path.mkdir(exist_ok=True)
    folder.checkpoint_path.write_bytes(b"".join(map(render_outcome, outcomes)))
    lines = b"".join(map(render_review, reviews))
    if lines:
        folder.reviews_path.write_bytes(lines)
    return folder


def row_of(outcome: Outcome) -> Row:
    """The row of an outcome as the browser gives it."""
    cells = {name: str(getattr(outcome, name)) for name in ("row", "id", "title", "group", "image")}
    return Poster(outcome.row, outcome.id, outcome.image, outcome.title, outcome.group, cells)


def plainly_read(folder: RunFolder) -> list[ReviewedOutcome]:
    """What a reader without tables finds, by row: the last outcome of each row and all its reviews."""
    latest = {outcome.row: outcome for outcome in read_outcomes(folder.checkpoint_path)}
    reviews = read_reviews(folder.reviews_path)
    return [
        ReviewedOutcome(
            row_of(latest[row]), latest[row], tuple(r for r in reviews.get(row, ()) if r.id == latest[row].id)
        )
        for row in sorted(latest)
    ]


def wants(wanted: Filter, reviewed: ReviewedOutcome) -> bool:
    """What the filter's docstring promises, one part after the other."""
    outcome = reviewed.outcome
    assert outcome is not None
    elements = [element for zone in outcome.zones for element in zone.elements]
    sure = min((zone.confidence_pct for zone in outcome.zones), default=None)
    low, high = wanted.confidence_min, wanted.confidence_max
    texts = (
        *(outcome.id, outcome.title, outcome.group, reviewed.justification, reviewed.note or ""),
        *(element.label for element in elements),
    )
    return all(
        (
            not wanted.statuses or reviewed.status in wanted.statuses,
            not wanted.groups or outcome.group in wanted.groups,
            (low is None and high is None)
            or (sure is not None and (low or 0) <= sure <= (100 if high is None else high)),
            not wanted.kinds or any(element.kind in wanted.kinds for element in elements),
            wanted.reviewed is None or reviewed.reviewed is wanted.reviewed,
            wanted.disagreed is None or reviewed.disagreed is wanted.disagreed,
            not wanted.sources or outcome.source in wanted.sources,
            not wanted.codes or (outcome.error is not None and outcome.error.code in wanted.codes),
            any(wanted.text.casefold() in text.casefold() for text in texts),
        )
    )


def key_of(sort: Sort, reviewed: ReviewedOutcome) -> tuple[object, ...]:
    """What findings are compared by in an order."""
    outcome = reviewed.outcome
    assert outcome is not None
    assert reviewed.status is not None
    sure = min((zone.confidence_pct for zone in outcome.zones), default=None)
    keys: dict[Sort, tuple[object, ...]] = {
        Sort.ROW: (),
        Sort.CONFIDENCE: (sure is None, sure or 0),
        Sort.CONFIDENCE_DESC: (sure is None, -(sure or 0)),
        Sort.STATUS: (STATUS_ORDER.index(reviewed.status),),
        Sort.TITLE: (outcome.title.casefold(),),
        Sort.GROUP: (outcome.group,),
        Sort.FINISHED: (-outcome.finished_at.timestamp(),),
    }
    return (*keys[sort], outcome.row)


def chosen(reviewed_outcomes: Sequence[ReviewedOutcome], wanted: Filter, sort: Sort) -> list[ReviewedOutcome]:
    """The wanted findings in order."""
    return sorted((one for one in reviewed_outcomes if wants(wanted, one)), key=lambda one: key_of(sort, one))
