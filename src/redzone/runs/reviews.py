"""`reviews.jsonl`: what people said of a run's outcomes, one event a line, only ever added to.

A line has the form of a checkpoint's: `kind` and `schema` first, `sum` last. Any process may add one at any
time, also while the run is going on: the run's own lock is not needed.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pydantic import ValidationError

from redzone.errors import UsageError
from redzone.review import Review
from redzone.runs.checkpoint import SEAL_BYTES, TORN, sealed
from redzone.runs.files import open_private, replace_file, sync_folder

_REVIEW = b'{"kind":"review","schema":1,'
_log = logging.getLogger(__name__)


class ReviewLine(NamedTuple):
    """One line of the file. `end` is the offset behind it; `fault` says why it cannot be used."""

    end: int
    review: Review | None
    fault: str = ""


def render_review(review: Review) -> bytes:
    """One line that `parse_review` gives back equal."""
    return sealed(_REVIEW + review.model_dump_json(ensure_ascii=True).encode("ascii")[1:])


def parse_review(raw: bytes) -> Review:
    """The event of one line with its newline. Raises ValueError for a damaged one and for another schema."""
    if sealed(raw[:-SEAL_BYTES] + b"}") != raw:
        raise ValueError("its checksum does not fit")
    if not raw.startswith(_REVIEW):
        raise ValueError("it is no review of schema 1")
    return Review.model_validate_json(b"{" + raw[len(_REVIEW) : -SEAL_BYTES] + b"}")


def scan_reviews(path: Path) -> Iterator[ReviewLine]:
    """Every line in order, damaged ones and a torn last one too; nothing where there is no file."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        yield from review_lines(file, 0)


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
    """The events of every row that has some, in order; a damaged line is passed over with a warning, a torn
    last line (it may be in the middle of being written) without one."""
    found: dict[int, list[Review]] = {}
    for number, line in enumerate(scan_reviews(path), start=1):
        if line.review is not None:
            found.setdefault(line.review.row, []).append(line.review)
        elif line.fault is not TORN:
            _log.warning("%s: line %d is left out: %s", path, number, line.fault)
    return {row: tuple(reviews) for row, reviews in found.items()}


def append_reviews(path: Path, reviews: Iterable[Review]) -> None:
    """Put the events on disk in their order: all of them on return, none where it raises UsageError."""
    data = b"".join(map(render_review, reviews))
    try:
        with _alone(path):
            is_new = not path.exists()
            descriptor = open_private(path, os.O_RDWR | os.O_APPEND)
            try:
                _append(descriptor, data)
            finally:
                os.close(descriptor)
            if is_new:
                sync_folder(path.parent)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}; the review is not kept") from error


def renumber_reviews(path: Path, row_of: Callable[[Review], int | None]) -> None:
    """Write the file anew with the rows that `row_of` gives; without the events for which it gives None.
    The old file is kept beside it; where nothing changes, nothing is written. Raises OSError."""
    with _alone(path):
        old = [line.review for line in scan_reviews(path) if line.review is not None]
        moved = [(review, row_of(review)) for review in old]
        if all(row == review.row for review, row in moved):
            return
        new = (review.model_copy(update={"row": row}) for review, row in moved if row is not None)
        path.with_name(f"reviews.{path.stat().st_mtime_ns}.jsonl").hardlink_to(path)
        replace_file(path, b"".join(map(render_review, new)))


def _append(descriptor: int, data: bytes) -> None:
    length = _cut_torn_line(descriptor)
    written = 0
    try:
        while written < len(data):
            written += os.write(descriptor, data[written:])
        os.fsync(descriptor)
    except OSError:
        with suppress(OSError):  # a torn line is cut by the next review
            os.ftruncate(descriptor, length)
        raise


def _cut_torn_line(descriptor: int) -> int:
    """Cut off what a killed process wrote of a line, and return the length that is left, bytes."""
    length = os.fstat(descriptor).st_size
    if not length or os.pread(descriptor, 1, length - 1) == b"\n":
        return length
    whole = os.pread(descriptor, length, 0).rfind(b"\n") + 1
    os.ftruncate(descriptor, whole)
    return whole


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Be the only one, of all processes and threads, that writes the file; waits for the one before, which
    takes milliseconds. Raises OSError."""
    # not filelock, which would make the folder of a removed run again
    lock = open_private(path.with_suffix(".lock"), os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
