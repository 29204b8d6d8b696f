"""Caches the metrics history of runs, so that all open pages share one reader."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from redzone.telemetry.metrics import Snapshot
from redzone.telemetry.metrics_log import CHART_POINTS, Moment, Tail, sampled, timeline, without_worker_slots

KEPT_RUNS = 8
MINUTE = 61  # snapshots: the last 60 s and where they begin


@dataclass(frozen=True, slots=True)
class MetricsHistory:
    """The snapshots of the last minute, and the whole time in moments; both empty where there is none."""

    recent: tuple[Snapshot, ...]
    moments: tuple[Moment, ...]

    @property
    def last(self) -> Snapshot | None:
        """The newest snapshot."""
        return self.recent[-1] if self.recent else None


@dataclass(slots=True)
class _MetricsFile:
    path: Path
    tail: Tail = field(init=False)
    whole: list[Snapshot] = field(default_factory=list)
    history: MetricsHistory = MetricsHistory((), ())
    turn: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.tail = Tail(self.path, MINUTE)

    def read(self) -> MetricsHistory:
        with self.turn:
            known = self.tail.newest
            if self.tail.read():
                self._extend(known)
                self.history = MetricsHistory(tuple(self.tail.snapshots), tuple(timeline(self.whole)))
            return self.history

    def _extend(self, known: Snapshot | None) -> None:
        if known is None:
            self.whole = list(sampled(self.path))
            return
        new = (each for each in self.tail.snapshots if each.at > known.at)
        self.whole += map(without_worker_slots, new)
        if len(self.whole) > 2 * CHART_POINTS:
            del self.whole[1:-1:2]


class MetricsCache:
    """The histories of the runs viewed last. Blocking: call it in a thread."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Path, _MetricsFile] = OrderedDict()
        self._turn = Lock()

    def read(self, path: Path) -> MetricsHistory:
        """The history of a metrics.jsonl now. Only what was added since the last call is read."""
        with self._turn:
            history = self._kept.setdefault(path, _MetricsFile(path))
            self._kept.move_to_end(path)
            while len(self._kept) > KEPT_RUNS:
                self._kept.popitem(last=False)
        return history.read()
