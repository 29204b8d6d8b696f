"""The run store: one folder per run, its request in `run.json`, and one process at a time."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from redzone.errors import CheckpointUnusable, RunLocked, RunNotFound, UsageError
from redzone.runs.files import (
    FILE_MODE,
    make_private_folder,
    open_private,
    read_regular,
    replace_file,
    sync_folder,
)
from redzone.runs.record import (
    RUN_ID,
    RecordedState,
    RunRecord,
    parse_record,
    render_record,
)

HOME_NAME = ".redzone"
_CANDIDATES_SHOWN = 5
_log = logging.getLogger(__name__)


def find_home(cli: Path | None, env: Path | None, cwd: Path) -> Path:
    """The home folder: --home, else REDZONE_HOME, else the nearest .redzone/ upward, else ./.redzone.
    Only looks; `make_home` creates it."""
    for given in (cli, env):
        if given is not None:
            return cwd / given.expanduser()
    for folder in (cwd, *cwd.parents):
        home = folder / HOME_NAME
        if home.is_dir() and _ours(home):
            return home
    return cwd / HOME_NAME


def _ours(home: Path) -> bool:
    # anybody can create a .redzone in /tmp
    user = os.geteuid()
    return user == 0 or home.stat().st_uid == user


def make_home(home: Path) -> None:
    """Create the home if it is missing, 0700 and hidden from git. Raises UsageError."""
    try:
        if not home.is_dir():
            home.parent.mkdir(parents=True, exist_ok=True)
            make_private_folder(home)
            replace_file(home / ".gitignore", b"*\n")
    except FileExistsError as error:
        # unless another process has just created it
        if not home.is_dir():
            raise UsageError(f"{home} is not a folder; choose another one with --home") from error
    except OSError as error:
        raise UsageError(
            f"{home} cannot be created: {error.strerror}; choose another folder with --home"
        ) from error


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
        except OSError as error:
            raise RunNotFound(f"{self.record_path} cannot be read: {error.strerror}") from error
        try:
            return parse_record(data)
        except (ValueError, RecursionError) as error:
            raise CheckpointUnusable(f"{self.record_path} cannot be read: {error}") from error

    def write(self, record: RunRecord) -> None:
        """Replace run.json as a whole. Raises OSError."""
        replace_file(self.record_path, render_record(record))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run's lock for the length of the block; the kernel drops it when the process ends.
        Raises RunLocked at once if another process holds it."""
        # 0.1 s to import, and only needed here
        from filelock import FileLock, Timeout

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


class RunStore:
    """All runs of one home, in its `runs/`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "runs"

    def create(self, record: RunRecord) -> RunFolder:
        """Create a folder with its run.json, the other files empty and private. Raises UsageError."""
        make_home(self.home)
        folder = RunFolder(self.folder / record.id)
        try:
            with suppress(FileExistsError):
                make_private_folder(self.folder)
            make_private_folder(folder.path)
            for path in (folder.checkpoint_path, folder.metrics_path, folder.log_path):
                os.close(open_private(path, os.O_WRONLY))
            folder.write(record)
            sync_folder(self.folder)
        except OSError as error:
            raise UsageError(
                f"{folder.path} cannot be created: {error.strerror}; try again or choose another --home"
            ) from error
        return folder

    def get(self, prefix: str) -> RunFolder:
        """The run whose id begins with `prefix`. Raises RunNotFound with candidates for none or several."""
        ids = self._ids()
        found = [run_id for run_id in ids if prefix and run_id.startswith(prefix.lower())]
        if len(found) == 1:
            return RunFolder(self.folder / found[0])
        if found:
            raise RunNotFound(f"{prefix!r} matches {len(found)} runs: {_listed(found)}")
        known = f"the newest are {_listed(ids)}" if ids else "there are no runs yet"
        raise RunNotFound(f"no run in {self.home} has an id that begins with {prefix!r}; {known}")

    def folders(self) -> tuple[RunFolder, ...]:
        """Every run's folder, newest first, even if its run.json cannot be read."""
        return tuple(RunFolder(self.folder / run_id) for run_id in self._ids())

    def newest_first(self) -> tuple[RunRecord, ...]:
        """The record of every run; a run whose run.json cannot be read is skipped with a warning."""
        return tuple(record for _, record in self._readable())

    def newest_unfinished(self) -> RunFolder | None:
        """The run that `resume` continues when no id is given."""
        unfinished = (
            folder for folder, record in self._readable() if record.state is not RecordedState.FINISHED
        )
        return next(unfinished, None)

    def remove(self, prefix: str) -> str:
        """Delete a run and return its id. Raises RunNotFound, and RunLocked while a process works on it."""
        folder = self.get(prefix)
        doomed = self.folder / f".removing-{folder.id}"
        try:
            with folder.lock():
                # renamed first: a run without its checkpoint would be resumed and paid for from the start
                folder.path.rename(doomed)
            shutil.rmtree(doomed)
        except OSError as error:
            raise UsageError(f"{folder.path} cannot be removed: {error.strerror}") from error
        return folder.id

    def _readable(self) -> Iterator[tuple[RunFolder, RunRecord]]:
        for folder in self.folders():
            try:
                yield folder, folder.read()
            except UsageError as error:
                _log.warning("skipped: %s", error)

    def _ids(self) -> list[str]:
        try:
            with os.scandir(self.folder) as entries:
                # a link may lead out of the home, so it is not a run
                ids = [
                    e.name for e in entries if RUN_ID.fullmatch(e.name) and e.is_dir(follow_symlinks=False)
                ]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UsageError(
                f"{self.folder} cannot be read: {error.strerror}; choose another --home"
            ) from error
        return sorted(ids, reverse=True)


def _listed(ids: list[str]) -> str:
    more = ", ..." if len(ids) > _CANDIDATES_SHOWN else ""
    return ", ".join(ids[:_CANDIDATES_SHOWN]) + more
