"""Homes with runs in them: real folders, whose files redzone's own code wrote."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from redzone.models import Outcome, Status, ViewKind, Zone
from redzone.runs import RecordedState, RunFolder, RunInputs, RunRecord, RunStore, new_run_id
from redzone.runs.checkpoint import render_outcome
from redzone.runs.journal import Journal
from redzone.telemetry.metrics import Snapshot
from redzone.telemetry.metrics_log import render_line
from tests.outcomes import outcome
from tests.terminal.snapshots import snapshot

NOON = datetime(2026, 10, 3, 12, 0, 0, tzinfo=UTC)


def record_at(number: int, **changes: Any) -> RunRecord:
    """What was asked of a run that began so many minutes after noon."""
    begun = NOON + timedelta(minutes=number)
    values: dict[str, Any] = {
        "id": new_run_id(begun, Random(number)),  # noqa: S311  the same ids every time
        "label": f"list {number}",
        "created_at": begun,
        "version": "0.1.0",
        "inputs": RunInputs(paths=("/lists/posters.csv",)),
        "input_sha256": "a" * 64,
        "rows": 4,
        "zones": (Zone(name="red", x=0.0, y=0.0, w=0.6, h=0.1),),
        "provider": "openai",
        "model": "gpt-6-luna",
        "view": ViewKind.CROP,
    }
    return RunRecord(**(values | changes))


def one_of_each() -> list[Outcome]:
    """Four rows, an outcome of each status."""
    return [outcome(row, status) for row, status in enumerate(Status, 1)]


def write_run(
    home: Path,
    number: int = 1,
    outcomes: Sequence[Outcome] = (),
    *,
    said: Snapshot | None = None,
    **changes: Any,
) -> RunFolder:
    """A run of a home as a process leaves it: its checkpoint, what it said last, and how it ended."""
    counts = {status.value: sum(o.status is status for o in outcomes) for status in Status}
    ended: dict[str, Any] = {"state": RecordedState.FINISHED, "counts": counts, "seconds": 60.0}
    folder = RunStore(home).create(record_at(number, **(ended | changes)))
    with Journal(folder.checkpoint_path) as journal:
        journal.append([render_outcome(found) for found in outcomes])
    if said is not None:
        say(folder, said)
    return folder


def say(folder: RunFolder, said: Snapshot) -> None:
    """Add a line to metrics.jsonl."""
    with folder.metrics_path.open("a", encoding="utf-8") as file:
        file.write(render_line(said))


def now(**changes: Any) -> Snapshot:
    """What a run says at this moment."""
    return snapshot(at=datetime.now(UTC), recent=(), groups=(), **changes)


_HELD: dict[Path, int] = {}


def begin_work(folder: RunFolder, pid: int | None = None) -> RunFolder:
    """Take the lock of a run for the rest of the tests, as a process at work does; or only leave another's
    process id in it, as one does that was killed."""
    folder.lock_path.write_text(str(os.getpid() if pid is None else pid))
    if pid is None:
        descriptor = os.open(folder.lock_path, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        _HELD[folder.path] = descriptor
    record = folder.read()
    folder.write(record.model_copy(update={"state": RecordedState.RUNNING}))
    return folder


def end_work(folder: RunFolder) -> None:
    """Release what `begin_work` took, as the end of the process does."""
    os.close(_HELD.pop(folder.path))
    folder.lock_path.write_text("")
