"""`reviews.jsonl`: people's reviews of a run's outcomes, one event a line, append-only.

A line has the form of `jsonl.py` and begins with `kind` and `schema`. Any process may append at any time,
also during the run: the run's own lock is not needed.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pydantic import ValidationError

from redzone.errors import UsageError
from redzone.review import Review
from redzone.runs.files import open_private, replace_file, sync_folder
from redzone.runs.jsonl import (
    TORN,
    WRONG_CHECKSUM,
    append_lines,
    cut_torn_line,
    is_sealed,
    read_lines,
    seal,
    unseal,
)

_REVIEW = b'{"kind":"review","schema":1,'
_log = logging.getLogger(__name__)


class ReviewLine(NamedTuple):
    """One line of the file: the event, or in `fault` why it cannot be used. `end` is the offset behind it."""

    end: int
    review: Review | None
    fault: str = ""


def render_review(review: Review) -> bytes:
    """The line that `parse_review` reads back as an equal event."""
    return seal(_REVIEW + review.model_dump_json(ensure_ascii=True).encode("ascii")[1:])


def parse_review(raw: bytes) -> Review:
    """The event of one line with its newline. Raises ValueError for a damaged one and for another schema."""
    if not is_sealed(raw):
        raise ValueError(WRONG_CHECKSUM)
    if not raw.startswith(_REVIEW):
        raise ValueError("it is not a review of schema 1")
    return Review.model_validate_json(unseal(raw, _REVIEW))


def scan_reviews(path: Path) -> Iterator[ReviewLine]:
    """Every line in order, damaged ones and a torn last one too; nothing if there is no file.
    Raises UsageError if the file cannot be read."""
    try:
        for line in read_lines(path):
            yield _line(line.offset + len(line.raw), line.raw)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


def review_lines(file: BinaryIO, start: int) -> Iterator[ReviewLine]:
    """Every line from the offset `start` on, damaged ones and a torn last one too."""
    end = file.seek(start)
    for raw in file:
        end += len(raw)
        yield _line(end, raw)


def _line(end: int, raw: bytes) -> ReviewLine:
    if not raw.endswith(b"\n"):
        return ReviewLine(end, None, TORN)
    try:
        return ReviewLine(end, parse_review(raw))
    except ValidationError as error:
        return ReviewLine(end, None, error.errors()[0]["msg"])
    except ValueError as error:
        return ReviewLine(end, None, str(error))


def read_reviews(path: Path) -> Mapping[int, tuple[Review, ...]]:
    """The events of every row that has some, in order. A damaged line is skipped with a warning, a torn last
    line (it may be being written) without one."""
    found: dict[int, list[Review]] = {}
    for number, line in enumerate(scan_reviews(path), start=1):
        if line.review is not None:
            found.setdefault(line.review.row, []).append(line.review)
        elif line.fault is not TORN:
            _log.warning("%s: line %d is skipped: %s", path, number, line.fault)
    return {row: tuple(reviews) for row, reviews in found.items()}


def append_reviews(path: Path, reviews: Iterable[Review]) -> None:
    """Write the events to disk in their order: all of them, or none and UsageError is raised."""
    data = b"".join(map(render_review, reviews))
    try:
        with _exclusive(path):
            is_new = not path.exists()
            descriptor = open_private(path, os.O_RDWR | os.O_APPEND)
            try:
                length = cut_torn_line(descriptor)
                append_lines(descriptor, length, data, os.fsync, keep_whole=False)
            finally:
                os.close(descriptor)
            if is_new:
                sync_folder(path.parent)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}; the review is not saved") from error


def renumber_reviews(path: Path, find: Callable[[Review], Review | None]) -> None:
    """Rewrite the file with the events that `find` returns, without those for which it returns None.
    The old file is kept beside it; if nothing changes, nothing is written. Raises OSError."""
    with _exclusive(path):
        old = [line.review for line in scan_reviews(path) if line.review is not None]
        new = [moved for review in old if (moved := find(review)) is not None]
        if new != old:
            path.with_name(f"reviews.{path.stat().st_mtime_ns}.jsonl").hardlink_to(path)
            replace_file(path, b"".join(map(render_review, new)))


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """Exclude all other writers of the file, in any process or thread; waits for them, which takes
    milliseconds. Raises OSError."""
    # not filelock: it would create the folder of a removed run again
    lock = open_private(path.with_suffix(".lock"), os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
