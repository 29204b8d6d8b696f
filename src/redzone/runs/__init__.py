"""A run's folder: what was asked, the checkpoint, the log, and the lock that keeps others out."""

from redzone.runs.record import RecordedState, RunInputs, RunRecord, new_run_id
from redzone.runs.store import RunFolder, RunStore, find_home, make_home

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
