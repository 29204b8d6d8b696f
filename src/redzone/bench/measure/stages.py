"""The stages of a bench, carried out one after another, each by `redzone analyze` in a process of its own.

Against the simulator each stage has a fresh one, so that no stage lives on another's rate window.
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
from redzone.bench.measure.processes import Finished, Surroundings, analyze, clean_environment, simulator
from redzone.bench.measure.profiles import Profile, serve_options
from redzone.bench.measure.result_file import Bench, Machine, StageFigures, Start
from redzone.bench.measure.run_reader import RunMeasurement, read_run
from redzone.bench.simulator.options import pack_factor
from redzone.errors import UsageError
from redzone.models import Status

SEQUENTIAL_POSTERS = 10
PARALLEL_POSTERS = 50
STRESS_POSTERS = 100
DEFAULT_SIZE = "300x450"
STARTS = 2

Tell = Callable[[str], None]
Kind = Literal["bench", "sweep", "pack"]


@dataclass(frozen=True, slots=True)
class BenchStage:
    """One stage to carry out. `workers` None is auto; with `baseline` a profile's own limit for it holds;
    `pack` posters go into one request."""

    name: str
    posters: int
    workers: int | None
    baseline: bool = False
    pack: int = 1

    @property
    def told(self) -> str:
        """What it does, for people."""
        crew = "auto workers" if self.workers is None else f"{self.workers} at a time"
        return f"{self.name}: {self.posters:,} posters, {'one at a time' if self.workers == 1 else crew}"


@dataclass(frozen=True, slots=True)
class BenchTarget:
    """Whom the stages ask: a simulator of this profile and poster size, or where `profile` is None the real
    API, about an input of the user's. `starts` runs of one poster tell what starting costs."""

    profile: Profile | None
    scale: float = 1.0
    poster_size: str = DEFAULT_SIZE
    live: str = ""
    inputs: tuple[str, ...] = ()
    starts: int = STARTS


def bench_stages(
    posters: int, workers: int, stress_workers: int | None, *, live: bool
) -> tuple[BenchStage, ...]:
    """Sequential, parallel and stress, none with more than `posters`.

    Against a real API the stress stage is left out below 100 posters: it would pay for parallel twice.
    """
    stages = [
        BenchStage("sequential", min(SEQUENTIAL_POSTERS, posters), 1, baseline=True),
        BenchStage("parallel", min(PARALLEL_POSTERS, posters), workers),
    ]
    if not live or posters >= STRESS_POSTERS:
        stages.append(BenchStage("stress", posters, stress_workers))
    return tuple(stages)


def surroundings(folder: Path, *, live: bool, pin: bool) -> Surroundings:
    """Commands of a simulated bench run in the folder without settings of the user's; a live one is told
    everything that the user's own command would be. Raises UsageError where processors cannot be chosen."""
    environment = dict(os.environ) if live else clean_environment({"OPENAI_API_KEY": "simulated"})
    around = Surroundings(folder, environment)
    if not pin:
        return around
    processors = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(processors) < 2:
        raise UsageError("--pin: it takes Linux and two processors")
    return replace(around, client_cpu=processors[0], simulator_cpu=processors[-1])


def run_bench(
    world: BenchTarget, stages: Sequence[BenchStage], around: Surroundings, tell: Tell, kind: Kind = "bench"
) -> Bench:
    """Carry out the stages in order; `tell` hears which one begins.

    Raises UsageError and RedzoneError as `analyze` does.
    """
    profile = world.profile
    tell("starting")
    start = _start(world, around)
    figures = []
    for stage in stages:
        tell(stage.told)
        figures.append(_run_stage(world, stage, around, start))
    return Bench(
        kind=kind,
        redzone=__version__,
        made_at=datetime.now(UTC).replace(microsecond=0),
        machine=Machine(
            python=platform.python_version(),
            system=f"{platform.system()} {platform.machine()}",
            processors=os.cpu_count() or 1,
            pinned=around.client_cpu is not None,
        ),
        profile=profile,
        live=world.live or None,
        scale=world.scale,
        poster_size=world.poster_size if profile else None,
        start=start,
        stages=tuple(figures),
    )


