"""Runs the stages of a bench one after another, each with `redzone analyze` in its own process.

Each simulated stage has its own simulator, so that stages do not share a rate window.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from redzone._version import __version__
from redzone.bench.measure.processes import (
    CommandContext,
    CommandResult,
    analyze,
    clean_environment,
    simulator,
)
from redzone.bench.measure.profiles import Profile, serve_options
from redzone.bench.measure.result_file import Bench, Machine, StageFigures, StartCost
from redzone.bench.measure.run_reader import RunMeasurement, read_run
from redzone.bench.simulator.options import pack_factor
from redzone.errors import UsageError
from redzone.models import Status

SEQUENTIAL_POSTERS = 10
PARALLEL_POSTERS = 50
STRESS_POSTERS = 100
DEFAULT_SIZE = "300x450"
STARTS = 2

OnStage = Callable[[str], None]
Kind = Literal["bench", "sweep", "pack"]


@dataclass(frozen=True, slots=True)
class BenchStage:
    """A stage to run. `workers` None is auto; with `baseline` the profile's `baseline_rpm` applies; `pack`
    is the number of posters per request."""

    name: str
    posters: int
    workers: int | None
    baseline: bool = False
    pack: int = 1

    @property
    def description(self) -> str:
        """What it does, for display."""
        workers = "auto workers" if self.workers is None else f"{self.workers} at a time"
        return f"{self.name}: {self.posters:,} posters, {'one at a time' if self.workers == 1 else workers}"


@dataclass(frozen=True, slots=True)
class BenchTarget:
    """What the stages run against: a simulator with this profile and poster size, or if `profile` is None the
    real API with inputs of the user. `starts` is the number of runs of one poster that measure the start."""

    profile: Profile | None
    scale: float = 1.0
    poster_size: str = DEFAULT_SIZE
    live: str = ""
    inputs: tuple[str, ...] = ()
    starts: int = STARTS


def bench_stages(
    posters: int, workers: int, stress_workers: int | None, *, live: bool
) -> tuple[BenchStage, ...]:
    """Return the sequential, parallel and stress stages, each with at most `posters`.

    Against a real API there is no stress stage below 100 posters: it would only repeat the parallel one.
    """
    stages = [
        BenchStage("sequential", min(SEQUENTIAL_POSTERS, posters), 1, baseline=True),
        BenchStage("parallel", min(PARALLEL_POSTERS, posters), workers),
    ]
    if not live or posters >= STRESS_POSTERS:
        stages.append(BenchStage("stress", posters, stress_workers))
    return tuple(stages)


def command_context(folder: Path, *, live: bool, pin: bool) -> CommandContext:
    """Return the context of the commands. Only a live bench uses the user's settings. Raises UsageError if
    processors cannot be chosen."""
    environment = dict(os.environ) if live else clean_environment({"OPENAI_API_KEY": "simulated"})
    context = CommandContext(folder, environment)
    if not pin:
        return context
    processors = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(processors) < 2:
        raise UsageError("--pin needs Linux and two processors")
    return replace(context, client_cpu=processors[0], simulator_cpu=processors[-1])


def run_bench(
    target: BenchTarget,
    stages: Sequence[BenchStage],
    context: CommandContext,
    on_stage: OnStage,
    kind: Kind = "bench",
) -> Bench:
    """Run the stages in order; `on_stage` gets the description of each as it begins.

    Raises UsageError and RedzoneError as `analyze` does.
    """
    profile = target.profile
    on_stage("starting")
    start = _start(target, context)
    figures = []
    for stage in stages:
        on_stage(stage.description)
        figures.append(_run_stage(target, stage, context, start))
    return Bench(
        kind=kind,
        redzone=__version__,
        made_at=datetime.now(UTC).replace(microsecond=0),
        machine=Machine(
            python=platform.python_version(),
            system=f"{platform.system()} {platform.machine()}",
            processors=os.cpu_count() or 1,
            pinned=context.client_cpu is not None,
        ),
        profile=profile,
        live=target.live or None,
        scale=target.scale,
        poster_size=target.poster_size if profile else None,
        start=start,
        stages=tuple(figures),
    )


def _start(target: BenchTarget, context: CommandContext) -> StartCost:
    """Measure the CPU time of a run of one poster: the least, because the first run may have cold caches."""
    quick = target.profile and Profile(name="start", latency_s=0, image_latency_s=0)
    one = BenchStage("start", 1, 1)
    with _serving(replace(target, profile=quick), one, context) as source:
        costs = [_analyze(source, one, context, target.profile).cpu_s for _ in range(target.starts)]
    return StartCost(runs=len(costs), cpu_s=min(costs), spread_s=max(costs) - min(costs))


def _run_stage(
    target: BenchTarget, stage: BenchStage, context: CommandContext, start: StartCost
) -> StageFigures:
    with _serving(target, stage, context) as source:
        done = _analyze(source, stage, context, target.profile)
    measured = read_run(Path(done.output["folder"]))
    rpm, tpm = _limits(target.profile, stage, measured)
    more = measured.posters - 1
    return StageFigures(
        name=stage.name,
        pack=stage.pack,
        posters=measured.posters,
        auto_workers=stage.workers is None,
        workers=measured.workers,
        rpm=rpm,
        tpm=tpm,
        passed=measured.counts[Status.PASS],
        failed=measured.counts[Status.FAIL],
        unsure=measured.counts[Status.UNSURE],
        errors=measured.counts[Status.ERROR],
        seconds=round(measured.seconds, 3),
        requests=int(done.output["requests"]),
        rejected=measured.rejected,
        tokens=measured.tokens,
        steady_requests_per_min=measured.steady_requests_per_min,
        request_use=measured.request_use(rpm),
        token_use=measured.token_use(tpm),
        cpu_s=round(done.cpu_s, 3),
        cpu_ms_per_poster=max(0.0, done.cpu_s - start.cpu_s) / more * 1000 if more else None,
        cpu_ms_error=start.spread_s / more * 1000 if more else None,
        peak_bytes=done.peak_bytes,
        image_bytes=int(done.output["image_bytes"]),
        cost_usd=measured.cost_usd,
        shares=measured.shares,
        pace=measured.pace,
        steady_per_min=measured.steady_per_min,
    )


def _limits(
    profile: Profile | None, stage: BenchStage, measured: RunMeasurement
) -> tuple[int | None, int | None]:
    """Return the limits in force: the simulator's, or those from the real API's headers or the settings."""
    if profile is not None:
        return stage_rpm(profile, stage), profile.tpm
    rpm, tpm = measured.announced_rpm, measured.announced_tpm
    return int(rpm) if rpm else None, int(tpm) if tpm else None


def stage_rpm(profile: Profile, stage: BenchStage) -> int | None:
    """Return the profile's request limit for a stage."""
    return profile.baseline_rpm or profile.rpm if stage.baseline else profile.rpm


