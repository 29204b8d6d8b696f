"""The counters of a run, for every listener: terminal, metrics log, dashboard, summary.

The pipeline updates `Metrics`; listeners get a `Snapshot`, a plain value. Rates are over the window in their
names.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pydantic import Field

from redzone.clock import Clock
from redzone.models import Frozen, Outcome, Source, Status

RATE_WINDOW_S = 60.0
RECENT_VERDICTS = 20
TIMING_SAMPLES = 500
MAX_GROUPS = 1000
SHOWN_GROUPS = 50
OTHER_GROUP = "(other groups)"


class Stage(StrEnum):
    """What a worker is doing with its poster."""

    READ = "read"
    FETCH = "fetch"
    FRAME = "frame"
    WAIT_DUPLICATE = "twin"  # waits for another worker's verdict about an equal picture
    WAIT = "wait"  # waits for the rate limit
    BACKOFF = "backoff"
    MODEL = "model"
    RECORD = "record"


class WorkerSlot(Frozen):
    """One busy worker: which poster, which stage, for how long in it."""

    worker: int
    row: int
    id: str
    stage: Stage
    age_s: float


class RecentOutcome(Frozen):
    """One of the last outcomes, in short."""

    row: int
    id: str
    title: str
    status: Status
    confidence_pct: float | None
    note: str


class RateFigures(Frozen):
    """The limiter's figures; requests and tokens are over the last 60 s. None means no known limit.

    A limit is the lower one of the user's and the server's; `*_announced_per_min` is the server's alone.
    """

    requests_last_min: int = 0
    requests_limit_per_min: float | None = None
    requests_announced_per_min: float | None = None
    tokens_last_min: int = 0
    tokens_limit_per_min: float | None = None
    tokens_announced_per_min: float | None = None
    waiting: int = 0
    held_for_s: float = 0.0
    rejected: int = 0


class GroupCounts(Frozen):
    """Outcomes of one group."""

    name: str
    passed: int
    failed: int
    unsure: int
    errors: int

    @property
    def judged(self) -> int:
        """Posters that pass or fail."""
        return self.passed + self.failed

    @property
    def fail_rate(self) -> float:
        """Share of fails among the judged, 0-1; 0 if none is judged."""
        return self.failed / self.judged if self.judged else 0.0


class Timings(Frozen):
    """Seconds per poster over the last posters that were judged by a model (no cache, no input errors).

    `mean_s`, `p50_s` and `p95_s` are for the whole poster; `fetch_s`, `wait_s` and `model_s` are means of its
    parts, with their own medians and 95th percentiles.
    """

    mean_s: float = 0.0
    p50_s: float = 0.0
    p95_s: float = 0.0
    fetch_s: float = 0.0
    fetch_p50_s: float = 0.0
    fetch_p95_s: float = 0.0
    wait_s: float = 0.0
    wait_p50_s: float = 0.0
    wait_p95_s: float = 0.0
    model_s: float = 0.0
    model_p50_s: float = 0.0
    model_p95_s: float = 0.0


class RunFacts(Frozen):
    """What stays constant while a process works on a run. `cpus` is the number of processors, `local` whether
    the model runs on them, `pack` the posters per request, `delay_ms` the minimum time between two request
    starts, `budget_usd` the cost limit of the run, and `priced` whether the prices of all its models are
    known."""

    cpus: int = 1
    local: bool = False
    cache_on: bool = True
    pack: int = 1
    delay_ms: float = 0.0
    budget_usd: float | None = None
    priced: bool = True


class Snapshot(Frozen):
    """The state of a run at one instant. `done` counts rows whose outcome is on disk.

    `stage_s` is the time that all workers together spent in each stage, posters in progress included, `cpu_s`
    the processor time in seconds, and `image_bytes` the image bytes received, all since this process began.
    Fields with a default may be missing in lines of older versions.
    """

    at: datetime
    elapsed_s: float
    rows: int
    done: int
    earlier: int
    passed: int
    failed: int
    unsure: int
    errors: int
    cached: int
    duplicates: int
    errors_by_code: dict[str, int]
    posters_last_min: float
    eta_s: float | None
    requests: int
    tokens_in: int
    tokens_out: int
    cost_usd: float
    workers: int
    lanes: tuple[WorkerSlot, ...]
    rate: RateFigures
    timings: Timings
    recent: tuple[RecentOutcome, ...] = ()
    groups: tuple[GroupCounts, ...] = ()
    note: str
    stage_s: dict[Stage, float] = Field(default_factory=dict)
    cpu_s: float = 0.0
    image_bytes: int = 0
    facts: RunFacts = RunFacts()

    @property
    def known_cost_usd(self) -> float | None:
        """What the run has cost; None if tokens were used at an unknown price."""
        used = self.earlier + self.tokens_in + self.tokens_out > 0
        return None if used and not self.facts.priced else self.cost_usd

    @property
    def worked(self) -> int:
        """Posters whose outcome this process recorded."""
        return max(0, self.done - self.earlier)

    @property
    def success_rate(self) -> float | None:
        """Share of the done rows without an error, 0-1; None before the first."""
        return max(0.0, 1 - self.errors / self.done) if self.done > 0 else None

    @property
    def reuse_rate(self) -> float | None:
        """Share of this process's posters that needed no request, because the cache or an equal picture had
        the verdict, 0-1; None before the first."""
        return min(1.0, (self.cached + self.duplicates) / self.worked) if self.worked else None


@dataclass(slots=True)
class _Busy:
    row: int
    id: str
    stage: Stage
    since_s: float


@dataclass(frozen=True, slots=True)
class _Spread:
    mean: float
    p50: float
    p95: float

    @classmethod
    def of(cls, values: Sequence[float]) -> _Spread:
        ascending = sorted(values)
        count = len(ascending)
        mean = round(sum(ascending) / count, 3)
        return cls(mean, ascending[count // 2], ascending[min(count - 1, int(count * 0.95))])


@dataclass(slots=True)
class Metrics:
    """The run's counters. `rows` is the number of rows of the run, `earlier` those that had an outcome
    before this process began."""

    clock: Clock
    rows: int = 0
    facts: RunFacts = field(default_factory=RunFacts)
    cpu_clock: Callable[[], float] = time.process_time
    earlier: int = 0
    workers: int = 0
    rate: RateFigures = field(default_factory=RateFigures)
    requests: int = 0
    image_bytes: int = 0
    note: str = ""
    _started_s: float | None = None
    _cpu_at_start_s: float = 0.0
    _counts: Counter[Status] = field(default_factory=Counter)
    _sources: Counter[Source] = field(default_factory=Counter)
    _codes: Counter[str] = field(default_factory=Counter)
    _groups: dict[str, Counter[Status]] = field(default_factory=dict)
    _finished_at_s: deque[float] = field(default_factory=deque)
    _samples: deque[tuple[float, float, float, float]] = field(
        default_factory=lambda: deque(maxlen=TIMING_SAMPLES)
    )
    _recent: deque[RecentOutcome] = field(default_factory=lambda: deque(maxlen=RECENT_VERDICTS))
    _busy: dict[int, _Busy] = field(default_factory=dict)
    _stage_s: dict[Stage, float] = field(default_factory=lambda: dict.fromkeys(Stage, 0.0))
    _tokens_in: int = 0
    _tokens_out: int = 0
    _cost_usd: float = 0.0

    def start(self) -> None:
        """Begin to count time."""
        self._started_s = self.clock.monotonic()
        self._cpu_at_start_s = self.cpu_clock()

    def restore(self, counts: Mapping[Status, int], cost_usd: float) -> None:
        """Begin from an earlier process's outcomes of the same run."""
        self._counts.update(counts)
        self.earlier = self._counts.total()
        self._cost_usd = cost_usd

    def begin(self, worker: int, row: int, poster_id: str) -> None:
        """A worker began a poster."""
        now_s = self.clock.monotonic()
        self._leave(worker, now_s)
        self._busy[worker] = _Busy(row, poster_id, Stage.READ, now_s)

    def stage(self, worker: int, stage: Stage) -> None:
        """A worker's poster entered a stage."""
        busy = self._busy.get(worker)
        if busy is not None and busy.stage is not stage:
            now_s = self.clock.monotonic()
            self._stage_s[busy.stage] += now_s - busy.since_s
            busy.stage, busy.since_s = stage, now_s

    def idle(self, worker: int) -> None:
        """A worker has no poster."""
        self._leave(worker, self.clock.monotonic())

    def _leave(self, worker: int, now_s: float) -> None:
        busy = self._busy.pop(worker, None)
        if busy is not None:
            self._stage_s[busy.stage] += now_s - busy.since_s

    def recorded(self, outcome: Outcome) -> None:
        """An outcome is on disk."""
        self._counts[outcome.status] += 1
        if outcome.source is not None:
            self._sources[outcome.source] += 1
        if outcome.error is not None:
            self._codes[outcome.error.code.value] += 1
        group = outcome.group
        if group not in self._groups and len(self._groups) >= MAX_GROUPS:
            group = OTHER_GROUP
        self._groups.setdefault(group, Counter())[outcome.status] += 1
        self._finished_at_s.append(self.clock.monotonic())
        if outcome.source in (Source.MODEL, Source.LOCAL):
            t = outcome.timing
            self._samples.append((t.total_s, t.fetch_s, t.wait_s, t.model_s))
        self._tokens_in += outcome.tokens.input
        self._tokens_out += outcome.tokens.output
        self._cost_usd += outcome.cost_usd
        self._recent.append(_recent(outcome))

    @property
    def remaining(self) -> int:
        """Rows without an outcome."""
        return self.rows - self._counts.total()

    @property
    def working_s(self) -> float | None:
        """Mean seconds per poster without the wait for the limit, over the last samples."""
        if not self._samples:
            return None
        return sum(total - wait for total, _, wait, _ in self._samples) / len(self._samples)

    @property
    def counts(self) -> Counter[Status]:
        """Outcomes by status, earlier ones included."""
        return self._counts

    def snapshot(self) -> Snapshot:
        """The state now, as a value."""
        now_s = self.clock.monotonic()
        elapsed_s = now_s - self._started_s if self._started_s is not None else 0.0
        per_min = self._posters_last_min(now_s, elapsed_s)
        done = self._counts.total()
        return Snapshot(
            at=self.clock.now(),
            elapsed_s=elapsed_s,
            rows=self.rows,
            done=done,
            earlier=self.earlier,
            passed=self._counts[Status.PASS],
            failed=self._counts[Status.FAIL],
            unsure=self._counts[Status.UNSURE],
            errors=self._counts[Status.ERROR],
            cached=self._sources[Source.CACHE],
            duplicates=self._sources[Source.DUPLICATE],
            errors_by_code=dict(self._codes.most_common()),
            posters_last_min=per_min,
            eta_s=max(0, self.rows - done) / per_min * 60 if per_min > 0 else None,
            requests=self.requests,
            tokens_in=self._tokens_in,
            tokens_out=self._tokens_out,
            cost_usd=self._cost_usd,
            workers=self.workers,
            lanes=tuple(
                WorkerSlot(worker=w, row=b.row, id=b.id, stage=b.stage, age_s=round(now_s - b.since_s, 2))
                for w, b in sorted(self._busy.items())
            ),
            rate=self.rate,
            timings=self._timings(),
            recent=tuple(self._recent),
            groups=self._group_counts(),
            note=self.note,
            stage_s=self._stage_seconds(now_s),
            cpu_s=0.0 if self._started_s is None else round(self.cpu_clock() - self._cpu_at_start_s, 2),
            image_bytes=self.image_bytes,
            facts=self.facts,
        )

    def _posters_last_min(self, now_s: float, elapsed_s: float) -> float:
        while self._finished_at_s and self._finished_at_s[0] <= now_s - RATE_WINDOW_S:
            self._finished_at_s.popleft()
        window_s = min(RATE_WINDOW_S, elapsed_s)
        return len(self._finished_at_s) / window_s * 60 if window_s > 0 else 0.0

    def _stage_seconds(self, now_s: float) -> dict[Stage, float]:
        seconds = dict(self._stage_s)
        for busy in self._busy.values():
            seconds[busy.stage] += now_s - busy.since_s
        return {stage: round(spent_s, 2) for stage, spent_s in seconds.items() if spent_s > 0}

    def _timings(self) -> Timings:
        if not self._samples:
            return Timings()
        total, fetch, wait, model = (_Spread.of(column) for column in zip(*self._samples, strict=True))
        return Timings(
            mean_s=total.mean,
            p50_s=total.p50,
            p95_s=total.p95,
            fetch_s=fetch.mean,
            fetch_p50_s=fetch.p50,
            fetch_p95_s=fetch.p95,
            wait_s=wait.mean,
            wait_p50_s=wait.p50,
            wait_p95_s=wait.p95,
            model_s=model.mean,
            model_p50_s=model.p50,
            model_p95_s=model.p95,
        )

    def _group_counts(self) -> tuple[GroupCounts, ...]:
        groups = (
            GroupCounts(
                name=name,
                passed=counts[Status.PASS],
                failed=counts[Status.FAIL],
                unsure=counts[Status.UNSURE],
                errors=counts[Status.ERROR],
            )
            for name, counts in self._groups.items()
        )
        worst_first = sorted(groups, key=lambda group: (-group.fail_rate, -group.judged, group.name))
        return tuple(worst_first[:SHOWN_GROUPS])


def _recent(outcome: Outcome) -> RecentOutcome:
    worst = max(outcome.zones, key=lambda zone: zone.contains_key_elements, default=None)
    note = outcome.error.message if outcome.error else worst.justification if worst else ""
    return RecentOutcome(
        row=outcome.row,
        id=outcome.id,
        title=outcome.title,
        status=outcome.status,
        confidence_pct=worst.confidence_pct if worst else None,
        note=note,
    )
