"""The run folder: request, checkpoint, reviews, event log, and the lock against other processes."""

from redzone.runs.folder import RunFolder
from redzone.runs.record import RecordedState, RunInputs, RunRecord, new_run_id
from redzone.runs.store import RunStore, find_home, make_home

__all__ = [
    "RecordedState",
    "RunFolder",
    "RunInputs",
    "RunRecord",
    "RunStore",
    "find_home",
    "make_home",
    "new_run_id",
]
