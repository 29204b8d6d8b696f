"""Turns the figures of a run into advice for the user."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from redzone.diagnostics.bottleneck import (
    AT_THE_LIMIT,
    BUSY,
    DELAY_SETTING,
    FEW,
    REQUESTS_SETTING,
    TOKENS_SETTING,
    Advice,
    Limit,
    Load,
    Topic,
    explain_bottleneck,
    find_bottleneck,
    pct,
    rejections,
    retries,
)
from redzone.diagnostics.window import ENOUGH_POSTERS, Window
from redzone.errors import ErrorCode
from redzone.telemetry.metrics import RATE_WINDOW_S, RateFigures, Snapshot, Stage

MANY_ERRORS = 0.05
MANY_UNSURE = 0.1
MANY_REJECTED = 0.02
LONG_HOLD_S = 2.0
LONG_TURN = 0.3


def recommendations(snapshot: Snapshot, history: Sequence[Snapshot] = ()) -> tuple[Advice, ...]:
    """Advice for a run, the most urgent first; empty while there are too few figures.

    With a `history` (earlier snapshots, oldest first), times and requests count from the first snapshot of
    the same process; without one, from the start of the process.
    """
    window = Window.before(snapshot, history)
    found = (
        _held(snapshot),
        _budget(snapshot),
        _speed(snapshot, window),
        _turns(window),
        _rejections(snapshot, window),
        _errors(snapshot),
        _unsure(snapshot),
        retries(snapshot.requests - snapshot.rate.rejected, _asked(snapshot) + len(snapshot.lanes)),
        _cache(snapshot),
    )
    return tuple(advice for advice in found if advice is not None)


def _load(snapshot: Snapshot, window: Window) -> Load:
    """Times and CPU of the window; the use of the limits over the last minute."""
    posters = max(1, window.posters)
    each = {stage: spent_s / posters for stage, spent_s in window.stage_s.items()}
    seconds = max(1e-3, window.seconds)
    cpus = max(1, snapshot.facts.cpus) if snapshot.facts.local else 1
    return Load(
        workers=snapshot.workers,
        posters=window.posters,
        posters_per_min=60 * posters / seconds,
        total_s=window.busy_s / posters,
        fetch_s=each.get(Stage.FETCH, 0.0),
        wait_s=each.get(Stage.WAIT, 0.0),
        model_s=each.get(Stage.MODEL, 0.0),
        limits=tuple(_limits(snapshot)),
        requests=window.requests,
        rejected=window.rejected,
        seconds=seconds,
        cpu_share=window.cpu_s / (seconds * cpus),
        cpu_ms=1000 * window.cpu_s / posters,
        cpus=cpus,
        local=snapshot.facts.local,
        pack=snapshot.facts.pack,
    )


def _limits(snapshot: Snapshot) -> Iterator[Limit]:
    rate, delay_ms = snapshot.rate, snapshot.facts.delay_ms
    # in the first minute only a part of the limit can be used
    minutes = min(RATE_WINDOW_S, snapshot.elapsed_s) / 60
    bounds = [
        (Topic.REQUESTS, rate.requests_limit_per_min, _own_requests(rate)),
        (Topic.TOKENS, rate.tokens_limit_per_min, _own_tokens(rate)),
        (Topic.REQUESTS, 60_000 / delay_ms if delay_ms > 0 else None, DELAY_SETTING),
    ]
    for topic, per_min, setting in bounds:
        used = rate.tokens_last_min if topic is Topic.TOKENS else rate.requests_last_min
        if per_min is not None and per_min * minutes > 0:
            use = used / per_min
            # a burst that uses a whole minute's allowance early has reached the limit, too
            yield Limit(topic, per_min, use if use >= AT_THE_LIMIT else use / minutes, setting)


def _own_requests(rate: RateFigures) -> str:
    return "" if rate.requests_limit_per_min == rate.requests_announced_per_min else REQUESTS_SETTING


def _own_tokens(rate: RateFigures) -> str:
    return "" if rate.tokens_limit_per_min == rate.tokens_announced_per_min else TOKENS_SETTING


def _held(snapshot: Snapshot) -> Advice | None:
    held_s = snapshot.rate.held_for_s
    if held_s < LONG_HOLD_S or snapshot.done >= snapshot.rows:
        return None
    return Advice(
        Topic.HELD,
        f"The server asked for a pause; {held_s:,.0f} s are left",
        f"no requests are sent until then; set {REQUESTS_SETTING} below the limit to avoid this",
    )


def _budget(snapshot: Snapshot) -> Advice | None:
    budget_usd, left = snapshot.facts.budget_usd, snapshot.rows - snapshot.done
    if budget_usd is None or left <= 0 or snapshot.done < ENOUGH_POSTERS:
        return None
    whole_usd = snapshot.cost_usd / snapshot.done * snapshot.rows
    if not whole_usd > budget_usd:
        return None
    return Advice(
        Topic.BUDGET,
        f"${snapshot.cost_usd:,.4f} of ${budget_usd:,.4f} is spent, and {left:,} posters are left",
        f"all of them will cost about ${whole_usd:,.4f}; raise --max-cost",
    )


def _speed(snapshot: Snapshot, window: Window) -> Advice | None:
    if not window.enough:
        return None
    load = _load(snapshot, window)
    topic = find_bottleneck(load)
    idle = window.busy_s < BUSY * snapshot.workers * window.seconds
    # idle workers are not too few; rejections have an advice of their own
    skipped = topic in (Topic.POSTERS, Topic.REJECTIONS)
    if skipped or (idle and topic in (Topic.IMAGES, Topic.MODEL, Topic.WORKERS)):
        return None
    return explain_bottleneck(load)


def _turns(window: Window) -> Advice | None:
    if not window.enough:
        return None
    turn = window.share(Stage.READ)
    if turn < LONG_TURN:
        return None
    return Advice(
        Topic.IMAGES,
        f"Workers waited {pct(turn, 1.0)} of the time for the download limit",
        "raise REDZONE_IMAGES_PER_S, or leave it unset",
    )


def _rejections(snapshot: Snapshot, window: Window) -> Advice | None:
    if window.rejected < FEW or window.rejected < MANY_REJECTED * window.requests:
        return None
    return rejections(_load(snapshot, window))


def _errors(snapshot: Snapshot) -> Advice | None:
    """The most frequent kind of error, if it is more than chance."""
    code, count = max(snapshot.errors_by_code.items(), key=lambda item: item[1], default=("", 0))
    if count < FEW or count < MANY_ERRORS * snapshot.worked:
        return None
    known = code in set(ErrorCode)
    cause, colon, remedy = HINTS[ErrorCode(code)].partition(": ") if known else ("", "", "see the run's log")
    why = f" ({cause})" if colon else ""
    share = pct(min(count, snapshot.worked), snapshot.worked)
    return Advice(
        Topic.ERRORS,
        f"{count:,} of {snapshot.worked:,} posters ({share}) ended in {code}{why}",
        remedy or cause,
    )


def _unsure(snapshot: Snapshot) -> Advice | None:
    judged = snapshot.passed + snapshot.failed + snapshot.unsure
    if snapshot.unsure < FEW or snapshot.unsure < MANY_UNSURE * judged:
        return None
    model = "try another model (--provider openai)" if snapshot.facts.local else "set REDZONE_FALLBACK_MODEL"
    return Advice(
        Topic.UNSURE,
        f"{snapshot.unsure:,} of {judged:,} verdicts ({pct(snapshot.unsure, judged)}) are unsure",
        f"{model}, or review them by hand, lowest confidence first",
    )


def _cache(snapshot: Snapshot) -> Advice | None:
    asked = _asked(snapshot)
    if snapshot.facts.cache_on or asked < ENOUGH_POSTERS or snapshot.facts.local:
        return None
    price = f" for ${snapshot.cost_usd:,.4f}" if snapshot.known_cost_usd is not None else ""
    return Advice(
        Topic.CACHE,
        f"{asked:,} posters were sent to the model{price}, and the cache is off",
        "the next run pays for them again; set ENABLE_ANALYSIS_CACHE",
    )


def _asked(snapshot: Snapshot) -> int:
    return max(0, snapshot.worked - snapshot.cached - snapshot.duplicates)


HINTS: dict[ErrorCode, str] = {
    ErrorCode.INPUT: "fix these rows in the input; each message names its row",
    ErrorCode.FETCH_TIMEOUT: "the image server is slow: retry later, or raise REDZONE_FETCH_TIMEOUT_S",
    ErrorCode.FETCH_NETWORK: "check the network and the host name, then resume with --retry-errors",
    ErrorCode.FETCH_MISSING: "the file does not exist: paths are relative to the input file",
    ErrorCode.FETCH_BLOCKED: "the address is not public: use --allow-private-hosts if you trust it",
    ErrorCode.FETCH_HTTP_401: "the image server requires a login: use addresses that need none",
    ErrorCode.FETCH_HTTP_403: "the image server denied access: check whether a signed address has expired",
    ErrorCode.FETCH_HTTP_404: "the image does not exist: fix the address in the input",
    ErrorCode.FETCH_HTTP_410: "the image was removed: delete the row or give it a new address",
    ErrorCode.FETCH_HTTP_429: "the image server limits requests: set REDZONE_IMAGES_PER_S, then resume",
    ErrorCode.FETCH_HTTP_4XX: "the image server rejected the request: open one of the addresses in a browser",
    ErrorCode.FETCH_HTTP_5XX: "the image server failed: resume later with --retry-errors",
    ErrorCode.IMAGE_UNREADABLE: "the file is not a readable image: open one of the addresses in a browser",
    ErrorCode.IMAGE_TOO_LARGE: "use smaller images, or raise the size limits in the settings",
    ErrorCode.MODEL_TIMEOUT: "the model was slow: retry later, or raise REDZONE_MODEL_TIMEOUT_S",
    ErrorCode.MODEL_REFUSED: "the model refused to answer: review these posters, or try another model",
    ErrorCode.MODEL_UNREADABLE: "if they are cut off, raise REDZONE_MAX_OUTPUT_TOKENS; else check --base-url",
    ErrorCode.MODEL_UNAVAILABLE: "the model's servers failed: resume later with --retry-errors",
    ErrorCode.MODEL_REJECTED: "the API rejected the request: check the model's name and the settings",
    ErrorCode.DEADLINE: "a poster took too long: resume with --retry-errors, or raise --deadline",
    ErrorCode.BUDGET: "the budget is used up: resume with a higher --max-cost",
    ErrorCode.INTERNAL: "an error in redzone: see the run's log for details",
}
