"""Writing the checkpoint: what was reported as written survives, whatever happens to the process.

The line format is in `checkpoint.py`. One process at a time opens a journal; the run's lock ensures that.
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
from redzone.runs.checkpoint import BadLine, is_intent, scan
from redzone.runs.files import open_private, replacing, sync_data, sync_folder
from redzone.runs.index import CheckpointIndex
from redzone.runs.jsonl import TORN, append_lines

# Space that is kept for the answers that are on their way when the disk becomes full.
RESERVE_BYTES = 1 << 19
_FULL = (errno.ENOSPC, errno.EDQUOT)
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
    """What was repaired when a checkpoint was opened. `moved_lines` are in `checkpoint.bad` now."""

    cut_bytes: int = 0
    moved_lines: tuple[BadLine, ...] = ()


class Journal:
    """A checkpoint, open for appending. `index` is its content when it was opened, `repairs` what was
    repaired then, `syncs` the number of syncs since. `full` is the failure that stops further requests once
    the reserve is in use: from then on only what is paid for should be appended."""

    def __init__(self, path: Path, reserve_bytes: int = RESERVE_BYTES) -> None:
        """Create the file, or repair it, and open it. The caller holds the run's lock.

        Raises JournalFailed, and CheckpointUnusable at a line of another schema: then the file is untouched.
        """
        self.path = path
        self.syncs = 0
        self.full: JournalFailed | None = None
        self._failure: JournalFailed | None = None
        self._reserve = path.with_name("checkpoint.reserve")
        try:
            os.close(open_private(path, os.O_WRONLY | os.O_APPEND))  # unwritable: fails before it is read
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
            # lines of a killed process may be written but not synced; from now on they count
            os.fsync(self._descriptor)
            sync_folder(path.parent)
        except OSError as error:
            self.close()
            raise self._failed(error) from error
        if reserve_bytes:
            self._make_reserve(reserve_bytes)

    def _make_reserve(self, size: int) -> None:
        # on a disk that has no room for it, or cannot reserve space, the run goes on without
        with suppress(OSError, AttributeError):
            descriptor = open_private(self._reserve, os.O_WRONLY | os.O_TRUNC)
            try:
                os.posix_fallocate(descriptor, 0, size)
            except OSError:
                self._reserve.unlink()
                raise
            finally:
                os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; everything for which `append` returned is on disk already."""
        os.close(self._descriptor)
        with suppress(OSError):
            self._reserve.unlink(missing_ok=True)

    def append(self, lines: Sequence[bytes]) -> None:
        """Write whole lines to disk with one write and one sync. Blocks; call it in a thread.

        Raises JournalFailed, and from then on at every call. Some lines of a failed batch may be in the file,
        but only whole ones: a torn one is cut off again.
        """
        if self._failure is not None:
            raise JournalFailed(str(self._failure))
        data = b"".join(lines)
        try:
            self._append(data)
        except OSError as error:
            raise self._failed(error) from error
        self._length += len(data)
        self.syncs += 1

    def _append(self, data: bytes) -> None:
        try:
            append_lines(self._descriptor, self._length, data, sync_data, keep_whole=True)
        except OSError as error:
            if error.errno not in _FULL or not self._reserve.exists():
                raise
            self._reserve.unlink()
            self.full, self._failure = self._failed(error), None
            os.ftruncate(self._descriptor, self._length)
            append_lines(self._descriptor, self._length, data, sync_data, keep_whole=True)

    def _failed(self, error: OSError) -> JournalFailed:
        remedy = _REMEDIES.get(error.errno or 0, "check the disk")
        self._failure = JournalFailed(
            f"{self.path} cannot be written: {error.strerror}; no further request is made. "
            f"Next: {remedy}, then `redzone resume {self.path.parent.name}`"
        )
        return self._failure


def _move_bad_lines(path: Path) -> None:
    bad = path.with_suffix(".bad")
    with (
        replacing(path) as draft,
        os.fdopen(open_private(draft, os.O_WRONLY | os.O_EXCL), "wb") as good_lines,
        os.fdopen(open_private(bad, os.O_WRONLY | os.O_APPEND), "ab") as bad_lines,
    ):
        for line in scan(path):
            if line.head is not None:
                good_lines.write(line.raw)
            elif line.fault is not TORN:
                bad_lines.write(b"%d\t%b" % (line.number, line.raw))
        # before the draft replaces the file: after a crash in between they are in both, not in neither
        bad_lines.flush()
        os.fsync(bad_lines.fileno())


class Recorder:
    """Commits lines from many tasks. All lines that are ready share one write and one sync, in a thread of
    its own, as soon as the write before is done.

    The queue needs no bound: each task waits for its line, so there are never more lines than tasks.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._queue: list[_Waiting] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._failure: JournalFailed | None = None

    async def __aenter__(self) -> Self:
        # not the event loop's own threads: they may all be busy with images
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="redzone-journal")
        self._writer = asyncio.create_task(self._write_all(), name="redzone-recorder")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write what is queued, however the block ended. Raises JournalFailed if the block raised nothing."""
        self._closing = True
        self._wake.set()
        cancelled: asyncio.CancelledError | None = None
        while not self._writer.done():
            try:
                await asyncio.wait({self._writer})
            except asyncio.CancelledError as error:
                # paid answers reach the disk first
                cancelled = error
        self._thread.shutdown(wait=False)  # it has nothing left to do
        if cancelled is not None:
            raise cancelled
        if not self._writer.cancelled():
            self._writer.result()
        if kind is None and self._failure is not None:
            raise JournalFailed(str(self._failure))

    async def commit(self, line: bytes) -> None:
        """Return when the line is on disk. If cancelled while waiting, the line is still written.
        Raises JournalFailed if it may not be on disk, and from then on at every call; on a full disk first
        for intents only, while the reserve takes the outcomes."""
        if self._failure is not None:
            raise JournalFailed(str(self._failure))
        if self._journal.full is not None and is_intent(line):
            raise JournalFailed(str(self._journal.full))
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
                await asyncio.sleep(0)  # lines that are ready now join this write
                batch, self._queue = self._queue, []
                lines = [waiting.line for waiting in batch]
                await loop.run_in_executor(self._thread, self._journal.append, lines)
                _settle(batch, None)
        except JournalFailed as error:
            self._failure = error
        except BaseException:
            # even if it is cancelled during a write, no task waits for ever
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
