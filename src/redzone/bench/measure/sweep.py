"""What the number of workers does: the linear part, the knee, and where Little's law puts it. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from redzone.bench.measure.result_file import Bench, StageFigures
from redzone.bench.measure.stages import BenchStage
from redzone.diagnostics.bottleneck import BURST

WORKERS = (1, 2, 5, 10, 20, 50, 100, 200)
LEAST_POSTERS = 10
ROUNDS = 5  # posters per worker: the first and the last, when not all are busy, then weigh little
LIMITED_S = 15.0  # how long a stage runs at the limit: longer would only show the limit again
LINEAR = 0.9
FLAT = 0.9


def sweep_stages(
    workers: Sequence[int], limit_per_min: float | None, most: int | None
) -> tuple[BenchStage, ...]:
    """A stage for each number of workers: five posters for each worker, at least 10, and under a limit
    about as many as pass it in 15 s; never more than `most`."""
    stages = []
    for count in workers:
        posters = max(LEAST_POSTERS, ROUNDS * count)
        if limit_per_min is not None:
            posters = min(posters, max(LEAST_POSTERS, math.ceil(limit_per_min / 60 * LIMITED_S)))
        stages.append(BenchStage(sweep_name(count), min(posters, most or posters), count))
    return tuple(stages)


def sweep_name(workers: int) -> str:
    """The name of a sweep's stage."""
    return f"{workers} worker{'s' if workers != 1 else ''}"


@dataclass(frozen=True, slots=True)
class Knee:
    """Where more workers stop to help. Rates are steady posters per minute.

    `linear_to`: the most workers at which each still brings 90 % of what the first one did. `knee`: the
    fewest that reach 90 % of the best rate. `little`: workers = ceiling x seconds of work per poster;
    `ceiling` is what `bound` allows, both None where nothing bounds within sight.
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
        """Whether the best rate is at the ceiling, so that the knee is the ceiling's."""
        return self.ceiling_per_min is not None and self.best_per_min >= FLAT * self.ceiling_per_min


def find_knee(bench: Bench) -> Knee:
    """Read a sweep. Seconds of work are those of its smallest crew, which waits for nobody."""
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
    """Steady posters per minute per worker, as a share of the smallest crew's."""
    least = min(bench.stages, key=lambda each: each.workers)
    one_per_min = least.steady_per_min / least.workers
    return stage.steady_per_min / (one_per_min * stage.workers) if one_per_min > 0 else 0.0


def explain(knee: Knee) -> tuple[str, ...]:
    """The sweep in sentences."""
    said = [
        f"Linear up to {sweep_name(knee.linear_to)}, each about {knee.one_per_min:,.0f} posters a minute.",
        f"Knee at {sweep_name(knee.knee)}: at most {knee.best_per_min:,.0f} posters a minute were seen.",
    ]
    if knee.little is None or knee.ceiling_per_min is None:
        return (*said, "Little's law: nothing bounds the rate within this sweep.")
    law = (
        f"Little's law: {knee.ceiling_per_min / 60:,.1f} posters a second ({knee.bound}) x "
        f"{knee.working_s:.2f} s of work each = {knee.little:,.1f} posters in hand."
    )
    if not knee.reached:
        law += f" The sweep came to {knee.best_per_min / knee.ceiling_per_min:.0%} of that rate."
    return (*said, law)


def _ceiling(stages: Sequence[StageFigures], best: float) -> tuple[str | None, float | None]:
    """The lowest of what the limits and one processor allow, posters per minute. What is below the best that
    was seen did not bound it: a server may let a burst pass."""
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
