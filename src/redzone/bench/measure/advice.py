"""What holds a stage back, and what to do about it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from redzone.bench.measure.result_file import Bench, StageFigures
from redzone.diagnostics import Topic, bottleneck
from redzone.diagnostics.bottleneck import BURST, Limit, Load, retries


def find_bottleneck(stage: StageFigures) -> Topic:
    """What the stage would be faster without."""
    return bottleneck.find_bottleneck(_load(stage))


def advise(bench: Bench) -> tuple[str, ...]:
    """A line about the fastest stage, and one about errors and repeated requests where there are many."""
    stage = bench.fastest
    said = [str(bottleneck.explain_bottleneck(_load(stage)))]
    for unit, use in (("requests", stage.request_use), ("tokens", stage.token_use)):
        if use is not None and use > BURST:
            said.append(
                f"The server let a burst of {unit} pass, {use:.0%} of its limit: a longer run gets 100%."
            )
    said += troubles(bench, stage)
    again = retries(stage.requests, stage.posters)
    return (*said, str(again)) if again else tuple(said)


def troubles(bench: Bench, stage: StageFigures) -> Iterator[str]:
    """A sentence about the stage's errors and one about all answers 429, where there are any."""
    if stage.errors:
        yield (
            f"{stage.errors:,} of {stage.posters:,} posters ended in error; "
            "`resume --retry-errors` asks again."
        )
    wasted = sum(each.rejected for each in bench.stages)
    if wasted:
        were = "request was" if wasted == 1 else "requests were"
        yield f"{wasted:,} {were} answered 429; each counted against the limit."


def _load(stage: StageFigures) -> Load:
    uses = (
        (Topic.REQUESTS, stage.rpm, stage.request_use),
        (Topic.TOKENS, stage.tpm, stage.token_use),
    )
    return Load(
        workers=stage.workers,
        posters=stage.posters,
        posters_per_min=stage.posters_per_min,
        total_s=stage.shares.total_s,
        fetch_s=stage.shares.fetch_s,
        wait_s=stage.shares.wait_s,
        model_s=stage.shares.model_s,
        limits=tuple(Limit(topic, most or 0, use) for topic, most, use in uses if use is not None),
        requests=stage.requests,
        rejected=stage.rejected,
        seconds=stage.seconds,
        cpu_share=stage.cpu_share,
        cpu_ms=stage.cpu_ms_per_poster or 0.0,
    )
