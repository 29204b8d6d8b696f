"""Rates over time are those of the events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.bench.measure.run_reader import SAMPLES, measure_rate, rate_at, window


@given(per_s=st.floats(0.5, 50), count=st.integers(20, 2000))
def test_a_steady_stream_reads_as_its_rate_up_to_the_edges(per_s: float, count: int) -> None:
    """Within a fifth, at every instant: the smoothing neither sinks at the edges nor makes spikes."""
    seconds = count / per_s
    events = [number / per_s for number in range(count + 1)]
    pace = measure_rate(events, events, (), seconds)
    assert len(pace.started_per_min) == SAMPLES
    assert pace.started_per_min == pace.finished_per_min
    assert all(rate == pytest.approx(60 * per_s, rel=0.2) for rate in pace.started_per_min)


def test_a_burst_is_seen_where_it_was() -> None:
    """Ten at the start and none later: high at first, nothing at the end."""
    pace = measure_rate([0.0] * 10, [], [0.5], 60.0)
    assert pace.started_per_min[0] > 40
    assert pace.started_per_min[-1] == 0
    assert pace.finished_per_min == (0,) * SAMPLES
    assert pace.rejected_at_s == (0.5,)


def test_few_events_have_a_wide_window() -> None:
    """So that one request every ten seconds is a rate, not six spikes a minute."""
    assert window(6, 60.0) == 30.0
    assert window(6000, 60.0) == 2.5
    assert window(0, 60.0) == 30.0


def test_without_time_there_is_no_pace() -> None:
    """A stage of no length has no rates, and no instant divides by zero."""
    assert measure_rate([0.0], [0.0], (), 0.0).started_per_min == ()
    assert rate_at(0.0, [], 1.0, 1.0) == 0.0
