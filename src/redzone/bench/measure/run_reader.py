"""Reads the figures of a stage from the files of a finished run.

The checkpoint has a line with the time of every request's posters and of every outcome; the metrics file has
the number of workers and of 429 responses.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import BaseModel

from redzone.bench.measure.result_file import RateSeries, Shares
from redzone.models import Outcome, Status
from redzone.runs.checkpoint import Intent, Spent, parse_line, scan

LEAST_STEADY = 10
SAMPLES = 121
LEAST_EVENTS = 3.0  # in a half window; with fewer the rate would be a row of spikes
WINDOW_SHARE = 1 / 24


class _Rate(BaseModel):
    rejected: int
    requests_limit_per_min: float | None
    tokens_limit_per_min: float | None


class _Tick(BaseModel):
    """The fields of a line of metrics.jsonl that are used here."""

    elapsed_s: float
    workers: int
    rate: _Rate


@dataclass(slots=True)
class RunMeasurement:
    """The figures of a run. Instants are seconds since the first poster was started."""

    counts: Counter[Status] = field(default_factory=Counter)
    started_s: list[float] = field(default_factory=list)
    finished_s: list[float] = field(default_factory=list)
    rejected_at_s: list[float] = field(default_factory=list)
    rejected: int = 0
    tokens: int = 0
    cost_usd: float = 0.0
    workers: int = 0
    announced_rpm: float | None = None
    announced_tpm: float | None = None
    shares: Shares = field(default_factory=lambda: Shares(total_s=0.0, fetch_s=0.0, wait_s=0.0, model_s=0.0))

    @property
    def seconds(self) -> float:
        """Seconds from the start of the first poster to the last outcome."""
        return self.finished_s[-1] if self.finished_s else 0.0

    @property
    def steady_per_min(self) -> float:
        """Outcomes per minute without the first and last tenth of them; of all outcomes if they are few."""
        count = len(self.finished_s)
        steady = _pace(_without_ends(self.finished_s)) if count >= LEAST_STEADY else None
        if steady is not None:
            return steady
        return count / self.seconds * 60 if self.seconds > 0 else 0.0

    @property
    def posters(self) -> int:
        """Rows with an outcome."""
        return self.counts.total()

    @property
    def pace(self) -> RateSeries:
        """Rates over time."""
        return measure_rate(self.started_s, self.finished_s, self.rejected_at_s, self.seconds)

    @property
    def steady_requests_per_min(self) -> float | None:
        """Request starts per minute without the first and last tenth of them; of all if they are few; None
        with fewer than two."""
        few = len(self.started_s) < LEAST_STEADY
        return _pace(self.started_s) if few else _pace(_without_ends(self.started_s))

    def request_use(self, per_min: float | None) -> float | None:
        """Share of a limit used between the first request start and the last; above 1 if the server allowed a
        burst. None without a limit or with fewer than two requests."""
        return _use(len(self.started_s) - 1, per_min, self._span_s)

    def token_use(self, per_min: float | None) -> float | None:
        """Share of a token limit used, without the tokens of the last answer."""
        requests = len(self.started_s)
        counted = self.tokens * (requests - 1) / requests if requests else 0.0
        return _use(counted, per_min, self._span_s)

    @property
    def _span_s(self) -> float:
        return self.started_s[-1] - self.started_s[0] if self.started_s else 0.0


def read_run(folder: Path) -> RunMeasurement:
    """Read a finished run's checkpoint and metrics."""
    lines = list(_lines(folder / "checkpoint.jsonl"))
    # the posters of one request have equal times
    requests = {line.started_at for line in lines if isinstance(line, Intent)}
    outcomes = [line for line in lines if isinstance(line, Outcome)]
    measured = RunMeasurement()
    if not outcomes:
        return measured
    first = min(outcome.finished_at - timedelta(seconds=outcome.timing.total_s) for outcome in outcomes)
    measured.counts.update(outcome.status for outcome in outcomes)
    measured.started_s = _since(first, requests)
    measured.finished_s = _since(first, [outcome.finished_at for outcome in outcomes])
    measured.tokens = sum(outcome.tokens.input + outcome.tokens.output for outcome in outcomes)
    measured.cost_usd = sum(outcome.cost_usd for outcome in outcomes)
    measured.shares = _shares(outcomes)
    _read_metrics(folder / "metrics.jsonl", measured)
    return measured


def _lines(checkpoint: Path) -> Iterator[Intent | Outcome | Spent]:
    for line in scan(checkpoint):
        if line.head is not None:
            yield parse_line(line.raw)


def _since(first: datetime, instants: Iterable[datetime]) -> list[float]:
    return sorted((instant - first).total_seconds() for instant in instants)


def _shares(outcomes: Sequence[Outcome]) -> Shares:
    count = len(outcomes)
    timings = [outcome.timing for outcome in outcomes]
    return Shares(
        total_s=sum(timing.total_s for timing in timings) / count,
        fetch_s=sum(timing.fetch_s for timing in timings) / count,
        wait_s=sum(timing.wait_s for timing in timings) / count,
        model_s=sum(timing.model_s for timing in timings) / count,
    )


def _read_metrics(path: Path, measured: RunMeasurement) -> None:
    with path.open(encoding="utf-8") as file:
        for line in file:
            tick = _Tick.model_validate_json(line)
            rate = tick.rate
            if rate.rejected > measured.rejected:
                measured.rejected_at_s.append(tick.elapsed_s)
            measured.rejected = rate.rejected
            measured.workers = max(measured.workers, tick.workers)
            measured.announced_rpm = rate.requests_limit_per_min or measured.announced_rpm
            measured.announced_tpm = rate.tokens_limit_per_min or measured.announced_tpm


def _without_ends(instants_s: Sequence[float]) -> Sequence[float]:
    tenth = len(instants_s) // 10
    return instants_s[tenth : len(instants_s) - tenth]


def _pace(instants_s: Sequence[float]) -> float | None:
    """Rate per minute from the first instant to the last; None if no time passed between them."""
    span_s = instants_s[-1] - instants_s[0] if instants_s else 0.0
    return (len(instants_s) - 1) / span_s * 60 if span_s > 0 else None


def _use(count: float, per_min: float | None, span_s: float) -> float | None:
    if not per_min or span_s <= 0:
        return None
    return count / span_s * 60 / per_min


def measure_rate(
    started_s: Sequence[float],
    finished_s: Sequence[float],
    rejected_s: Sequence[float],
    seconds: float,
) -> RateSeries:
    """Requests and outcomes per minute at 121 instants of a stage that took `seconds`; times are sorted."""
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
    """Half width of the triangle, seconds: a 24th of the stage, or the time of three events if longer."""
    few = LEAST_EVENTS * seconds / events if events else seconds
    return min(max(seconds * WINDOW_SHARE, few), seconds / 2)


def rate_at(at_s: float, events_s: Sequence[float], window_s: float, seconds: float) -> float:
    """Events per minute around an instant, each weighted by a triangle of half width `window_s`.

    The weights exclude the part of the triangle outside the stage, so that the rate does not drop at the
    edges. A stage begins and ends with an event, so it is extended by half a mean gap on both sides.
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
