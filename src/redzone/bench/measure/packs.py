"""What more posters in a request bring: posters a minute under one limit of requests. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from redzone.bench.measure.advice import find_bottleneck, troubles
from redzone.bench.measure.profiles import Profile
from redzone.bench.measure.result_file import Bench, StageFigures
from redzone.bench.measure.stages import BenchStage
from redzone.bench.simulator.options import pack_factor
from redzone.diagnostics.bottleneck import AT_THE_LIMIT

LIMITED_S = 20.0  # how long requests start at the limit: longer would only show the limit again
ANSWERS = 4  # unless an answer takes so long that nothing is known of the limit for most of that time
UNLIMITED_REQUESTS = 40
REACHED = 0.97

CAVEAT = (
    "This shows speed alone: the simulator judges a poster alike in any company, a model may not. Measure "
    "the verdicts of --pack N on posters with labels before you trust them."
)
NOTES = (
    (
        "Posters/min: posters a request times requests a minute, from the first tenth of their starts to the "
        "last. Outcomes come by the pack, and late: they would tell of the first answer and the last."
    ),
    (
        "The simulator takes (1 + N) / 2 times as long for N posters as for one: half of a single answer's "
        "time is taken to be its output. That is an assumption; --latency changes the single answer's."
    ),
)


def pack_stages(packs: Sequence[int], profile: Profile, most: int) -> tuple[BenchStage, ...]:
    """A stage for each number of posters a request, never more than `most`: as many as pass the limit in
    20 s, or in the time of 4 answers where that is longer; without a limit 40 requests."""
    return tuple(
        BenchStage(f"pack {pack}", min(most, pack * _requests(profile, pack)), None, pack=pack)
        for pack in packs
    )


def _requests(profile: Profile, pack: int) -> int:
    if profile.rpm is None:
        return UNLIMITED_REQUESTS
    seconds = max(LIMITED_S, ANSWERS * profile.latency_s * pack_factor(pack))
    return math.ceil(profile.rpm / 60 * seconds)


def asked_per_min(stage: StageFigures) -> float:
    """Posters asked about per minute, in the long run: those of a request, second looks and retries included,
    times the steady pace of requests."""
    if stage.steady_requests_per_min is None or not stage.requests:
        return stage.posters_per_min
    return stage.steady_requests_per_min * stage.posters / stage.requests


def use(stage: StageFigures) -> float | None:
    """Share of the nearer limit that is used at the steady pace; None without a limit or a pace."""
    steady = stage.steady_requests_per_min
    requests = steady / stage.rpm if steady is not None and stage.rpm else None
    uses = [use for use in (requests, stage.token_use) if use is not None]
    return max(uses, default=None)


def baseline(bench: Bench) -> StageFigures:
    """The stage that the others are compared with: the one of the smallest pack."""
    return min(bench.stages, key=lambda stage: stage.pack)


def times(bench: Bench, stage: StageFigures) -> float:
    """How often the baseline's rate."""
    base = asked_per_min(baseline(bench))
    return asked_per_min(stage) / base if base > 0 else 0.0


def ceiling(stage: StageFigures) -> int | None:
    """Posters a minute if every request that the limit allows held a full pack; None without a limit."""
    return stage.rpm * stage.pack if stage.rpm else None


def explain(bench: Bench) -> tuple[str, ...]:
    """What packs bring, which of them stayed below what they might, and what went wrong."""
    best = max(bench.stages, key=asked_per_min)
    return (*_gain(bench, best), *_shortfalls(bench), *troubles(bench, best), CAVEAT)


def _gain(bench: Bench, best: StageFigures) -> Iterator[str]:
    base = baseline(bench)
    told = f"{_asked(best.pack)}: {asked_per_min(best):,.0f} posters a minute"
    if best is base:
        yield f"{told}, and no larger pack was faster."
    else:
        each = f"{asked_per_min(base):,.0f} of {_asked(base.pack)}"
        yield f"{told}, {times(bench, best):.1f} times the {each}."


def _shortfalls(bench: Bench) -> Iterator[str]:
    for stage in bench.stages:
        most, used = ceiling(stage), use(stage)
        if most is None or used is None or (got := asked_per_min(stage) / most) >= REACHED:
            continue
        held = "" if used >= AT_THE_LIMIT else f" (held back by {find_bottleneck(stage)})"
        more = max(0, stage.requests - math.ceil(stage.posters / stage.pack))
        yield (
            f"{_asked(stage.pack)}: {got:.0%} of {stage.pack} x {stage.rpm:,} a minute. "
            f"{used:.0%} of the limit was used{held}; {more:,} of {stage.requests:,} requests were second "
            "looks, retries, or needed because packs were not full."
        )


def _asked(pack: int) -> str:
    return f"{pack} posters a request" if pack > 1 else "1 poster a request"
