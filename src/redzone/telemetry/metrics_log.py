"""`metrics.jsonl`: one Snapshot per line, once a second while a process works on the run.

Several processes may write to the file, one after the other; a killed one may leave half a line. Unreadable
lines are skipped: the file is for display only, the checkpoint is authoritative.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Self

from pydantic import ValidationError

from redzone.runs.files import open_private, open_regular
from redzone.runs.jsonl import append_lines, cut_torn_line
from redzone.telemetry.metrics import Snapshot

IN_THE_CHECKPOINT: Final = {"recent", "groups"}  # so it is not repeated every second
BLOCK_BYTES = 1 << 16
READ_WHOLE_BYTES = 1 << 18
CHART_POINTS = 600


def render_line(snapshot: Snapshot) -> str:
    """The snapshot as one line, without what is in the checkpoint."""
    return snapshot.model_dump_json(exclude=IN_THE_CHECKPOINT) + "\n"


def parse_line(line: bytes) -> Snapshot | None:
    """The snapshot of a line; None for half a line or an unknown format."""
    try:
        return Snapshot.model_validate_json(line)
    except ValidationError:
        return None


def without_worker_slots(snapshot: Snapshot) -> Snapshot:
    """The snapshot without the worker slots, which matter only live."""
    return snapshot.model_copy(update={"lanes": ()})


class MetricsLog:
    """Appends snapshots to a run's file, which is opened at the first one. An async context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    async def write(self, snapshot: Snapshot) -> None:
        """Append one line. Raises OSError; the file then has whole lines, and the next call tries again."""
        await asyncio.to_thread(self._append, render_line(snapshot).encode("utf-8", "backslashreplace"))

    def _append(self, line: bytes) -> None:
        if self._descriptor is None:
            self._descriptor = open_private(self._path, os.O_RDWR | os.O_APPEND)
        # a torn line of a killed process goes first
        length = cut_torn_line(self._descriptor)
        append_lines(self._descriptor, length, line, lambda _: None, keep_whole=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Tail:
    """The last `keep` snapshots of a file that grows. Not for several threads at once."""

    def __init__(self, path: Path, keep: int = 1) -> None:
        self._path = path
        self._offset: int | None = None
        self.snapshots: deque[Snapshot] = deque(maxlen=keep)

    def read(self) -> bool:
        """Read the whole lines that were added; returns whether there were any. A missing file is empty.

        The first read starts near the end, so that a long file costs nothing.
        """
        try:
            with open_regular(self._path) as file:
                return self._read(file)
        except FileNotFoundError:
            return False

    @property
    def newest(self) -> Snapshot | None:
        """The last one; None before the first."""
        return self.snapshots[-1] if self.snapshots else None

    def _read(self, file: BinaryIO) -> bool:
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
    """The last snapshot of a file; None without one."""
    tail = Tail(path)
    tail.read()
    return tail.newest


def sampled(path: Path, most: int = CHART_POINTS) -> tuple[Snapshot, ...]:
    """At most `most` snapshots, evenly spread over the whole file, including the last one; without their
    worker slots.

    Of a large file only these lines are read: a day of 200 workers is a gigabyte.
    """
    try:
        with open_regular(path) as file:
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
    """A snapshot and its time in seconds of work: pauses between processes do not count.

    `rejected` counts the 429 responses since the moment before; `resumed` means that a new process began.
    """

    at_s: float
    snapshot: Snapshot
    rejected: int
    resumed: bool


def timeline(snapshots: Iterable[Snapshot]) -> Iterator[Moment]:
    """The snapshots of one or several processes, in file order, on one time axis."""
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
    """Whether one process wrote both: each starts its own clock, from the counts of the processes before."""
    return earlier.earlier == later.earlier and earlier.elapsed_s <= later.elapsed_s


def _last_lines_begin(file: BinaryIO, size: int, count: int) -> int:
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


def _picked(file: BinaryIO, size: int, most: int) -> Iterator[bytes]:
    """The lines at evenly spread offsets, and the last line."""
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
