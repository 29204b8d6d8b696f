"""A run's own files say when its requests began and when its posters were done."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from redzone.bench.measure.run_reader import RunMeasurement, read_run
from redzone.runs.checkpoint import render_intent, render_outcome
from tests.outcomes import NOON, outcome


def test_the_posters_of_a_pack_are_one_request(tmp_path: Path) -> None:
    """Four intents of one instant, then four of another, half a second later."""
    (tmp_path / "metrics.jsonl").touch()
    lines = []
    for pack in range(2):
        at = NOON + timedelta(seconds=pack / 2)
        rows = range(4 * pack + 1, 4 * pack + 5)
        lines += [render_intent(row, "m", at) for row in rows]
        lines += [render_outcome(outcome(row, finished_at=at + timedelta(seconds=3))) for row in rows]
    (tmp_path / "checkpoint.jsonl").write_bytes(b"".join(lines))
    seen = read_run(tmp_path)
    assert (seen.posters, seen.tokens) == (8, 8 * 480)
    assert len(seen.started_s) == 2
    assert seen.request_use(120) == pytest.approx(1.0)


def test_a_slow_start_and_a_slow_end_are_not_in_the_steady_pace() -> None:
    """Two a second, but for the first and the last; few starts are taken as they are, one says nothing."""
    seen = RunMeasurement(started_s=[0.0, *(10 + number / 2 for number in range(19)), 60.0])
    assert seen.steady_requests_per_min == pytest.approx(120)
    assert RunMeasurement(started_s=[0.0, 1.0, 4.0]).steady_requests_per_min == pytest.approx(30)
    assert RunMeasurement(started_s=[1.0]).steady_requests_per_min is None
    assert RunMeasurement().steady_requests_per_min is None
