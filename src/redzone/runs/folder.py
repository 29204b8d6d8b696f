"""The folder of one run: its files, its record, and the lock that admits one process at a time."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from redzone.errors import CheckpointUnusable, RunLocked, RunNotFound, UsageError
from redzone.runs.files import FILE_MODE, open_regular, read_regular, replace_file
from redzone.runs.record import RUN_ID, RunRecord, parse_record, render_record

_HELD_ELSEWHERE = (errno.EACCES, errno.EAGAIN)


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The files of one run."""

    path: Path

    @property
    def id(self) -> str:
        """The run id, which is the folder's name."""
        return self.path.name

    @property
    def record_path(self) -> Path:
        """The request and the recorded state."""
        return self.path / "run.json"

    @property
    def checkpoint_path(self) -> Path:
        """Every intent and outcome."""
        return self.path / "checkpoint.jsonl"

    @property
    def reviews_path(self) -> Path:
        """People's reviews of the outcomes; created by the first one."""
        return self.path / "reviews.jsonl"

    @property
    def browse_path(self) -> Path:
        """The index of outcomes and reviews; derived from the other files and safe to delete."""
        return self.path / "browse.sqlite"

    @property
    def metrics_path(self) -> Path:
        """One snapshot a second while running."""
        return self.path / "metrics.jsonl"

    @property
    def log_path(self) -> Path:
        """The event log."""
        return self.path / "log.jsonl"

    @property
    def lock_path(self) -> Path:
        """Locked by the process that works on the run; contains its pid."""
        return self.path / "lock"

    def read(self) -> RunRecord:
        """The run's record. Raises RunNotFound without a run.json, CheckpointUnusable for another schema."""
        try:
            data = read_regular(self.record_path)
        except FileNotFoundError as error:
            raise RunNotFound(
                f"{self.path} has no run.json: the run was killed before it began; "
                f"`redzone runs rm {self.id}` removes what is left"
            ) from error
        except OSError as error:
            raise RunNotFound(f"{self.record_path} cannot be read: {error.strerror}") from error
        try:
            record = parse_record(data)
        except (ValueError, RecursionError) as error:
            raise CheckpointUnusable(f"{self.record_path} cannot be read: {error}") from error
        # a copied folder is a run of its own
        return record.model_copy(update={"id": self.id}) if RUN_ID.fullmatch(self.id) else record

    def write(self, record: RunRecord) -> None:
        """Replace run.json as a whole. Raises OSError."""
        replace_file(self.record_path, render_record(record))

    @contextmanager
    def lock(self, *, check_files: bool = True) -> Iterator[None]:
        """Hold the run's lock for the length of the block; the kernel drops it when the process ends.
        Raises RunLocked at once if another process holds it; with `check_files`, UsageError for a folder that
        contains links."""
        # 0.1 s to import, and only needed here
        from filelock import FileLock, Timeout

        self._check_files(all_files=check_files)

        lock = FileLock(
            self.lock_path, mode=FILE_MODE, blocking=False, thread_local=False, on_acquired=_write_pid
        )
        try:
            lock.acquire()
        except Timeout:
            owner = _read_pid(self.lock_path) or "of unknown id"
            raise RunLocked(
                f"run {self.id}: process {owner} is working on it; wait for it or stop it"
            ) from None
        except OSError as error:
            raise UsageError(
                f"{self.lock_path} cannot be locked: {error.strerror}; choose another --home"
            ) from error
        try:
            yield
        finally:
            # the folder may have been removed
            with suppress(OSError):
                os.truncate(self.lock_path, 0)
            lock.release()

    def _check_files(self, *, all_files: bool) -> None:
        """Refuse a folder that was prepared to have files elsewhere written; at least its lock is checked."""
        try:
            with os.scandir(self.path) as entries:
                names = [entry.name for entry in entries if not entry.is_file(follow_symlinks=False)]
        except OSError as error:
            raise UsageError(f"{self.path} cannot be read: {error.strerror}") from error
        strange = [name for name in names if all_files or name == self.lock_path.name]
        if strange:
            raise UsageError(
                f"run {self.id}: {strange[0]} is not a regular file, as all files of a run are; "
                f"remove it from {self.path} if you trust the rest"
            )

    def is_locked(self) -> bool:
        """Whether another process works on the run: a shared lock is tried and released at once."""
        try:
            with open_regular(self.lock_path) as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno in _HELD_ELSEWHERE
        return False

    def worker_pid(self) -> int | None:
        """The pid in the lock file, if that process exists. For display; only `lock` is reliable."""
        pid = _read_pid(self.lock_path)
        return pid if pid is not None and _alive(pid) else None


def _write_pid(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)


def _read_pid(path: Path) -> int | None:
    try:
        pid = int(read_regular(path))
    except (OSError, ValueError):
        return None
    return pid if 0 < pid < 1 << 31 else None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