@contextmanager
def _serving(target: BenchTarget, stage: BenchStage, context: CommandContext) -> Iterator[list[str]]:
    """Yield the arguments of `analyze` for the input and the API, while the API is available."""
    if target.profile is None:
        yield list(target.inputs)
        return
    options = (*serve_options(target.profile, stage_rpm(target.profile, stage)), "--size", target.poster_size)
    with simulator(context, stage.posters, options) as served:
        yield [str(served.posters), "--base-url", served.base_url, "--allow-private-hosts"]


def _analyze(
    source: Sequence[str], stage: BenchStage, context: CommandContext, profile: Profile | None
) -> CommandResult:
    workers = "auto" if stage.workers is None else str(stage.workers)
    arguments = [*source, "--limit", str(stage.posters), "--workers", workers, "--no-cache"]
    arguments += ["--json", "--progress", "none", "--home", str(context.folder / "home")]
    if stage.pack > 1:
        arguments += ["--pack", str(stage.pack)]
    return analyze(
        replace(context, environment={**context.environment, **_timeouts(profile, stage)}), arguments
    )


def _timeouts(profile: Profile | None, stage: BenchStage) -> dict[str, str]:
    """The timeouts of the profile; packs have a longer one for the model."""
    if profile is None or profile.timeout_s is None:
        return {}
    return {
        "REDZONE_MODEL_TIMEOUT_S": f"{profile.timeout_s * pack_factor(stage.pack):g}",
        "REDZONE_FETCH_TIMEOUT_S": f"{profile.timeout_s:g}",
    }
