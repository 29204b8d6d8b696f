"""The values on the performance page, from a run's snapshots alone. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from redzone import charts
from redzone.diagnostics import HINTS, Advice, recommendations
from redzone.diagnostics.window import ENOUGH_POSTERS, ENOUGH_S, Window
from redzone.errors import ErrorCode
from redzone.telemetry.metrics import RATE_WINDOW_S, Snapshot, Stage, WorkerSlot
from redzone.telemetry.metrics_log import Moment
from redzone.web.services.run_status import RunStatus

SHOWN_WORKERS = 240
SLOW_S = 30.0  # a worker that long in a stage other than a wait is highlighted
PATIENT = frozenset({Stage.WAIT, Stage.WAIT_DUPLICATE, Stage.BACKOFF})
# a damaged line may hold any value, and a chart has an end
MOST_DRAWN = 1e9


@dataclass(frozen=True, slots=True)
class TimeShare:
    """Seconds per poster in one part of the pipeline."""

    name: str
    mean_s: float
    p50_s: float
    p95_s: float


@dataclass(frozen=True, slots=True)
class Use:
    """Requests or tokens of the last minute against their limit; `most` is the peak.
    `announced` is true for a limit that the server reported, false for the user's own."""

    unit: str
    last_min: int
    most: int
    limit: float | None
    announced: bool

    @property
    def share(self) -> float | None:
        """The used share of the limit, above 1 beyond it; None without a limit."""
        return self.last_min / self.limit if self.limit else None

    @property
    def gauge(self) -> Markup:
        """A bar that shows the share."""
        summary = f"{self.unit} in the last 60 s: {self.last_min:,} of {self.limit or 0:,.0f}"
        return Markup(charts.gauge(self.last_min, self.limit or 0.0, summary, width=320))  # noqa: S704  our SVG


@dataclass(frozen=True, slots=True)
class StageShare:
    """Share of the workers' time in a stage, 0-1, and how many are in it now."""

    stage: Stage
    share: float
    now: int


@dataclass(frozen=True, slots=True)
class Slot:
    """A worker; `lane` is its slot, None while it is idle."""

    worker: int
    lane: WorkerSlot | None

    @property
    def slow(self) -> bool:
        """Whether it has been long in a stage other than a wait."""
        return self.lane is not None and self.lane.age_s >= SLOW_S and self.lane.stage not in PATIENT

    @property
    def age_pct(self) -> float:
        """The time in its stage on a logarithmic scale, 0-100."""
        return (
            min(100.0, 100 * math.log1p(max(0.0, self.lane.age_s)) / math.log1p(SLOW_S)) if self.lane else 0
        )


