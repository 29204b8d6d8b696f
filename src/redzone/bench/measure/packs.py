"""How the number of posters per request changes posters per minute under a request limit. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from redzone.bench.measure.advice import find_bottleneck, problems
from redzone.bench.measure.profiles import Profile
from redzone.bench.measure.result_file import Bench, StageFigures
from redzone.bench.measure.stages import BenchStage
from redzone.bench.simulator.options import pack_factor
from redzone.diagnostics.bottleneck import AT_THE_LIMIT

LIMITED_S = 20.0  # how long requests start at the limit; a longer stage shows nothing new
ANSWERS = 4  # at least: the limit is unknown until the first answer
UNLIMITED_REQUESTS = 40
REACHED = 0.97

CAVEAT = (
    "This measures speed only. The simulator judges a poster the same in any pack; a real model may not. "
    "Measure the verdicts of --pack N on posters with labels before you rely on them."
)
NOTES = (
    (
        "Posters/min: posters per request times requests per minute, from the first tenth of the request "
        "starts to the last. Outcomes arrive in packs, so their own rate depends on when the first and the "
        "last answer come."
    ),
    (
        "The simulator takes (1 + N) / 2 times as long for N posters as for one: it assumes that half of a "
        "single answer's time is its output. --latency sets the time of a single answer."
    ),
)


def pack_stages(packs: Sequence[int], profile: Profile, most: int) -> tuple[BenchStage, ...]:
    """Return a stage for each pack size, with at most `most` posters: as many as the limit allows in 20 s, or
    in the time of 4 answers if that is longer; 40 requests without a limit."""
    return tuple(
        BenchStage(f"pack {pack}", min(most, pack * _requests(profile, pack)), None, pack=pack)
        for pack in packs
    )


def _requests(profile: Profile, pack: int) -> int:
    if profile.rpm is None:
        return UNLIMITED_REQUESTS
    seconds = max(LIMITED_S, ANSWERS * profile.latency_s * pack_factor(pack))
    return math.ceil(profile.rpm / 60 * seconds)


def steady_posters_per_min(stage: StageFigures) -> float:
    """Posters per minute in a long run: posters per request, retries and fallbacks included, times the
    steady rate of requests."""
    if stage.steady_requests_per_min is None or not stage.requests:
        return stage.posters_per_min
    return stage.steady_requests_per_min * stage.posters / stage.requests


def use(stage: StageFigures) -> float | None:
    """Share of the closer limit used at the steady rate; None without a limit or a rate."""
    steady = stage.steady_requests_per_min
    requests = steady / stage.rpm if steady is not None and stage.rpm else None
    uses = [use for use in (requests, stage.token_use) if use is not None]
    return max(uses, default=None)


def baseline(bench: Bench) -> StageFigures:
    """The stage with the smallest pack, which the others are compared with."""
    return min(bench.stages, key=lambda stage: stage.pack)


def speed_up(bench: Bench, stage: StageFigures) -> float:
    """Rate of the stage over the rate of the baseline."""
    base = steady_posters_per_min(baseline(bench))
    return steady_posters_per_min(stage) / base if base > 0 else 0.0


def ceiling(stage: StageFigures) -> int | None:
    """Posters per minute if every request that the limit allows has a full pack; None without a limit."""
    return stage.rpm * stage.pack if stage.rpm else None


def explain(bench: Bench) -> tuple[str, ...]:
    """Describe the gain of packs, the stages that stayed below their ceiling, and errors."""
    best = max(bench.stages, key=steady_posters_per_min)
    return (*_gain(bench, best), *_shortfalls(bench), *problems(bench, best), CAVEAT)


def _gain(bench: Bench, best: StageFigures) -> Iterator[str]:
    base = baseline(bench)
    rate = f"{_pack_label(best.pack)}: {steady_posters_per_min(best):,.0f} posters a minute"
    if best is base:
        yield f"{rate}; no larger pack was faster."
    else:
        each = f"{steady_posters_per_min(base):,.0f} of {_pack_label(base.pack)}"
        yield f"{rate}, {speed_up(bench, best):.1f} times the {each}."


def _shortfalls(bench: Bench) -> Iterator[str]:
    for stage in bench.stages:
        most, used = ceiling(stage), use(stage)
        if most is None or used is None or (got := steady_posters_per_min(stage) / most) >= REACHED:
            continue
        held = "" if used >= AT_THE_LIMIT else f" (limited by {find_bottleneck(stage)})"
        more = max(0, stage.requests - math.ceil(stage.posters / stage.pack))
        yield (
            f"{_pack_label(stage.pack)}: {got:.0%} of {stage.pack} x {stage.rpm:,} a minute. "
            f"{used:.0%} of the limit was used{held}; {more:,} of {stage.requests:,} requests were "
            "fallbacks, retries, or packs that were not full."
        )


def _pack_label(pack: int) -> str:
    return f"{pack} posters a request" if pack > 1 else "1 poster a request"
