"""MetricsCache of runs are read once, followed, thinned and forgotten."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from redzone.telemetry.metrics_log import CHART_POINTS, render_line
from redzone.web.services.metrics_cache import KEPT_RUNS, MINUTE, MetricsCache
from tests.terminal.snapshots import AT, lanes, snapshot


def _say(path: Path, *seconds: int) -> None:
    with path.open("a", encoding="utf-8") as file:
        for second in seconds:
            at = AT + timedelta(seconds=second)
            file.write(render_line(snapshot(at=at, elapsed_s=float(second), done=second, lanes=lanes(1))))


def test_what_is_added_is_added_and_nothing_is_lost(tmp_path: Path) -> None:
    """The last minute with its lanes, the whole time without."""
    path, histories = tmp_path / "metrics.jsonl", MetricsCache()
    assert (histories.read(path).last, histories.read(path).moments) == (None, ())
    _say(path, *range(1, 101))
    histories.read(path)
    _say(path, 101, 102)
    said = histories.read(path)
    assert [each.done for each in said.recent] == list(range(102 - MINUTE + 1, 103))
    assert [moment.snapshot.done for moment in said.moments] == list(range(1, 103))
    assert all(each.lanes for each in said.recent)
    assert not any(moment.snapshot.lanes for moment in said.moments)
    assert histories.read(path) is said


def test_a_page_that_is_open_for_days_keeps_a_bounded_history(tmp_path: Path) -> None:
    """From the first moment to the last."""
    path, histories = tmp_path / "metrics.jsonl", MetricsCache()
    for start in range(1, 4 * CHART_POINTS, MINUTE):
        _say(path, *range(start, start + MINUTE))
        moments = histories.read(path).moments
        assert len(moments) <= 2 * CHART_POINTS
        assert moments[-1].snapshot.done == start + MINUTE - 1
    assert moments[0].snapshot.done == 1


def test_runs_that_nobody_looks_at_any_more_are_forgotten(tmp_path: Path) -> None:
    """And read again when somebody does."""
    histories = MetricsCache()
    paths = [tmp_path / f"{number}.jsonl" for number in range(KEPT_RUNS + 1)]
    for path in paths:
        _say(path, 1)
    first = histories.read(paths[0])
    for path in paths[1:]:
        histories.read(path)
    again = histories.read(paths[0])
    assert again is not first
    assert again == first
