"""The status of each run, from its folder alone: run.json, the last line of metrics.jsonl, and the lock.

It makes no difference which process works on the run. A file is read again only when it has changed, so that
a list of hundreds of runs can be rendered every second.
"""

from __future__ import annotations

import logging
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from redzone.errors import RunNotFound, UsageError
from redzone.models import Status
from redzone.runs import RecordedState, RunFolder, RunRecord, RunStore
from redzone.runs.index import CheckpointIndex
from redzone.runs.status import RunState, recorded_counts, run_state
from redzone.telemetry.metrics import Snapshot
from redzone.telemetry.metrics_log import newest

__all__ = ["QUIET_AFTER_S", "Overview", "RunState", "RunStatus"]
_T = TypeVar("_T")
QUIET_AFTER_S = 15.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunStatus:
    """A run at one instant. `per_min` is the rate of the last minute for a live run, else the average;
    `quiet_s` is the time since the last snapshot of a live run, where it is suspiciously long."""

    record: RunRecord
    state: RunState
    counts: Mapping[Status, int]
    cost_usd: float
    seconds: float
    snapshot: Snapshot | None
    quiet_s: float | None = None

    @property
    def id(self) -> str:
        """The run id."""
        return self.record.id

    @property
    def known_cost_usd(self) -> float | None:
        """What it has cost; None if the price of its model is unknown."""
        snapshot = self.snapshot
        tokens = snapshot.tokens_in + snapshot.tokens_out if snapshot is not None else 0
        return self.record.known_cost_usd(self.cost_usd, tokens)

    @property
    def live(self) -> bool:
        """Whether a process is at work on it."""
        return self.state is RunState.LIVE

    @property
    def done(self) -> int:
        """Rows with an outcome."""
        return sum(self.counts.values())

    @property
    def pending(self) -> int:
        """Rows without one."""
        return max(0, self.record.rows - self.done)

    @property
    def per_min(self) -> float:
        """Posters per minute."""
        if self.live:
            return self.snapshot.posters_last_min if self.snapshot is not None else 0.0
        return self.done / self.seconds * 60 if self.seconds > 0 else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds until a live run is done."""
        return self.snapshot.eta_s if self.live and self.snapshot is not None else None

    @property
    def inputs(self) -> str:
        """The names of the inputs, without their folders."""
        return ", ".join(Path(path).name or path for path in self.record.inputs.paths)

    @property
    def judge(self) -> str:
        """Who judges."""
        return "local model" if self.record.provider == "local" else self.record.model


class Overview:
    """Reads the status of a home's runs. Blocking: call it in a thread."""

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._records = _FileCache(lambda path: RunFolder(path.parent).read())
        self._snapshots = _FileCache(newest)
        self._totals = _FileCache(_totals)
        self._turn = Lock()
        self._logged: set[str] = set()

    def newest_first(self) -> list[RunStatus]:
        """Every run. One whose files cannot be read is left out, and logged once."""
        with self._turn:
            folders = self._store.folders()
            for kept in (self._records, self._snapshots, self._totals):
                kept.forget_others({folder.path for folder in folders})
            return list(self._readable(folders))

    def figures(self, folder: RunFolder) -> RunStatus:
        """One run. Raises RunNotFound, and another UsageError where a file cannot be read."""
        with self._turn:
            return self._figures(folder)

    def _readable(self, folders: Iterable[RunFolder]) -> Iterator[RunStatus]:
        for folder in folders:
            try:
                yield self._figures(folder)
            except UsageError as error:
                # this runs every second
                if str(error) not in self._logged:
                    self._logged.add(str(error))
                    _log.warning("run not listed: %s", error)

    def _figures(self, folder: RunFolder) -> RunStatus:
        with suppress(FileNotFoundError):
            require_regular(folder.lock_path, folder.lock_path.lstat())
        # the lock first: a run that ends in between is reported live once more, never interrupted
        working = folder.is_locked()
        record = self._records.get(folder.record_path)
        if record is None:
            raise RunNotFound(f"{folder.record_path} does not exist any more")
        snapshot = self._snapshots.get(folder.metrics_path)
        begun_s = _changed_s(folder.lock_path)
        if snapshot is not None and snapshot.at.timestamp() < begun_s:
            own, own_s = None, 0.0  # the last snapshot of an earlier process of this run
        else:
            own, own_s = snapshot, snapshot.elapsed_s if snapshot else 0.0
        cost_usd = snapshot.cost_usd if snapshot else 0.0
        if working:
            counts = _snapshot_counts(snapshot) if snapshot else recorded_counts(record)
            heard_s = own.at.timestamp() if own else begun_s
            silent_s = time.time() - heard_s
            quiet_s = silent_s if silent_s > QUIET_AFTER_S else None
            return RunStatus(record, RunState.LIVE, counts, cost_usd, record.seconds + own_s, own, quiet_s)
        state = run_state(locked=False, record=record)
        if record.state is not RecordedState.RUNNING:
            return RunStatus(record, state, recorded_counts(record), cost_usd, record.seconds, snapshot)
        totals = self._totals.get(folder.checkpoint_path) or CheckpointTotals({}, 0.0)
        seconds = record.seconds + own_s
        return RunStatus(record, state, totals.counts, totals.cost_usd, seconds, snapshot)


@dataclass(frozen=True, slots=True)
class CheckpointTotals:
    """Sums over a checkpoint."""

    counts: Mapping[Status, int]
    cost_usd: float


def _totals(path: Path) -> CheckpointTotals:
    index = CheckpointIndex.read(path)
    return CheckpointTotals(dict(index.counts), index.cost_usd)


def _snapshot_counts(snapshot: Snapshot) -> dict[Status, int]:
    return {
        Status.PASS: snapshot.passed,
        Status.FAIL: snapshot.failed,
        Status.UNSURE: snapshot.unsure,
        Status.ERROR: snapshot.errors,
    }


def check_regular(folder: RunFolder) -> None:
    """Raises UsageError where a file of the run is a link, a FIFO or anything else that is not a file."""
    for path in (
        folder.record_path,
        folder.checkpoint_path,
        folder.reviews_path,
        folder.metrics_path,
        folder.lock_path,
        folder.browse_path,
    ):
        with suppress(FileNotFoundError):
            require_regular(path, path.lstat())


def require_regular(path: Path, state: os.stat_result) -> None:
    """Raises UsageError unless `state` is that of a regular file: a FIFO would block whoever opens it."""
    if not stat.S_ISREG(state.st_mode):
        raise UsageError(f"{path} is not a regular file; the run cannot be shown")


def _changed_s(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


class _FileCache(Generic[_T]):
    """What was read from one file of each run, kept until the file changes."""

    def __init__(self, read: Callable[[Path], _T]) -> None:
        self._read = read
        self._found: dict[Path, tuple[tuple[int, int, int], _T]] = {}

    def get(self, path: Path) -> _T | None:
        """The content; None where there is no file. Raises UsageError where it cannot be read."""
        try:
            state = path.lstat()
            require_regular(path, state)
            mark = state.st_mtime_ns, state.st_size, state.st_ino
            kept = self._found.get(path)
            if kept is None or kept[0] != mark:
                kept = self._found[path] = mark, self._read(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}") from error
        return kept[1]

    def forget_others(self, folders: set[Path]) -> None:
        """Keep only the files of these runs."""
        self._found = {path: kept for path, kept in self._found.items() if path.parent in folders}
