"""Events to rates over time. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from redzone.bench.measure.result_file import RateSeries

SAMPLES = 121
LEAST_EVENTS = 3.0  # in a half window: below it a rate is a row of spikes
WINDOW_SHARE = 1 / 24


def measure_rate(
    started_s: Sequence[float],
    finished_s: Sequence[float],
    rejected_s: Sequence[float],
    seconds: float,
) -> RateSeries:
    """Requests and outcomes per minute at 121 instants of a stage that took `seconds`; times ascend."""
    if seconds <= 0:
        return RateSeries()
    step_s = seconds / (SAMPLES - 1)
    window_s = window(max(len(started_s), len(finished_s)), seconds)
    instants = [number * step_s for number in range(SAMPLES)]
    return RateSeries(
        step_s=step_s,
        window_s=window_s,
        started_per_min=tuple(round(rate_at(at, started_s, window_s, seconds), 2) for at in instants),
        finished_per_min=tuple(round(rate_at(at, finished_s, window_s, seconds), 2) for at in instants),
        rejected_at_s=tuple(round(at, 3) for at in rejected_s),
    )


def window(events: int, seconds: float) -> float:
    """Half width of the triangle: a 24th of the stage, or as long as three events take, if that is more."""
    few = LEAST_EVENTS * seconds / events if events else seconds
    return min(max(seconds * WINDOW_SHARE, few), seconds / 2)


def rate_at(at_s: float, events_s: Sequence[float], window_s: float, seconds: float) -> float:
    """Events per minute round an instant, each weighted by a triangle of half width `window_s`.

    The part of the triangle beyond the stage is left out of the weights, so that the rate does not sink
    at the edges. The stage begins and ends with an event: half a mean gap beyond them still counts as it.
    """
    half_gap_s = seconds / len(events_s) / 2 if events_s else 0.0
    first = bisect_left(events_s, at_s - window_s)
    last = bisect_right(events_s, at_s + window_s)
    weight = sum(1 - abs(at_s - event_s) / window_s for event_s in events_s[first:last])
    before_s, after_s = at_s + half_gap_s, seconds - at_s + half_gap_s
    inside = _half(min(before_s, window_s), window_s) + _half(min(after_s, window_s), window_s)
    return weight / inside * 60 if inside > 0 else 0.0


def _half(reach_s: float, window_s: float) -> float:
    """Area of half a triangle from its top to `reach_s`."""
    return reach_s - reach_s * reach_s / (2 * window_s)
