"""An input that changed under a run: what was found and said of a poster goes to the row where it is now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from redzone.models import Row
from redzone.review import Review
from redzone.runs.checkpoint import render_outcome
from redzone.runs.index import CheckpointIndex
from redzone.runs.journal import Journal
from redzone.runs.reviews import read_reviews, renumber_reviews
from redzone.runs.store import RunFolder

_BATCH = 500
_Poster = tuple[str, str]


def rematch(folder: RunFolder, rows: Callable[[], Iterable[Row]]) -> None:
    """Write checkpoint and reviews anew, each outcome and event with the number of the row that has the same
    id and image now; the old files are kept beside them. Posters that are gone are in the old ones only.

    The caller holds the run's lock. Done again after a crash, it comes to the same.
    """
    _match_outcomes(folder.checkpoint_path, rows())
    reviewed = {_of(review) for events in read_reviews(folder.reviews_path).values() for review in events}
    if reviewed:
        places: dict[_Poster, list[int]] = {}
        for row in rows():
            poster = _poster(row)
            if poster in reviewed:
                places.setdefault(poster, []).append(row.row)
        renumber_reviews(folder.reviews_path, lambda review: _place(review, places))


def _match_outcomes(path: Path, rows: Iterable[Row]) -> None:
    old = CheckpointIndex.read(path)
    by_poster: dict[_Poster, int] = {}
    for outcome in old.latest():
        by_poster.setdefault((outcome.id, outcome.image), outcome.row)
    matched = path.with_name("checkpoint.matched.jsonl")
    matched.unlink(missing_ok=True)
    with Journal(matched) as journal:
        lines = _renumbered(rows, old, by_poster)
        while batch := list(islice(lines, _BATCH)):
            journal.append(batch)
    # a second name first: at no moment is there a run without a checkpoint
    path.with_name(f"checkpoint.{old.path.stat().st_mtime_ns}.jsonl").hardlink_to(path)
    matched.replace(path)


def _renumbered(
    rows: Iterable[Row], old: CheckpointIndex, by_poster: Mapping[_Poster, int]
) -> Iterator[bytes]:
    for row in rows:
        number = by_poster.get(_poster(row))
        found = old.load(number) if number is not None else None
        if found is not None:
            yield render_outcome(found.model_copy(update={"row": row.row}))


def _place(review: Review, places: Mapping[_Poster, list[int]]) -> int | None:
    """Its own row where the poster is still there, else the first that has it; None where none has."""
    rows = places.get(_of(review), [])
    if review.row in rows:
        return review.row
    return rows[0] if rows else None


def _of(review: Review) -> _Poster:
    return review.id, review.image


def _poster(row: Row) -> _Poster:
    return row.id, getattr(row, "image", "")
