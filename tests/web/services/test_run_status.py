"""How runs stand, from their folders alone: live, over, killed, resumed, silent, broken."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from redzone.models import Status
from redzone.runs import RecordedState, RunFolder, RunStore
from redzone.telemetry.metrics import Snapshot
from redzone.web.services.run_status import QUIET_AFTER_S, Overview, RunState, RunStatus
from tests.command import start, wait_until
from tests.outcomes import outcome
from tests.simulated import poster_list, simulated
from tests.web.homes import begin_work, now, one_of_each, say, write_run

NOBODY_PID = 2**22 + 1  # above every pid of Linux and macOS


def figures(folder: RunFolder) -> RunStatus:
    """Of a run, read anew."""
    (found,) = Overview(RunStore(folder.path.parent.parent)).newest_first()
    return found


def test_a_finished_run_is_as_its_record_says(home: Path) -> None:
    """Cost and requests are what it said last."""
    found = figures(write_run(home, 1, one_of_each(), said=now(cost_usd=0.5), rows=5, seconds=30.0))
    assert found.state is RunState.FINISHED
    assert found.counts == dict.fromkeys(Status, 1)
    assert (found.done, found.pending, found.per_min) == (4, 1, 8.0)
    assert (found.cost_usd, found.seconds, found.eta_s) == (0.5, 30.0, None)


def test_a_live_run_is_as_its_last_snapshot_says(home: Path) -> None:
    """With the time of the processes before it."""
    folder = begin_work(write_run(home, 1, rows=1000, seconds=100.0))
    say(folder, now(elapsed_s=20.0, passed=1, failed=2, unsure=3, errors=4, posters_last_min=30.0, eta_s=9.0))
    found = figures(folder)
    assert found.state is RunState.LIVE
    assert list(found.counts.values()) == [1, 2, 3, 4]
    assert (found.seconds, found.per_min, found.eta_s, found.quiet_s) == (120.0, 30.0, 9.0, None)


def test_a_run_taken_up_again_has_not_worked_yet(home: Path) -> None:
    """What the process before it said last is neither its rate nor its time."""
    folder = write_run(home, 1, rows=1000, seconds=100.0, said=now(elapsed_s=90.0, passed=7))
    begin_work(folder)
    later_s = time.time() + 1
    os.utime(folder.lock_path, (later_s, later_s))
    found = figures(folder)
    assert (found.state, found.counts[Status.PASS]) == (RunState.LIVE, 7)
    assert (found.seconds, found.per_min, found.eta_s) == (100.0, 0.0, None)


def test_a_live_run_that_says_nothing_is_silent(home: Path) -> None:
    """Somebody has stopped its process, or its disk hangs."""
    folder = begin_work(write_run(home, 1, rows=1000))
    long_ago_s = time.time() - 2 * QUIET_AFTER_S
    os.utime(folder.lock_path, (long_ago_s, long_ago_s))
    assert figures(folder).quiet_s == pytest.approx(2 * QUIET_AFTER_S, abs=5)
    say(folder, _said_at(datetime.now(UTC) - timedelta(seconds=QUIET_AFTER_S + 5)))
    assert figures(folder).quiet_s == pytest.approx(QUIET_AFTER_S + 5, abs=5)


def _said_at(at: datetime) -> Snapshot:
    return now().model_copy(update={"at": at})


def test_a_run_whose_process_was_killed_is_interrupted_and_counted_from_its_checkpoint(home: Path) -> None:
    """Nobody wrote down how it ended; the last snapshot is up to a second old."""
    outcomes = [*one_of_each(), outcome(4, Status.PASS)]
    folder = write_run(home, 1, outcomes, said=now(elapsed_s=5.0, passed=1), rows=10)
    begin_work(folder, NOBODY_PID)
    found = figures(folder)
    assert found.state is RunState.INTERRUPTED
    assert found.counts == {Status.PASS: 2, Status.FAIL: 1, Status.UNSURE: 1, Status.ERROR: 0}
    assert found.cost_usd == pytest.approx(0.005)


def test_a_number_that_another_process_has_by_now_is_no_sign_of_life(home: Path) -> None:
    """The system gives the number of a killed process out again; the lock ended with it."""
    folder = begin_work(write_run(home, 1, one_of_each()), os.getppid())
    assert figures(folder).state is RunState.INTERRUPTED


def test_a_real_process_is_live_and_once_killed_interrupted(tmp_path: Path, home: Path) -> None:
    """From outside, in a folder that this process did not make."""
    with simulated() as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 2000)
        options = ("--base-url", simulator.base_url, "--allow-private-hosts", "--workers", "2", "--no-cache")
        process = start(
            "analyze", posters, "--home", home, *options, cwd=tmp_path, OPENAI_API_KEY="sk-x-012345"
        )
        try:
            overview = Overview(RunStore(home))
            wait_until(lambda: any(run.live and run.done > 3 for run in overview.newest_first()))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            (found,) = overview.newest_first()
        finally:
            process.kill()
            process.communicate()
    assert found.state is RunState.INTERRUPTED
    assert 3 < found.done < 2000
    assert found.done + found.pending == 2000


def test_runs_are_newest_first_and_broken_ones_are_left_out(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With a word in the log, once."""
    folders = [write_run(home, number, one_of_each()) for number in range(5)]
    folders[4].metrics_path.unlink()
    folders[4].metrics_path.mkdir()
    folders[1].record_path.write_text("{")
    folders[2].record_path.unlink()
    folders[3].metrics_path.unlink()
    folders[3].lock_path.write_text("not a number")
    overview = Overview(RunStore(home))
    for _ in range(2):
        assert [found.id for found in overview.newest_first()] == [folders[3].id, folders[0].id]
    assert len(caplog.messages) == 3
    assert all(folders[number].id in caplog.text for number in (1, 2, 4))


def test_only_files_that_have_changed_are_read_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of runs are looked at every second."""
    folders = [write_run(home, number, one_of_each(), said=now()) for number in range(3)]
    overview = Overview(RunStore(home))
    before = overview.newest_first()
    changed = folders[1].read().model_copy(update={"label": "renamed"})
    folders[1].write(changed)
    after = overview.newest_first()
    assert [found.record.label for found in after] == ["list 2", "renamed", "list 0"]
    assert [old.record is new.record for old, new in zip(before, after, strict=True)] == [True, False, True]


def test_a_home_without_runs_has_none(home: Path) -> None:
    """Nor is one made by looking."""
    assert Overview(RunStore(home)).newest_first() == []
    assert not home.exists()


def test_the_state_of_a_run_that_was_stopped_is_kept(home: Path) -> None:
    """By a budget or by somebody."""
    for number, state in enumerate((RecordedState.STOPPED, RecordedState.INTERRUPTED)):
        write_run(home, number, one_of_each(), state=state)
    found = Overview(RunStore(home)).newest_first()
    assert [run.state for run in found] == [RunState.INTERRUPTED, RunState.STOPPED]
