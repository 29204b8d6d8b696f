"""Caches the totals of each run; they are counted again only when the run's files change."""

from __future__ import annotations

import logging
import sqlite3
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Self, TypeVar

from redzone.errors import UsageError
from redzone.models import Status
from redzone.query import Agreement, Bin, Comparison, GroupFigures, RunIndex, compare, pass_rate_pct
from redzone.runs import RunFolder

BINS = 20
KEPT_RUNS = 500
KEPT_COMPARISONS = 8
_Stamp = tuple[tuple[int, int], ...]
_K = TypeVar("_K")
_V = TypeVar("_V")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunTotals:
    """Outcomes after review, counted by group (the largest first), confidence and UTC day; and the agreement
    between the run and its reviewers."""

    groups: tuple[GroupFigures, ...]
    bins: tuple[Bin, ...]
    days: Mapping[date, Mapping[Status, int]]
    agreement: Agreement

    @classmethod
    def read(cls, folder: RunFolder) -> Self:
        """Counts one run. Raises CheckpointUnusable for another schema."""
        with RunIndex(folder) as browser:
            return cls(browser.groups(), browser.confidence(bins=BINS), browser.days(), browser.agreement())

    @classmethod
    def summed(cls, totals: Iterable[RunTotals]) -> Self:
        """Adds up several runs."""
        groups: dict[str, Counter[Status]] = {}
        bins = [Counter[Status]() for _ in range(BINS)]
        days: dict[date, Counter[Status]] = {}
        pairs: Counter[tuple[Status, Status]] = Counter()
        disagreed = 0
        for found in totals:
            for group in found.groups:
                groups.setdefault(group.name, Counter()).update(group.counts)
            for number, one in enumerate(found.bins):
                bins[number].update(one.counts)
            for day, counts in found.days.items():
                days.setdefault(day, Counter()).update(counts)
            pairs.update(found.agreement.pairs)
            disagreed += found.agreement.disagreed
        figures = (GroupFigures(name, counts) for name, counts in groups.items())
        width = 100 / BINS
        return cls(
            tuple(sorted(figures, key=lambda group: (-group.total, group.name))),
            tuple(Bin(n * width, (n + 1) * width, counts) for n, counts in enumerate(bins)),
            dict(sorted(days.items())),
            Agreement(dict(pairs), disagreed),
        )

    @property
    def counts(self) -> Mapping[Status, int]:
        """All outcomes by status."""
        total: Counter[Status] = Counter(dict.fromkeys(Status, 0))
        for group in self.groups:
            total.update(group.counts)
        return total

    @property
    def pass_rate_pct(self) -> float | None:
        """Of those that pass or fail, how many pass; None where there is none."""
        return pass_rate_pct(self.counts)


class TotalsCache:
    """The totals and comparisons of a home's runs. Blocking: call it in a thread.

    Counting a run takes 40 us for each outcome, once. A background thread counts one run after the other, so
    that neither a page nor the shutdown waits for it.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[Path, tuple[_Stamp, RunTotals | None]] = OrderedDict()
        self._compared: OrderedDict[tuple[Path, Path], tuple[_Stamp, Comparison]] = OrderedDict()
        self._reading: dict[Path, Future[None]] = {}
        self._waiting: SimpleQueue[tuple[RunFolder, Future[None]]] = SimpleQueue()
        self._thread: Thread | None = None
        self._turn = Lock()

    def of(self, folders: Iterable[RunFolder], within_s: float) -> tuple[dict[str, RunTotals], set[str]]:
        """The totals by run id, and the ids of runs that are still being counted after `within_s` seconds.
        A run whose checkpoint cannot be read is in neither."""
        asked = list(folders)
        wait([self._read(folder) for folder in asked if not self._is_known(folder)], within_s)
        totals: dict[str, RunTotals] = {}
        unread = set()
        for folder in asked:
            kept = self._kept.get(folder.path)
            if kept is None:
                unread.add(folder.id)
            elif kept[1] is not None:
                totals[folder.id] = kept[1]
        return totals, unread

    def compared(self, before: RunFolder, after: RunFolder) -> Comparison:
        """What changed between two runs. Raises CheckpointUnusable for another schema."""
        stamp, place = _stamp(before) + _stamp(after), (before.path, after.path)
        with self._turn:
            kept = self._compared.get(place)
        if kept is None or kept[0] != stamp:
            with RunIndex(before) as old, RunIndex(after) as new:
                kept = stamp, compare(old, new)
            with self._turn:
                _keep(self._compared, place, kept, KEPT_COMPARISONS)
        return kept[1]

    def _is_known(self, folder: RunFolder) -> bool:
        kept = self._kept.get(folder.path)
        return kept is not None and kept[0] == _stamp(folder)

    def _read(self, folder: RunFolder) -> Future[None]:
        """Completes when the run's totals are cached."""
        with self._turn:
            if self._thread is None:
                self._thread = Thread(target=self._work, name="totals", daemon=True)
                self._thread.start()
            reading = self._reading.get(folder.path)
            if reading is None:
                reading = self._reading[folder.path] = Future()
                self._waiting.put((folder, reading))
            return reading

    def _work(self) -> None:
        while True:
            folder, reading = self._waiting.get()
            # taken first: what is added while counting is counted the next time
            stamp = _stamp(folder)
            found = _read(folder)
            with self._turn:
                _keep(self._kept, folder.path, (stamp, found), KEPT_RUNS)
                del self._reading[folder.path]
            reading.set_result(None)


def _read(folder: RunFolder) -> RunTotals | None:
    try:
        return RunTotals.read(folder)
    except (UsageError, OSError, sqlite3.Error) as error:
        _log.warning("run %s is not counted: %s", folder.id, error)
        return None


def _keep(kept: OrderedDict[_K, _V], key: _K, value: _V, most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)


def _stamp(folder: RunFolder) -> _Stamp:
    return tuple(map(_state, (folder.checkpoint_path, folder.reviews_path)))


def _state(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_size, found.st_mtime_ns
