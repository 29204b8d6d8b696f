"""`metrics.jsonl`: a Snapshot a line, once a second while a process works on the run.

Several processes write to one file, one after the other; a killed one may leave half a line. What cannot be
read is passed over: these lines are for showing, the checkpoint is what counts.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from redzone.telemetry.metrics import Snapshot

IN_THE_CHECKPOINT: Final = {"recent", "groups"}  # so no line need repeat it every second
BLOCK_BYTES = 1 << 16
READ_WHOLE_BYTES = 1 << 18
CHART_POINTS = 600


def render_line(snapshot: Snapshot) -> str:
    """The snapshot as one line, without what the checkpoint has."""
    return snapshot.model_dump_json(exclude=IN_THE_CHECKPOINT) + "\n"


def parse_line(line: bytes) -> Snapshot | None:
    """The snapshot of a line; None for half a line or one of an unknown form."""
    try:
        return Snapshot.model_validate_json(line)
    except ValidationError:
        return None


def without_worker_slots(snapshot: Snapshot) -> Snapshot:
    """The snapshot without what is only worth seeing at its moment."""
    return snapshot.model_copy(update={"lanes": ()})


class Tail:
    """The last `keep` snapshots of a file that grows. Not for several threads at once."""

    def __init__(self, path: Path, keep: int = 1) -> None:
        self._path = path
        self._offset: int | None = None
        self.snapshots: deque[Snapshot] = deque(maxlen=keep)

    def read(self) -> bool:
        """Take in the whole lines that have been added; whether there were any. A missing file is empty.

        The first time it looks back from the end, so that a long history costs nothing.
        """
        try:
            with self._path.open("rb") as file:
                return self._read(file)
        except FileNotFoundError:
            return False

    @property
    def newest(self) -> Snapshot | None:
        """The last one; None before the first."""
        return self.snapshots[-1] if self.snapshots else None

    def _read(self, file: BufferedReader) -> bool:
        size = file.seek(0, os.SEEK_END)
        if self._offset is None or size < self._offset:
            self._offset = _last_lines_begin(file, size, self.snapshots.maxlen or 1)
        file.seek(self._offset)
        added = file.read(size - self._offset)
        whole = added[: added.rfind(b"\n") + 1]
        self._offset += len(whole)
        found = [snapshot for line in whole.splitlines() if (snapshot := parse_line(line)) is not None]
        self.snapshots.extend(found)
        return bool(found)


def newest(path: Path) -> Snapshot | None:
    """The last snapshot of a file; None where there is none."""
    tail = Tail(path)
    tail.read()
    return tail.newest


def sampled(path: Path, most: int = CHART_POINTS) -> tuple[Snapshot, ...]:
    """At most `most` snapshots, evenly spread over the whole file, the last one among them; without their
    lanes, which are of no use later.

    Of a large file only these lines are read: a day of 200 workers is a gigabyte.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            if size <= READ_WHOLE_BYTES:
                lines: Iterable[bytes] = _spread(file.read().splitlines(), most)
            else:
                lines = _picked(file, size, most)
            found = (parse_line(line) for line in lines)
            return tuple(without_worker_slots(snapshot) for snapshot in found if snapshot is not None)
    except FileNotFoundError:
        return ()


@dataclass(frozen=True, slots=True)
class Moment:
    """A snapshot and when it was, in seconds of work: pauses between processes do not count.

    `rejected` are the answers 429 since the moment before, `resumed` says that a new process began.
    """

    at_s: float
    snapshot: Snapshot
    rejected: int
    resumed: bool


def timeline(snapshots: Iterable[Snapshot]) -> Iterator[Moment]:
    """The snapshots of one or several processes, in the order of the file, on one axis of time."""
    before: Snapshot | None = None
    base_s = 0.0
    for snapshot in snapshots:
        resumed = before is not None and not same_process(before, snapshot)
        if before is not None and resumed:
            base_s += before.elapsed_s
        counted = 0 if before is None or resumed else before.rate.rejected
        yield Moment(base_s + snapshot.elapsed_s, snapshot, max(0, snapshot.rate.rejected - counted), resumed)
        before = snapshot


def same_process(earlier: Snapshot, later: Snapshot) -> bool:
    """Whether one process made both: each begins its clock anew, and with what the ones before had done."""
    return earlier.earlier == later.earlier and earlier.elapsed_s <= later.elapsed_s


def _last_lines_begin(file: BufferedReader, size: int, count: int) -> int:
    """The offset at which the last `count` whole lines begin."""
    start, newlines, block = size, 0, b""
    while start > 0 and newlines <= count:
        length = min(BLOCK_BYTES, start)
        start -= length
        file.seek(start)
        block = file.read(length) + block
        newlines = block.count(b"\n")
    end = block.rfind(b"\n")
    for _ in range(count):
        if end < 0:
            return start
        end = block.rfind(b"\n", 0, end)
    return start + end + 1


def _spread(lines: list[bytes], most: int) -> Iterator[bytes]:
    if len(lines) <= most:
        yield from lines
        return
    for number in range(most):
        yield lines[number * (len(lines) - 1) // max(1, most - 1)]


def _picked(file: BufferedReader, size: int, most: int) -> Iterator[bytes]:
    """The lines at evenly spread places; the last place is one block before the end, or nearer."""
    last = _last_lines_begin(file, size, 1)
    reached = 0
    for number in range(most - 1):
        place = max(reached, number * last // (most - 1))
        file.seek(max(0, place - 1))
        if place > 0:
            file.readline()  # the rest of a line that begins before it
        reached = file.tell()
        if reached >= last:
            break
        yield file.readline()
        reached = file.tell()
    file.seek(last)
    yield file.readline()
