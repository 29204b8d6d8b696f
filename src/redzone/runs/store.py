"""The run store: the home, and one folder per run in it."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from redzone.errors import RunNotFound, UsageError
from redzone.runs.files import make_private_folder, open_private, replace_file, sync_folder
from redzone.runs.folder import RunFolder
from redzone.runs.record import RUN_ID, RecordedState, RunRecord

HOME_NAME = ".redzone"
_CANDIDATES_SHOWN = 5
# a folder under one of these names is not a run yet, or not any more
_UNFINISHED = (".new-", ".removing-")
_ABANDONED_AFTER_S = 3600.0
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


class RunStore:
    """All runs of one home, in its `runs/`. `on_skip` gets a sentence about each run that cannot be read."""

    def __init__(self, home: Path, on_skip: Callable[[str], None] | None = None) -> None:
        self.home = home
        self._on_skip = on_skip or (lambda text: _log.warning("%s", text))
        self.folder = home / "runs"

    def create(self, record: RunRecord, fill: Callable[[RunFolder], RunRecord] | None = None) -> RunFolder:
        """Create a folder with its run.json, the other files empty and private. Raises UsageError.

        It is visible only when it is complete. Before that, `fill` may add files and complete the record.
        """
        make_home(self.home)
        folder = RunFolder(self.folder / record.id)
        draft = RunFolder(self.folder / f".new-{record.id}")
        try:
            with suppress(FileExistsError):
                make_private_folder(self.folder)
            self._remove_abandoned()
            if folder.path.exists():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            make_private_folder(draft.path)
            try:
                for path in (draft.checkpoint_path, draft.metrics_path, draft.log_path):
                    os.close(open_private(path, os.O_WRONLY))
                draft.write(fill(draft) if fill is not None else record)
                draft.path.rename(folder.path)
            except BaseException:
                shutil.rmtree(draft.path, ignore_errors=True)
                raise
            sync_folder(self.folder)
        except OSError as error:
            raise UsageError(
                f"{folder.path} cannot be created: {error.strerror}; {_next_step(error)}"
            ) from error
        return folder

    def _remove_abandoned(self) -> None:
        """Remove what killed processes left of runs that they were creating or removing."""
        with os.scandir(self.folder) as entries:
            for entry in entries:
                with suppress(OSError):
                    age_s = time.time() - entry.stat(follow_symlinks=False).st_mtime
                    if entry.name.startswith(_UNFINISHED) and age_s > _ABANDONED_AFTER_S:
                        shutil.rmtree(entry.path, ignore_errors=True)

    def get(self, prefix: str) -> RunFolder:
        """The run whose id begins with `prefix`. Raises RunNotFound with candidates for none or several."""
        ids = self._ids()
        found = [run_id for run_id in ids if prefix and run_id.startswith(prefix.lower())]
        if len(found) > 1:
            # one that was killed before it began is not meant
            found = [
                run_id for run_id in found if RunFolder(self.folder / run_id).record_path.exists()
            ] or found
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
        """The run that `resume` continues when no id is given: the newest one that nobody works on.
        Raises RunLocked if other processes work on all of them."""
        unfinished = [
            folder for folder, record in self._readable() if record.state is not RecordedState.FINISHED
        ]
        free = next((folder for folder in unfinished if not folder.is_locked()), None)
        if free is None and unfinished:
            with unfinished[0].lock():  # raises RunLocked, unless it has just ended
                return unfinished[0]
        return free

    def remove(self, prefix: str) -> str:
        """Delete a run and return its id. Raises RunNotFound, and RunLocked while a process works on it."""
        folder = self.get(prefix)
        doomed = self.folder / f".removing-{folder.id}"
        try:
            with folder.lock(check_files=False):
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
                self._on_skip(f"skipped: {error}")

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


def _next_step(error: OSError) -> str:
    steps = {
        errno.ENOSPC: "free space on that disk, or choose another --home",
        errno.EDQUOT: "free space in your quota, or choose another --home",
        errno.EMFILE: "allow more open files (ulimit -n 1024)",
        errno.EEXIST: "try again",
    }
    return steps.get(error.errno or 0, "choose another --home")


def _listed(ids: list[str]) -> str:
    more = ", ..." if len(ids) > _CANDIDATES_SHOWN else ""
    return ", ".join(ids[:_CANDIDATES_SHOWN]) + more
