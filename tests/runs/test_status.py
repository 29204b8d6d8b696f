"""The state of a run: its lock, not its run.json, says whether a process works on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from redzone.models import Status
from redzone.runs import RecordedState, RunStore
from redzone.runs.checkpoint import render_outcome
from redzone.runs.status import RunState, observe
from tests.outcomes import outcome
from tests.runs.test_store import another_process, record


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / ".redzone")


def test_a_killed_run_is_interrupted_with_its_true_counts(store: RunStore) -> None:
    """run.json says `running` and has no counts; the checkpoint has them."""
    folder = store.create(record())
    lines = [render_outcome(outcome(1)), render_outcome(outcome(2, Status.FAIL))]
    folder.checkpoint_path.write_bytes(b"".join(lines))
    with another_process(folder):
        live = observe(folder)
        assert (live.state, live.corrected.state) == (RunState.LIVE, RecordedState.RUNNING)
        assert live.counts[Status.FAIL] == 1
    found = observe(folder)
    assert found.state is RunState.INTERRUPTED
    assert found.corrected.state is RecordedState.INTERRUPTED
    assert found.corrected.counts == {"pass": 1, "fail": 1, "unsure": 0, "error": 0}
    assert found.corrected.reason == "its process ended without recording why"


@pytest.mark.parametrize("state", [RecordedState.FINISHED, RecordedState.STOPPED, RecordedState.INTERRUPTED])
def test_a_run_that_ended_in_order_is_what_it_recorded(store: RunStore, state: RecordedState) -> None:
    """Without a look at its checkpoint; while it is resumed it is live."""
    ended = record(state=state).model_copy(update={"counts": {"pass": 7}, "reason": "why"})
    folder = store.create(ended)
    found = observe(folder)
    assert (found.state.value, found.counts[Status.PASS], found.corrected.reason) == (state.value, 7, "why")
    with folder.lock():
        assert observe(folder).state is RunState.LIVE
