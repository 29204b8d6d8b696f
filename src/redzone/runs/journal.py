"""Writing the checkpoint: nothing that was reported as written is lost, whatever happens to the process.

The line format is `checkpoint.py`'s. One process at a time opens a journal: the run's lock sees to that.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from redzone.errors import JournalFailed
from redzone.runs.checkpoint import (
    TORN,
    BadLine,
    scan,
)
from redzone.runs.files import open_private, sync_data, sync_folder
from redzone.runs.index import CheckpointIndex

_REMEDIES = {
    errno.ENOSPC: "free space on that disk",
    errno.EDQUOT: "free space in your quota",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f)",
    errno.EROFS: "make the disk writable",
    errno.EACCES: "make the folder writable",
    errno.EPERM: "make the folder writable",
}


@dataclass(frozen=True, slots=True)
class Repairs:
    """What opening a checkpoint had to mend. `moved_lines` are in `checkpoint.bad` now."""

    cut_bytes: int = 0
    moved_lines: tuple[BadLine, ...] = ()


class Journal:
    """A checkpoint, open for appending. `index` is what it said when it was opened, `repairs` what was mended
    then, and `syncs` how often the disk was waited for since."""

    def __init__(self, path: Path) -> None:
        """Create the file, or mend it, and open it. The caller holds the run's lock.

        Raises JournalFailed, and CheckpointUnusable at a line of another schema: then the file is untouched.
        """
        self.path = path
        self.syncs = 0
        self._failure: JournalFailed | None = None
        try:
            self.index = CheckpointIndex.read(path)
            self.repairs = Repairs(self.index.torn_bytes, self.index.bad_lines)
            if self.repairs.moved_lines:
                _move_bad_lines(path)
                self.index = CheckpointIndex.read(path)
            self._descriptor = open_private(path, os.O_WRONLY | os.O_APPEND)
        except OSError as error:
            raise self._failed(error) from error
        try:
            self._length = os.fstat(self._descriptor).st_size - self.index.torn_bytes
            os.ftruncate(self._descriptor, self._length)
            # lines of a killed process may have been written but not synced; from now on they count
            os.fsync(self._descriptor)
            sync_folder(path.parent)
        except OSError as error:
            self.close()
            raise self._failed(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; all that `append` returned for is on disk already."""
        os.close(self._descriptor)

    def append(self, lines: Sequence[bytes]) -> None:
        """Put whole lines on disk: one write and one sync for all of them. Blocks; call it in a thread.

        Raises JournalFailed, and from then on at every call. Of a failed batch some lines may be in the file,
        whole ones: what was written of a line without its end is cut off again.
        """
        if self._failure is not None:
            raise JournalFailed(str(self._failure))
        data = b"".join(lines)
        written = 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, data[written:] if written else data)
            sync_data(self._descriptor)
        except OSError as error:
            self._cut_torn_line(data[:written])
            raise self._failed(error) from error
        self._length += written
        self.syncs += 1

    def _cut_torn_line(self, written: bytes) -> None:
        # if this fails as well, the next open cuts
        with suppress(OSError):
            os.ftruncate(self._descriptor, self._length + written.rfind(b"\n") + 1)

    def _failed(self, error: OSError) -> JournalFailed:
        remedy = _REMEDIES.get(error.errno or 0, "see to the disk")
        self._failure = JournalFailed(
            f"{self.path} cannot be written: {error.strerror}; no further request is made. "
            f"Next: {remedy}, then `redzone resume {self.path.parent.name}`"
        )
        return self._failure


def _move_bad_lines(path: Path) -> None:
    draft, bad = path.with_name(f"{path.name}.new"), path.with_suffix(".bad")
    with (
        os.fdopen(open_private(draft, os.O_WRONLY | os.O_TRUNC), "wb") as good_lines,
        os.fdopen(open_private(bad, os.O_WRONLY | os.O_APPEND), "ab") as bad_lines,
    ):
        for line in scan(path):
            if line.head is not None:
                good_lines.write(line.raw)
            elif line.fault is not TORN:
                bad_lines.write(b"%d\t%b" % (line.number, line.raw))
        # the bad lines first: a crash in between leaves them twice, never nowhere
        for file in (bad_lines, good_lines):
            file.flush()
            os.fsync(file.fileno())
    draft.replace(path)


class Recorder:
    """Commits lines from many tasks. Whatever is ready shares one write and one sync, in a thread of its own,
    as soon as the one before is done.

    The queue needs no bound: each task waits for its line, so it never holds more lines than there are tasks.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._queue: list[_Waiting] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._failure: JournalFailed | None = None

    async def __aenter__(self) -> Self:
        # not the loop's own threads: they may all be busy with pictures
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="redzone-journal")
        self._writer = asyncio.create_task(self._write_all(), name="redzone-recorder")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write what is queued, whatever ended the block. Raises JournalFailed where the block ended well."""
        self._closing = True
        self._wake.set()
        cancelled: asyncio.CancelledError | None = None
        while not self._writer.done():
            try:
                await asyncio.wait({self._writer})
            except asyncio.CancelledError as error:
                # answers that are paid for reach the disk first
                cancelled = error
        self._thread.shutdown(wait=False)  # it has nothing left to do
        if cancelled is not None:
            raise cancelled
        if not self._writer.cancelled():
            self._writer.result()
        if kind is None and self._failure is not None:
            raise JournalFailed(str(self._failure))

    async def commit(self, line: bytes) -> None:
        """Return when the line is on disk. Cancelled while it waits, the line is written all the same.
        Raises JournalFailed if it may not be on disk, and from then on at every call."""
        if self._failure is not None:
            raise JournalFailed(str(self._failure))
        if self._closing:
            raise RuntimeError("commit() outside of the recorder's block")
        waiting = _Waiting(line, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._wake.set()
        failure = await waiting.done
        if failure is not None:
            raise JournalFailed(str(failure))

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        batch: list[_Waiting] = []
        try:
            while self._queue or not self._closing:
                if not self._queue:
                    self._wake.clear()
                    await self._wake.wait()
                    continue
                await asyncio.sleep(0)  # whoever is ready now comes along
                batch, self._queue = self._queue, []
                lines = [waiting.line for waiting in batch]
                await loop.run_in_executor(self._thread, self._journal.append, lines)
                _settle(batch, None)
        except JournalFailed as error:
            self._failure = error
        except BaseException:
            # even cancelled in the middle of a write, it lets nobody wait for ever
            self._failure = JournalFailed(f"{self._journal.path}: the recorder was stopped")
            raise
        finally:
            _settle(batch + self._queue, self._failure)


class _Waiting(NamedTuple):
    line: bytes
    done: asyncio.Future[JournalFailed | None]


def _settle(batch: Sequence[_Waiting], failure: JournalFailed | None) -> None:
    for waiting in batch:
        # done already: its task was cancelled
        if not waiting.done.done():
            waiting.done.set_result(failure)
