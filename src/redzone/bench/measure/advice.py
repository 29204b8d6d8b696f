"""Finds the bottleneck of a stage and recommends what to change. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from redzone.bench.measure.result_file import Bench, StageFigures
from redzone.diagnostics import Topic, bottleneck
from redzone.diagnostics.bottleneck import BURST, Limit, Load, retries


def find_bottleneck(stage: StageFigures) -> Topic:
    """Return what limits the stage's rate."""
    return bottleneck.find_bottleneck(_load(stage))


def advise(bench: Bench) -> tuple[str, ...]:
    """Explain the fastest stage, its errors, rejected requests and repeated requests."""
    stage = bench.fastest
    lines = [str(bottleneck.explain_bottleneck(_load(stage)))]
    for unit, use in (("requests", stage.request_use), ("tokens", stage.token_use)):
        if use is not None and use > BURST:
            lines.append(
                f"The server allowed a burst of {unit}, {use:.0%} of its limit; a longer run gets 100%."
            )
    lines += problems(bench, stage)
    again = retries(stage.requests, stage.posters)
    return (*lines, str(again)) if again else tuple(lines)


def problems(bench: Bench, stage: StageFigures) -> Iterator[str]:
    """Describe the errors of the stage and the 429 responses of all stages, if any."""
    if stage.errors:
        yield (
            f"{stage.errors:,} of {stage.posters:,} posters ended in error; "
            "`resume --retry-errors` retries them."
        )
    wasted = sum(each.rejected for each in bench.stages)
    if wasted:
        requests = "request" if wasted == 1 else "requests"
        yield f"{wasted:,} {requests} got a 429 response; each counted against the limit."


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
