"""What a bench found, as it is saved, printed and compared. Times are seconds, rates per minute."""

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
    triangle of that half width). `rejected_at_s` are the seconds in which answers 429 were first counted."""

    step_s: float = 0.0
    window_s: float = 0.0
    started_per_min: tuple[float, ...] = ()
    finished_per_min: tuple[float, ...] = ()
    rejected_at_s: tuple[float, ...] = ()


class Shares(Frozen):
    """Mean seconds of one poster in hand, and where they went; `wait_s` is the wait for the rate limit."""

    total_s: float
    fetch_s: float
    wait_s: float
    model_s: float

    @property
    def working_s(self) -> float:
        """Without the wait for the limit: what Little's law multiplies by the rate."""
        return max(0.0, self.total_s - self.wait_s)


class StageFigures(Frozen):
    """One stage. None is "not known here".

    `pack` is the number of posters a request. `seconds` run from the first poster taken in hand to the last
    outcome on disk. `workers` is the most at once. The uses are shares (1.0 is all) of the limit, between the
    first and the last request start. `steady_per_min` are the posters per minute between the first tenth of
    the outcomes and the last: without the time in which not all workers were busy; `steady_requests_per_min`
    likewise the request starts. `cpu_s` is the whole process's; `cpu_ms_per_poster` is without what a run of
    one poster takes, give or take `cpu_ms_error`.
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
        """The use of the limit that is nearer to its end. A use above 1 is a burst that the server let pass:
        it says less than the other limit's, where that one is below."""
        uses = [use for use in (self.request_use, self.token_use) if use is not None]
        held = [use for use in uses if use <= BURST]
        return max(held or uses, default=None)

    @property
    def cpu_share(self) -> float:
        """How busy the process kept one processor during the stage, its start not counted; 0 if unknown."""
        if self.cpu_ms_per_poster is None or self.seconds <= 0:
            return 0.0
        return self.cpu_ms_per_poster / 1000 * self.posters / self.seconds


class Start(Frozen):
    """Runs of one poster: what starting costs. `cpu_s` is the least, `spread_s` how far they differ."""

    runs: int
    cpu_s: float
    spread_s: float


class Machine(Frozen):
    """Where it was measured."""

    python: str
    system: str
    processors: int
    pinned: bool = False


class Bench(Frozen):
    """A whole bench, of whichever kind. Against a real API `profile` is None and `live` says which."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    kind: Literal["bench", "sweep", "pack"]
    redzone: str
    made_at: datetime
    machine: Machine
    profile: Profile | None
    live: str | None
    scale: float
    poster_size: str | None
    start: Start
    stages: tuple[StageFigures, ...]

    @property
    def baseline(self) -> StageFigures:
        """What the others are compared with: the first stage."""
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
        """The saved form."""
        return self.model_dump_json(by_alias=True, indent=1) + "\n"


def load_bench(path: Path) -> Bench:
    """A saved bench. Raises InputUnusable."""
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
        raise InputUnusable(f"{path}: it has no stages")
    return found