@dataclass(frozen=True, slots=True)
class Performance:
    """A run at one instant: its status, its last snapshot, those of the minute before, and its whole history
    in moments."""

    run: RunStatus
    snapshot: Snapshot
    recent: Sequence[Snapshot]
    moments: Sequence[Moment]

    @property
    def average_per_min(self) -> float:
        """Posters per minute since the process began."""
        return 60 * self.snapshot.worked / self.snapshot.elapsed_s if self.snapshot.elapsed_s > 0 else 0.0

    @property
    def advice(self) -> tuple[Advice, ...]:
        """Recommendations for the last minute of a live run, else for the whole run."""
        return recommendations(self.snapshot, self.recent if self.run.live else ())

    @property
    def no_advice(self) -> str:
        """The text where there are no recommendations."""
        window = Window.before(self.snapshot)
        if self.run.live and not window.enough:
            return f"Recommendations appear after {ENOUGH_POSTERS} posters and {ENOUGH_S:.0f} s."
        return "No recommendations: no setting limits this run."

    @property
    def parts(self) -> tuple[TimeShare, ...]:
        """Seconds per poster by part, the total first."""
        times = self.snapshot.timings
        return (
            TimeShare("total", times.mean_s, times.p50_s, times.p95_s),
            TimeShare("fetch", times.fetch_s, times.fetch_p50_s, times.fetch_p95_s),
            TimeShare("wait", times.wait_s, times.wait_p50_s, times.wait_p95_s),
            TimeShare("model", times.model_s, times.model_p50_s, times.model_p95_s),
        )

    @property
    def uses(self) -> tuple[Use, ...]:
        """Requests, and tokens where they are counted."""
        rate = self.snapshot.rate
        rates = [moment.snapshot.rate for moment in self.moments] or [rate]
        requests = Use(
            "requests",
            rate.requests_last_min,
            max(each.requests_last_min for each in rates),
            rate.requests_limit_per_min,
            _is_servers(rate.requests_limit_per_min, rate.requests_announced_per_min),
        )
        tokens = Use(
            "tokens",
            rate.tokens_last_min,
            max(each.tokens_last_min for each in rates),
            rate.tokens_limit_per_min,
            _is_servers(rate.tokens_limit_per_min, rate.tokens_announced_per_min),
        )
        return (requests, tokens) if tokens.most or tokens.limit else (requests,)

    @property
    def stages(self) -> tuple[StageShare, ...]:
        """Share of the workers' time by stage, in pipeline order; unused stages are left out."""
        window = Window.before(self.snapshot, self.recent if self.run.live else ())
        now = Counter(lane.stage for lane in self.snapshot.lanes)
        shares = (StageShare(stage, window.share(stage), now[stage]) for stage in Stage)
        return tuple(each for each in shares if each.share >= 0.005 or each.now)

    @property
    def worker_count(self) -> int:
        """The number of workers."""
        return max([self.snapshot.workers, *(lane.worker for lane in self.snapshot.lanes)])

    @property
    def slots(self) -> tuple[Slot, ...]:
        """A slot for each worker; beyond SHOWN_WORKERS, those longest in a stage other than a wait."""
        lanes = {lane.worker: lane for lane in self.snapshot.lanes}
        if self.worker_count <= SHOWN_WORKERS:
            return tuple(Slot(worker, lanes.get(worker)) for worker in range(1, self.worker_count + 1))
        oldest = sorted(lanes.values(), key=lambda lane: (lane.stage in PATIENT, -lane.age_s))
        return tuple(Slot(lane.worker, lane) for lane in oldest[:SHOWN_WORKERS])

    @property
    def errors(self) -> tuple[tuple[str, int, str], ...]:
        """Code, count and hint of each kind of error, the most frequent first."""
        known = set(ErrorCode)
        return tuple(
            (code, count, HINTS[ErrorCode(code)] if code in known else "see the run's log")
            for code, count in self.snapshot.errors_by_code.items()
        )

    @property
    def chart(self) -> Markup:
        """Posters and requests over a rolling 60 s window, against the limit."""
        picture = charts.PaceChart(
            title="Rate over time",
            lines=(
                charts.PaceLine("requests", "second", self._curve(_requests)),
                charts.PaceLine("posters", "first", self._curve(_posters), filled=True),
            ),
            limit=self.snapshot.rate.requests_limit_per_min,
            marks_s=[_drawable(moment.at_s) for moment in self.moments if moment.rejected],
        )
        return Markup(charts.fitted(lambda width: charts.pace(picture, width=width)))  # noqa: S704  our SVG

    def _curve(self, value: Callable[[Snapshot], float]) -> list[tuple[float, float]]:
        return [(_drawable(moment.at_s), _drawable(value(moment.snapshot))) for moment in self.moments]


def _is_servers(limit: float | None, announced: float | None) -> bool:
    return limit is not None and limit == announced


def _requests(snapshot: Snapshot) -> float:
    return snapshot.rate.requests_last_min


def _posters(snapshot: Snapshot) -> float:
    """Posters in the last 60 s, as the limit counts: scaled up from less than a minute, an allowed burst
    would look like too many."""
    return snapshot.posters_last_min * min(RATE_WINDOW_S, snapshot.elapsed_s) / RATE_WINDOW_S


def _drawable(value: float) -> float:
    return min(max(value, 0.0), MOST_DRAWN)
