"""The results of a bench and their file format. Times are seconds, rates per minute."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from redzone.bench.measure.profiles import Profile
from redzone.diagnostics.bottleneck import BURST
from redzone.errors import InputUnusable
from redzone.models import Frozen


class RateSeries(Frozen):
    """Rates over time, sampled every `step_s` from the start of the stage, smoothed over `window_s` (a
    triangle of that half width). `rejected_at_s` are the seconds at which more 429 responses were counted."""

    step_s: float = 0.0
    window_s: float = 0.0
    started_per_min: tuple[float, ...] = ()
    finished_per_min: tuple[float, ...] = ()
    rejected_at_s: tuple[float, ...] = ()


class Shares(Frozen):
    """Mean seconds that one poster takes, and its parts; `wait_s` is the wait for the rate limit."""

    total_s: float
    fetch_s: float
    wait_s: float
    model_s: float

    @property
    def working_s(self) -> float:
        """Seconds without the wait for the limit, as used in Little's law."""
        return max(0.0, self.total_s - self.wait_s)


class StageFigures(Frozen):
    """The figures of one stage. None is unknown.

    `pack` is the number of posters per request. `seconds` run from the start of the first poster to the last
    outcome on disk. `workers` is the most at once. The uses are shares (1.0 is all) of the limit, between the
    first and the last request start. `steady_per_min` is posters per minute without the first and the last
    tenth of the outcomes, when not all workers are busy; `steady_requests_per_min` is the same for request
    starts. `cpu_s` is that of the whole process; `cpu_ms_per_poster` excludes the CPU time of a run of one
    poster, with an uncertainty of `cpu_ms_error`.
    """

    name: str
    pack: int = 1
    posters: int
    auto_workers: bool
    workers: int
    rpm: int | None
    tpm: int | None
    passed: int
    failed: int
    unsure: int
    errors: int
    seconds: float
    requests: int
    rejected: int
    tokens: int
    steady_requests_per_min: float | None = None
    request_use: float | None
    token_use: float | None
    cpu_s: float
    cpu_ms_per_poster: float | None
    cpu_ms_error: float | None
    peak_bytes: int | None
    image_bytes: int | None
    cost_usd: float
    shares: Shares
    pace: RateSeries
    steady_per_min: float

    @property
    def posters_per_min(self) -> float:
        """Outcomes per minute."""
        return self.posters / self.seconds * 60 if self.seconds > 0 else 0.0

    @property
    def s_per_poster(self) -> float:
        """Seconds of the stage per poster."""
        return self.seconds / self.posters if self.posters else 0.0

    @property
    def limit_use(self) -> float | None:
        """The use of the limit that is closer to exhausted. A use above 1 is a burst that the server allowed;
        the other limit is preferred if its use is at most 1."""
        uses = [use for use in (self.request_use, self.token_use) if use is not None]
        held = [use for use in uses if use <= BURST]
        return max(held or uses, default=None)

    @property
    def cpu_share(self) -> float:
        """Share of one processor that the stage used, without its start; 0 if unknown."""
        if self.cpu_ms_per_poster is None or self.seconds <= 0:
            return 0.0
        return self.cpu_ms_per_poster / 1000 * self.posters / self.seconds


class StartCost(Frozen):
    """CPU time of runs of one poster. `cpu_s` is the least, `spread_s` the largest less the least."""

    runs: int
    cpu_s: float
    spread_s: float


class Machine(Frozen):
    """The machine of the bench."""

    python: str
    system: str
    processors: int
    pinned: bool = False


class Bench(Frozen):
    """A complete bench of any kind. Against a real API `profile` is None and `live` names the API."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    kind: Literal["bench", "sweep", "pack"]
    redzone: str
    made_at: datetime
    machine: Machine
    profile: Profile | None
    live: str | None
    scale: float
    poster_size: str | None
    start: StartCost
    stages: tuple[StageFigures, ...]

    @property
    def baseline(self) -> StageFigures:
        """The first stage, which the others are compared with."""
        return self.stages[0]

    @property
    def fastest(self) -> StageFigures:
        """The stage with the most posters per minute."""
        return max(self.stages, key=lambda stage: stage.posters_per_min)

    def speed_up(self, stage: StageFigures) -> float:
        """Posters per minute over those of the baseline."""
        base = self.baseline.posters_per_min
        return stage.posters_per_min / base if base > 0 else 0.0

    def render(self) -> str:
        """Return the text of the file."""
        return self.model_dump_json(by_alias=True, indent=1) + "\n"


def load_bench(path: Path) -> Bench:
    """Read a saved bench. Raises InputUnusable."""
    try:
        found = Bench.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputUnusable(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise InputUnusable(
            f"{path}: not a saved bench ({place}: {first['msg']}); `redzone bench -o FILE` saves one"
        ) from error
    if not found.stages:
        raise InputUnusable(f"{path}: the bench has no stages")
    return found
