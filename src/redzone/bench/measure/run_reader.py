"""A finished run's own files, read as the figures of a stage.

The checkpoint has a line with its time for every poster of a request and for every outcome, for a simulated
model and for a real one; the metrics file has the workers and the answers 429.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import BaseModel

from redzone.bench.measure.rate import measure_rate
from redzone.bench.measure.result_file import RateSeries, Shares
from redzone.models import Outcome, Status
from redzone.runs.checkpoint import Intent, Spent, parse_line, scan

LEAST_STEADY = 10


class _Rate(BaseModel):
    rejected: int
    requests_limit_per_min: float | None
    tokens_limit_per_min: float | None


class _Tick(BaseModel):
    """As much of a line of metrics.jsonl as is looked at."""

    elapsed_s: float
    workers: int
    rate: _Rate


@dataclass(slots=True)
class RunMeasurement:
    """What a run's folder says. Instants are seconds from the moment the first poster was taken in hand."""

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
        """From the first poster in hand to the last outcome."""
        return self.finished_s[-1] if self.finished_s else 0.0

    @property
    def steady_per_min(self) -> float:
        """Outcomes per minute between the first tenth of them and the last; of all where they are few."""
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
        """Its rates over time."""
        return measure_rate(self.started_s, self.finished_s, self.rejected_at_s, self.seconds)

    @property
    def steady_requests_per_min(self) -> float | None:
        """Request starts per minute between the first tenth of them and the last, between the first and the
        last where they are few; None with fewer than two."""
        few = len(self.started_s) < LEAST_STEADY
        return _pace(self.started_s) if few else _pace(_without_ends(self.started_s))

    def request_use(self, per_min: float | None) -> float | None:
        """Share of a limit used between the first request start and the last; above 1 is a burst that the
        server allowed. None without a limit or with fewer than two requests."""
        return _use(len(self.started_s) - 1, per_min, self._span_s)

    def token_use(self, per_min: float | None) -> float | None:
        """The same for tokens, those of the last answer not counted."""
        requests = len(self.started_s)
        counted = self.tokens * (requests - 1) / requests if requests else 0.0
        return _use(counted, per_min, self._span_s)

    @property
    def _span_s(self) -> float:
        return self.started_s[-1] - self.started_s[0] if self.started_s else 0.0


def read_run(folder: Path) -> RunMeasurement:
    """Read a finished run's checkpoint and metrics."""
    lines = list(_lines(folder / "checkpoint.jsonl"))
    # the posters of one request have one instant
    requests = {line.started_at for line in lines if isinstance(line, Intent)}
    outcomes = [line for line in lines if isinstance(line, Outcome)]
    seen = RunMeasurement()
    if not outcomes:
        return seen
    begun = min(outcome.finished_at - timedelta(seconds=outcome.timing.total_s) for outcome in outcomes)
    seen.counts.update(outcome.status for outcome in outcomes)
    seen.started_s = _since(begun, requests)
    seen.finished_s = _since(begun, [outcome.finished_at for outcome in outcomes])
    seen.tokens = sum(outcome.tokens.input + outcome.tokens.output for outcome in outcomes)
    seen.cost_usd = sum(outcome.cost_usd for outcome in outcomes)
    seen.shares = _shares(outcomes)
    _read_metrics(folder / "metrics.jsonl", seen)
    return seen


def _lines(checkpoint: Path) -> Iterator[Intent | Outcome | Spent]:
    for line in scan(checkpoint):
        if line.head is not None:
            yield parse_line(line.raw)


def _since(begun: datetime, instants: Iterable[datetime]) -> list[float]:
    return sorted((instant - begun).total_seconds() for instant in instants)


def _shares(outcomes: Sequence[Outcome]) -> Shares:
    count = len(outcomes)
    timings = [outcome.timing for outcome in outcomes]
    return Shares(
        total_s=sum(timing.total_s for timing in timings) / count,
        fetch_s=sum(timing.fetch_s for timing in timings) / count,
        wait_s=sum(timing.wait_s for timing in timings) / count,
        model_s=sum(timing.model_s for timing in timings) / count,
    )


def _read_metrics(path: Path, seen: RunMeasurement) -> None:
    with path.open(encoding="utf-8") as file:
        for line in file:
            tick = _Tick.model_validate_json(line)
            rate = tick.rate
            if rate.rejected > seen.rejected:
                seen.rejected_at_s.append(tick.elapsed_s)
            seen.rejected = rate.rejected
            seen.workers = max(seen.workers, tick.workers)
            seen.announced_rpm = rate.requests_limit_per_min or seen.announced_rpm
            seen.announced_tpm = rate.tokens_limit_per_min or seen.announced_tpm


def _without_ends(instants_s: Sequence[float]) -> Sequence[float]:
    tenth = len(instants_s) // 10
    return instants_s[tenth : len(instants_s) - tenth]


def _pace(instants_s: Sequence[float]) -> float | None:
    """Per minute, from the first to the last; None without time between them."""
    span_s = instants_s[-1] - instants_s[0] if instants_s else 0.0
    return (len(instants_s) - 1) / span_s * 60 if span_s > 0 else None


def _use(count: float, per_min: float | None, span_s: float) -> float | None:
    if not per_min or span_s <= 0:
        return None
    return count / span_s * 60 / per_min
