"""Updating the tables with what was added to the run's files since the last update.

A file that has become shorter or was replaced (a checkpoint is replaced when damaged lines are moved out and
when rows are matched again) is read from its beginning.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, NamedTuple

from redzone.models import Outcome
from redzone.query.database import clear, transaction
from redzone.query.lookup import CHUNK, assemble, chunks, load_outcomes, load_reviews
from redzone.query.schema import INDEXES, OUTCOME_COLUMNS, reviewed_row, words_row
from redzone.runs.checkpoint import tail
from redzone.runs.files import open_regular
from redzone.runs.jsonl import TORN
from redzone.runs.reviews import review_lines

# the end of the last line read, with its checksum: reading continues there if these bytes are unchanged
_TAIL_BYTES = 32
_UPSERT = f"INSERT OR REPLACE INTO outcome VALUES ({', '.join('?' * OUTCOME_COLUMNS)})"  # noqa: S608  ours
_log = logging.getLogger(__name__)


class _Mark(NamedTuple):
    """How far a file has been read."""

    inode: int = 0
    offset: int = 0
    tail: bytes = b""


def refresh(db: sqlite3.Connection, checkpoint: Path, reviews: Path) -> None:
    """Read what is new in the two files; all of it, or nothing if it raises.
    Raises CheckpointUnusable at a line of another schema."""
    with ExitStack() as files, transaction(db):
        outcome_file, review_file = _opened(files, checkpoint), _opened(files, reviews)
        outcome_mark, review_mark = _mark(db, "checkpoint"), _mark(db, "reviews")
        if not (_is_continued(outcome_file, outcome_mark) and _is_continued(review_file, review_mark)):
            clear(db)
            outcome_mark = review_mark = _Mark()
        if review_file is not None:
            touched, end = _read_reviews(db, review_file, review_mark.offset)
            if outcome_file is not None:
                _review_again(db, outcome_file, touched)
            _set_mark(db, "reviews", review_file, end)
        if outcome_file is not None:
            end = _read_outcomes(db, outcome_file, checkpoint, outcome_mark.offset)
            _set_mark(db, "checkpoint", outcome_file, end)
        if not outcome_mark.offset:
            for statement in INDEXES:
                db.execute(statement)


def _opened(files: ExitStack, path: Path) -> BinaryIO | None:
    try:
        return files.enter_context(open_regular(path, buffer_bytes=1 << 20))
    except FileNotFoundError:
        return None


def _mark(db: sqlite3.Connection, name: str) -> _Mark:
    found = db.execute("SELECT inode, offset, tail FROM file WHERE name = ?", (name,)).fetchone()
    return _Mark(*found) if found else _Mark()


def _set_mark(db: sqlite3.Connection, name: str, file: BinaryIO, end: int) -> None:
    mark = (name, os.fstat(file.fileno()).st_ino, end, _before(file, end))
    db.execute("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?)", mark)


def _is_continued(file: BinaryIO | None, mark: _Mark) -> bool:
    """Whether what was read is unchanged, so that reading can continue behind it."""
    if not mark.offset:
        return True
    if file is None or os.fstat(file.fileno()).st_ino != mark.inode:
        return False
    return _before(file, mark.offset) == mark.tail


def _before(file: BinaryIO, offset: int) -> bytes:
    length = min(offset, _TAIL_BYTES)
    return os.pread(file.fileno(), length, offset - length)


def _read_reviews(db: sqlite3.Connection, file: BinaryIO, start: int) -> tuple[set[int], int]:
    """Store the new events; returns their rows, and the offset behind the last whole line."""
    touched: set[int] = set()
    end = start
    for line in review_lines(file, start):
        if line.fault is TORN:
            break
        end = line.end
        if line.review is None:
            _log.warning("reviews: the line that ends at byte %d is skipped: %s", end, line.fault)
            continue
        event = (line.review.row, end, line.review.model_dump_json())
        db.execute("INSERT OR REPLACE INTO review VALUES (?, ?, ?)", event)
        touched.add(line.review.row)
    return touched, end


def _review_again(db: sqlite3.Connection, file: BinaryIO, rows: Iterable[int]) -> None:
    """Apply the new events to outcomes that are stored already."""
    for some in chunks(sorted(rows), CHUNK):
        _store(db, list(load_outcomes(db, file, some)))


def _read_outcomes(db: sqlite3.Connection, file: BinaryIO, path: Path, start: int) -> int:
    """Store the new outcomes; returns the offset behind the last whole line."""
    end = start
    for lines in chunks(tail(file, path, start), CHUNK):
        _store(db, [(offset, outcome) for offset, _, outcome in lines if outcome is not None])
        end = lines[-1][1]
    return end


def _store(db: sqlite3.Connection, outcomes: list[tuple[int, Outcome]]) -> None:
    reviews = load_reviews(db, [outcome.row for _, outcome in outcomes])
    reviewed_outcomes = [
        (offset, outcome, assemble(outcome, reviews.get(outcome.row, ()))) for offset, outcome in outcomes
    ]
    db.executemany(
        _UPSERT, (reviewed_row(reviewed, outcome, offset) for offset, outcome, reviewed in reviewed_outcomes)
    )
    words = (words_row(reviewed, outcome) for _, outcome, reviewed in reviewed_outcomes)
    db.executemany("INSERT OR REPLACE INTO words VALUES (?, ?)", words)
