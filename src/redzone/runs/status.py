"""The state of a run now, which run.json alone does not tell: a killed process leaves `running` there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from redzone.models import Status
from redzone.runs.folder import RunFolder
from redzone.runs.index import CheckpointIndex
from redzone.runs.record import RecordedState, RunRecord


class RunState(StrEnum):
    """The state of a run now. A run whose process was killed is interrupted, whatever its run.json says."""

    LIVE = "live"
    FINISHED = "finished"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"


def run_state(*, locked: bool, record: RunRecord) -> RunState:
    """The state by the lock and the record. Look at the lock first and read the record after: then a run that
    ends in between is live once more, and never wrongly interrupted."""
    if locked:
        return RunState.LIVE
    if record.state is RecordedState.RUNNING:
        return RunState.INTERRUPTED
    return RunState(record.state.value)


def recorded_counts(record: RunRecord) -> dict[Status, int]:
    """The counts in run.json, which are those of the last process that ended in order."""
    return {status: record.counts.get(status.value, 0) for status in Status}


@dataclass(frozen=True, slots=True)
class ObservedRun:
    """A run's record with its state and counts now."""

    record: RunRecord
    state: RunState
    counts: Mapping[Status, int]

    @property
    def corrected(self) -> RunRecord:
        """The record with the state and counts of now; a live run is `running`."""
        state = RecordedState.RUNNING if self.state is RunState.LIVE else RecordedState(self.state.value)
        counts = {status.value: count for status, count in self.counts.items()}
        reason = self.record.reason
        if self.state is RunState.INTERRUPTED and self.record.state is RecordedState.RUNNING:
            reason = "its process ended without recording why"
        return self.record.model_copy(update={"state": state, "counts": counts, "reason": reason})


def observe(folder: RunFolder) -> ObservedRun:
    """A run as it is now, with the counts of its checkpoint unless it ended in order.

    Raises RunNotFound and CheckpointUnusable.
    """
    locked = folder.is_locked()
    record = folder.read()
    state = run_state(locked=locked, record=record)
    if locked or record.state is RecordedState.RUNNING:
        return ObservedRun(record, state, dict(CheckpointIndex.read(folder.checkpoint_path).counts))
    return ObservedRun(record, state, recorded_counts(record))