def _start(world: BenchTarget, around: Surroundings) -> Start:
    """What it costs to start and judge one poster: the least, for the first run may find cold caches."""
    quick = world.profile and Profile(name="start", latency_s=0, image_latency_s=0)
    one = BenchStage("start", 1, 1)
    with _asked(replace(world, profile=quick), one, around) as whom:
        costs = [_analyze(whom, one, around, world.profile).cpu_s for _ in range(world.starts)]
    return Start(runs=len(costs), cpu_s=min(costs), spread_s=max(costs) - min(costs))


def _run_stage(world: BenchTarget, stage: BenchStage, around: Surroundings, start: Start) -> StageFigures:
    with _asked(world, stage, around) as whom:
        done = _analyze(whom, stage, around, world.profile)
    seen = read_run(Path(done.told["folder"]))
    rpm, tpm = _limits(world.profile, stage, seen)
    more = seen.posters - 1
    return StageFigures(
        name=stage.name,
        pack=stage.pack,
        posters=seen.posters,
        auto_workers=stage.workers is None,
        workers=seen.workers,
        rpm=rpm,
        tpm=tpm,
        passed=seen.counts[Status.PASS],
        failed=seen.counts[Status.FAIL],
        unsure=seen.counts[Status.UNSURE],
        errors=seen.counts[Status.ERROR],
        seconds=round(seen.seconds, 3),
        requests=int(done.told["requests"]),
        rejected=seen.rejected,
        tokens=seen.tokens,
        steady_requests_per_min=seen.steady_requests_per_min,
        request_use=seen.request_use(rpm),
        token_use=seen.token_use(tpm),
        cpu_s=round(done.cpu_s, 3),
        cpu_ms_per_poster=max(0.0, done.cpu_s - start.cpu_s) / more * 1000 if more else None,
        cpu_ms_error=start.spread_s / more * 1000 if more else None,
        peak_bytes=done.peak_bytes,
        image_bytes=int(done.told["image_bytes"]),
        cost_usd=seen.cost_usd,
        shares=seen.shares,
        pace=seen.pace,
        steady_per_min=seen.steady_per_min,
    )


def _limits(
    profile: Profile | None, stage: BenchStage, seen: RunMeasurement
) -> tuple[int | None, int | None]:
    """The limits in force: the simulator's, or those that the real API announced or the settings gave."""
    if profile is not None:
        return stage_rpm(profile, stage), profile.tpm
    rpm, tpm = seen.announced_rpm, seen.announced_tpm
    return int(rpm) if rpm else None, int(tpm) if tpm else None


def stage_rpm(profile: Profile, stage: BenchStage) -> int | None:
    """The profile's request limit for a stage."""
    return profile.baseline_rpm or profile.rpm if stage.baseline else profile.rpm


@contextmanager
def _asked(world: BenchTarget, stage: BenchStage, around: Surroundings) -> Iterator[list[str]]:
    """The arguments of `analyze` that name the input and whom to ask, for as long as that one answers."""
    if world.profile is None:
        yield list(world.inputs)
        return
    options = (*serve_options(world.profile, stage_rpm(world.profile, stage)), "--size", world.poster_size)
    with simulator(around, stage.posters, options) as served:
        yield [str(served.posters), "--base-url", served.base_url, "--allow-private-hosts"]


def _analyze(
    whom: Sequence[str], stage: BenchStage, around: Surroundings, profile: Profile | None
) -> Finished:
    workers = "auto" if stage.workers is None else str(stage.workers)
    arguments = [*whom, "--limit", str(stage.posters), "--workers", workers, "--no-cache"]
    arguments += ["--json", "--progress", "none", "--home", str(around.folder / "home")]
    if stage.pack > 1:
        arguments += ["--pack", str(stage.pack)]
    return analyze(
        replace(around, environment={**around.environment, **_timeouts(profile, stage)}), arguments
    )


def _timeouts(profile: Profile | None, stage: BenchStage) -> dict[str, str]:
    """A profile's own, longer for a model that has longer to say."""
    if profile is None or profile.timeout_s is None:
        return {}
    return {
        "REDZONE_MODEL_TIMEOUT_S": f"{profile.timeout_s * pack_factor(stage.pack):g}",
        "REDZONE_FETCH_TIMEOUT_S": f"{profile.timeout_s:g}",
    }
