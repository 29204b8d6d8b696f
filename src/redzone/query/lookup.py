"""Findings by their rows: outcomes from the checkpoint, where the tables know their places, and reviews."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar

from redzone.models import Outcome, Poster
from redzone.review import Review, ReviewedOutcome
from redzone.runs.checkpoint import parse_line

CHUNK = 500  # SQLite takes thousands of question marks, but plans longer for them
_T = TypeVar("_T")


class Moved(Exception):
    """The checkpoint is no longer the one that the tables know: they must be brought up to date first."""


def load_reviewed(
    db: sqlite3.Connection, checkpoint: Path, rows: Sequence[int]
) -> tuple[ReviewedOutcome, ...]:
    """The findings of these rows in the order given; a row without one is left out. Raises Moved."""
    if not rows:
        return ()
    found: dict[int, ReviewedOutcome] = {}
    try:
        file = checkpoint.open("rb")
    except FileNotFoundError:
        raise Moved from None
    with file:
        for some in chunks(rows, CHUNK):
            reviews = load_reviews(db, some)
            for _, outcome in load_outcomes(db, file, some):
                found[outcome.row] = assemble(outcome, reviews.get(outcome.row, ()))
    return tuple(found[row] for row in rows if row in found)


def load_outcomes(
    db: sqlite3.Connection, file: BinaryIO, rows: Sequence[int]
) -> Iterator[tuple[int, Outcome]]:
    """The outcomes of these rows and their offsets, in the order of the checkpoint. Raises Moved."""
    marks = ", ".join("?" * len(rows))
    places = db.execute(f"SELECT row, offset FROM finding WHERE row IN ({marks}) ORDER BY offset", rows)  # noqa: S608  ours
    for row, offset in places.fetchall():
        file.seek(offset)
        try:
            outcome = parse_line(file.readline())
        except ValueError:
            raise Moved from None
        if not isinstance(outcome, Outcome) or outcome.row != row:
            raise Moved
        yield offset, outcome


def load_reviews(db: sqlite3.Connection, rows: Sequence[int]) -> Mapping[int, tuple[Review, ...]]:
    """All events of these rows in order; rows without one are left out."""
    marks = ", ".join("?" * len(rows))
    lines = db.execute(f"SELECT row, event FROM review WHERE row IN ({marks}) ORDER BY row, number", rows)  # noqa: S608
    found: dict[int, list[Review]] = {}
    for row, event in lines:
        found.setdefault(row, []).append(Review.model_validate_json(event))
    return {row: tuple(reviews) for row, reviews in found.items()}


def assemble(outcome: Outcome, reviews: Iterable[Review]) -> ReviewedOutcome:
    """The finding of an outcome. An event of another poster, which had the row's number before rows were
    matched anew, is none of its."""
    row = Poster(
        outcome.row,
        outcome.id,
        outcome.image,
        outcome.title,
        outcome.group,
        {
            "row": str(outcome.row),
            "id": outcome.id,
            "title": outcome.title,
            "group": outcome.group,
            "image": outcome.image,
        },
    )
    about = (review for review in reviews if (review.id, review.image) == (outcome.id, outcome.image))
    return ReviewedOutcome(row, outcome, tuple(about))


def chunks(values: Iterable[_T], most: int) -> Iterator[list[_T]]:
    """Lists of at most `most` values, in order."""
    rest = iter(values)
    while some := list(islice(rest, most)):
        yield some
