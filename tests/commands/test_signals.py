"""A closed terminal: SIGHUP ends a run in order, as SIGTERM does."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

from redzone.bench.simulator.server import SimulatorOptions
from redzone.runs.checkpoint import read_outcomes
from redzone.runs.record import RecordedState
from redzone.runs.store import RunStore
from tests.command import environment, redzone, start, wait_until
from tests.simulated import model_requests, poster_list, simulated

KEY = {"OPENAI_API_KEY": "sk-simulated-0123456789"}
SLOW = SimulatorOptions(poster_size=(60, 90), latency_s=0.3)


def arguments(posters: Path, base_url: str, progress: str) -> list[str]:
    return [
        "analyze", str(posters), "--base-url", base_url, "--allow-private-hosts", "--workers", "5",
        "--progress", progress, "--min-confidence", "0",
    ]  # fmt: skip


def outcomes(folder: Path) -> int:
    (path,) = [*folder.glob(".redzone/runs/*/checkpoint.jsonl")] or [folder / "none"]
    return path.read_bytes().count(b'{"kind":"outcome"') if path.exists() else 0


def assert_interrupted(folder: Path, requests: int) -> None:
    """Every answer that was paid for is an outcome, and the run can be resumed."""
    store = RunStore(folder / ".redzone")
    run = store.newest_unfinished()
    assert run is not None
    record = run.read()
    assert record.state is RecordedState.INTERRUPTED
    assert "SIGHUP" in record.reason
    assert len(list(read_outcomes(run.checkpoint_path))) == requests


def test_sighup_finishes_the_posters_in_progress_and_the_run_can_be_resumed(tmp_path: Path) -> None:
    """Exit 143, with the resume command."""
    with simulated(SLOW) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 60)
        process = start(*arguments(posters, simulator.base_url, "none"), cwd=tmp_path, **KEY)
        wait_until(lambda: outcomes(tmp_path) >= 5)
        os.kill(process.pid, signal.SIGHUP)
        _, printed = process.communicate(timeout=30)
        assert process.returncode == 143, printed
        assert "redzone resume" in printed
        assert_interrupted(tmp_path, len(model_requests(simulator)))
        resumed = redzone("resume", "--progress", "none", cwd=tmp_path, **KEY)
        assert resumed.returncode == 0, resumed.stderr
        assert len(model_requests(simulator)) == 60


def test_a_run_whose_terminal_is_closed_ends_in_order(tmp_path: Path) -> None:
    """The kernel sends SIGHUP, and all that is printed from then on fails."""
    with simulated(SLOW) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 60)
        terminal, side = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-c", IN_A_TERMINAL, *arguments(posters, simulator.base_url, "live")],
            cwd=tmp_path,
            env=environment({**KEY, "TERM": "xterm"}),
            stdin=side,
            stdout=side,
            stderr=side,
            start_new_session=True,
        )
        os.close(side)
        wait_until(lambda: outcomes(tmp_path) >= 5)
        os.close(terminal)
        assert process.wait(30) == 143
        assert_interrupted(tmp_path, len(model_requests(simulator)))


IN_A_TERMINAL = """
import fcntl, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # the terminal is this session's: closing it sends SIGHUP
from redzone.cli import main
main()
"""
