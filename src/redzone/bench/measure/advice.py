"""What holds a stage back, and what to do about it. Pure."""

from __future__ import annotations

import math
from enum import StrEnum

from redzone.bench.measure.saved import BURST, Bench, StageFigures

AT_THE_LIMIT = 0.85
BUSY = 0.8
HEADROOM = 1.3
FAULTY = 1.15
ROUNDS = 2  # with fewer posters for each worker, the slowest answer decides


class Brake(StrEnum):
    """What a stage would be faster without."""

    REQUESTS = "request limit"
    TOKENS = "token limit"
    CPU = "processor"
    NETWORK = "network"
    WORKERS = "workers"
    REJECTIONS = "answers 429"
    POSTERS = "few posters"


def brake_of(stage: StageFigures) -> Brake:
    """The first of these that holds: a limit used to 85 % and not burst through, a processor busy to 80 %,
    more waiting than work (after answers 429, or because the stage was over before its careful start), fewer
    than two posters for each worker, more time downloading than asking; else the workers, all busy."""
    use = stage.limit_use or 0.0
    if AT_THE_LIMIT <= use <= BURST:
        return Brake.REQUESTS if use == stage.request_use else Brake.TOKENS
    if stage.cpu_share >= BUSY:
        return Brake.CPU
    waiting = stage.shares.wait_s > stage.shares.working_s
    if waiting and stage.rejected:
        return Brake.REJECTIONS
    if waiting or stage.posters < ROUNDS * stage.workers:
        return Brake.POSTERS
    if stage.shares.fetch_s > stage.shares.model_s:
        return Brake.NETWORK
    return Brake.WORKERS


def advise(bench: Bench) -> tuple[str, ...]:
    """A line about the fastest stage, and one about errors and repeated requests where there are many."""
    stage = bench.fastest
    said = [_ADVICE[brake_of(stage)](stage)]
    for unit, use in (("requests", stage.request_use), ("tokens", stage.token_use)):
        if use is not None and use > BURST:
            said.append(
                f"The server let a burst of {unit} pass, {use:.0%} of its limit: a longer run gets 100%."
            )
    if stage.errors:
        said.append(
            f"{stage.errors:,} of {stage.posters:,} posters ended in error; "
            "`resume --retry-errors` asks again."
        )
    wasted = sum(each.rejected for each in bench.stages)
    if wasted:
        said.append(
            f"{wasted:,} requests were answered 429, and every one of them counted against the limit."
        )
    if stage.requests > FAULTY * stage.posters:
        more = stage.requests - stage.posters
        said.append(
            f"{more:,} of {stage.requests:,} requests were a second look: retries and unsure answers."
        )
    return tuple(said)


def _requests(stage: StageFigures) -> str:
    return _limit(stage, stage.request_use or 0.0, stage.rpm or 0, "requests")


def _tokens(stage: StageFigures) -> str:
    return _limit(stage, stage.token_use or 0.0, stage.tpm or 0, "tokens")


def _limit(stage: StageFigures, use: float, limit: int, unit: str) -> str:
    head = f"The rate limit holds it back: {use:.0%} of {limit:,} {unit} a minute is used"
    in_hand = math.ceil(stage.posters_per_min / 60 * stage.shares.working_s)
    enough = "1 poster in hand is enough" if in_hand == 1 else f"{in_hand} posters in hand are enough"
    return f"{head}. {enough} for it: a higher limit helps, more workers do not."


def _cpu(stage: StageFigures) -> str:
    return (
        f"The processor holds it back: one is {min(1.0, stage.cpu_share):.0%} busy at "
        f"{stage.cpu_ms_per_poster or 0:.1f} ms a poster. Split the input over several processes."
    )


def _network(stage: StageFigures) -> str:
    shares = stage.shares
    return (
        f"The network holds it back: a poster takes {shares.fetch_s:.2f} s to download and "
        f"{shares.model_s:.2f} s to judge. More workers wait at once: try --workers {2 * stage.workers}."
    )


def _workers(stage: StageFigures) -> str:
    more = 2 * stage.workers
    if stage.rpm:
        more = math.ceil(stage.rpm / 60 * stage.shares.working_s * HEADROOM)
    left = 1 - stage.limit_use if stage.limit_use is not None else 0.0
    unused = f", and {left:.0%} of the limit is left" if left > 0 else ""
    return (
        f"The workers hold it back: {stage.workers} posters in hand, {stage.shares.total_s:.2f} s each"
        f"{unused}. Try --workers {max(more, stage.workers + 1)}."
    )


def _rejections(stage: StageFigures) -> str:
    return (
        f"Answers 429 hold it back: {stage.rejected:,} of them held every worker for as long as the server "
        f"asked, {stage.shares.wait_s:.2f} s of a poster's {stage.shares.total_s:.2f} s."
    )


def _posters(stage: StageFigures) -> str:
    return (
        f"{stage.posters:,} posters are few for {stage.workers} workers: the careful start, before the first "
        "answers, and the slowest answer decide. Try --posters with a larger number."
    )


_ADVICE = {
    Brake.REQUESTS: _requests,
    Brake.TOKENS: _tokens,
    Brake.CPU: _cpu,
    Brake.NETWORK: _network,
    Brake.WORKERS: _workers,
    Brake.REJECTIONS: _rejections,
    Brake.POSTERS: _posters,
}
