"""Outcomes by row, from the checkpoint at the offsets that the tables know, with their reviews."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar

from redzone.models import Outcome, Poster
from redzone.review import Review, ReviewedOutcome
from redzone.runs.checkpoint import parse_line
from redzone.runs.files import open_regular

CHUNK = 500  # SQLite accepts thousands of parameters, but plans longer for them
_T = TypeVar("_T")


class Moved(Exception):
    """The checkpoint is not the one that the tables were made from: they must be updated first."""


def load_reviewed(
    db: sqlite3.Connection, checkpoint: Path, rows: Sequence[int]
) -> tuple[ReviewedOutcome, ...]:
    """The outcomes of these rows in the order given; pending rows are omitted. Raises Moved."""
    if not rows:
        return ()
    found: dict[int, ReviewedOutcome] = {}
    try:
        file = open_regular(checkpoint)
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
    places = db.execute(f"SELECT row, offset FROM outcome WHERE row IN ({marks}) ORDER BY offset", rows)  # noqa: S608  ours
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
    """All events of these rows in order; rows without one are omitted."""
    marks = ", ".join("?" * len(rows))
    lines = db.execute(f"SELECT row, event FROM review WHERE row IN ({marks}) ORDER BY row, number", rows)  # noqa: S608
    found: dict[int, list[Review]] = {}
    for row, event in lines:
        found.setdefault(row, []).append(Review.model_validate_json(event))
    return {row: tuple(reviews) for row, reviews in found.items()}


def assemble(outcome: Outcome, reviews: Iterable[Review]) -> ReviewedOutcome:
    """An outcome with its reviews. Events about another poster, which had this row number before the rows
    were matched again, are dropped."""
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
