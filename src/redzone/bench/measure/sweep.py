"""Analyses a sweep over the number of workers: linear range, knee, and Little's law. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from redzone.bench.measure.result_file import Bench, StageFigures
from redzone.bench.measure.stages import BenchStage
from redzone.diagnostics.bottleneck import BURST

WORKERS = (1, 2, 5, 10, 20, 50, 100, 200)
LEAST_POSTERS = 10
ROUNDS = 5  # posters per worker: enough that the start and the end, when not all are busy, matter little
LIMITED_S = 15.0  # how long a stage runs at the limit; a longer stage shows nothing new
LINEAR = 0.9
FLAT = 0.9


def sweep_stages(
    workers: Sequence[int], limit_per_min: float | None, most: int | None
) -> tuple[BenchStage, ...]:
    """Return a stage for each number of workers: five posters per worker, at least 10, and under a limit
    about as many as it allows in 15 s; at most `most`."""
    stages = []
    for count in workers:
        posters = max(LEAST_POSTERS, ROUNDS * count)
        if limit_per_min is not None:
            posters = min(posters, max(LEAST_POSTERS, math.ceil(limit_per_min / 60 * LIMITED_S)))
        stages.append(BenchStage(sweep_name(count), min(posters, most or posters), count))
    return tuple(stages)


def sweep_name(workers: int) -> str:
    """Return the name of a stage of a sweep."""
    return f"{workers} worker{'s' if workers != 1 else ''}"


@dataclass(frozen=True, slots=True)
class Knee:
    """The result of a sweep. Rates are steady posters per minute.

    `linear_to`: the most workers at which each still adds 90 % of the first one's rate. `knee`: the fewest
    that reach 90 % of the best rate. `little`: workers = ceiling x seconds of work per poster; `ceiling` is
    the rate that `bound` allows, both None if no bound is near.
    """

    one_per_min: float
    best_per_min: float
    linear_to: int
    knee: int
    working_s: float
    bound: str | None
    ceiling_per_min: float | None
    little: float | None

    @property
    def reached(self) -> bool:
        """Whether the best rate reaches the ceiling."""
        return self.ceiling_per_min is not None and self.best_per_min >= FLAT * self.ceiling_per_min


def find_knee(bench: Bench) -> Knee:
    """Analyse a sweep. Seconds of work are those of the stage with the fewest workers."""
    stages = sorted(bench.stages, key=lambda stage: stage.workers)
    first = stages[0]
    one_per_min = first.steady_per_min / first.workers
    best = max(stage.steady_per_min for stage in stages)
    linear_to = first.workers
    for stage in stages:
        if stage.steady_per_min < LINEAR * one_per_min * stage.workers:
            break
        linear_to = stage.workers
    knee = next(stage.workers for stage in stages if stage.steady_per_min >= FLAT * best)
    bound, ceiling = _ceiling(stages, best)
    working_s = first.shares.working_s
    little = ceiling / 60 * working_s if ceiling is not None else None
    return Knee(one_per_min, best, linear_to, knee, working_s, bound, ceiling, little)


def efficiency(bench: Bench, stage: StageFigures) -> float:
    """Steady posters per minute per worker, as a share of the stage with the fewest workers."""
    least = min(bench.stages, key=lambda each: each.workers)
    one_per_min = least.steady_per_min / least.workers
    return stage.steady_per_min / (one_per_min * stage.workers) if one_per_min > 0 else 0.0


def explain(knee: Knee) -> tuple[str, ...]:
    """Describe the result in sentences."""
    lines = [
        f"Linear up to {sweep_name(knee.linear_to)}: about {knee.one_per_min:,.0f} posters a minute each.",
        f"Knee at {sweep_name(knee.knee)}; the best rate was {knee.best_per_min:,.0f} posters a minute.",
    ]
    if knee.little is None or knee.ceiling_per_min is None:
        return (*lines, "Little's law: no limit was reached in this sweep.")
    law = (
        f"Little's law: {knee.ceiling_per_min / 60:,.1f} posters a second ({knee.bound}) x "
        f"{knee.working_s:.2f} s of work each = {knee.little:,.1f} posters in progress."
    )
    if not knee.reached:
        law += f" The sweep reached {knee.best_per_min / knee.ceiling_per_min:.0%} of that rate."
    return (*lines, law)


def _ceiling(stages: Sequence[StageFigures], best: float) -> tuple[str | None, float | None]:
    """Return the lowest rate that a limit or one processor allows, posters per minute. Bounds below the best
    measured rate are ignored: a server may allow a burst."""
    last = max(stages, key=lambda stage: stage.posters)
    per_poster = last.requests / last.posters
    bounds: list[tuple[float, str]] = []
    if last.rpm:
        bounds.append((last.rpm / per_poster, "the limit of requests"))
    if last.tpm and last.tokens:
        bounds.append((last.tpm * last.posters / last.tokens, "the limit of tokens"))
    if (
        last.cpu_ms_per_poster
        and last.cpu_ms_error is not None
        and last.cpu_ms_error < last.cpu_ms_per_poster
    ):
        bounds.append((60_000 / last.cpu_ms_per_poster, "one processor, all of it"))
    ceiling, bound = min((pair for pair in bounds if pair[0] * BURST >= best), default=(None, None))
    return bound, ceiling
