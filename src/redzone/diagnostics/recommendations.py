"""From a run's figures to what is worth telling whoever runs it."""

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
    refusals,
    second_looks,
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
    """What the figures of a run suggest, the most urgent first; nothing while they are few.

    With a `history`, earlier snapshots in order, times and requests are counted since the first one of the
    same process; else since the process began.
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
        second_looks(snapshot.requests - snapshot.rate.rejected, _asked(snapshot) + len(snapshot.lanes)),
        _cache(snapshot),
    )
    return tuple(advice for advice in found if advice is not None)


def _load(snapshot: Snapshot, window: Window) -> Load:
    """Time and processors in the window; the use of the limits over the last minute."""
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
    # before a minute has passed, only a part of it can be used
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
            # a burst that uses up a minute's worth sooner has reached the limit as well
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
        f"The server asked for a pause, {held_s:,.0f} s of it are left",
        f"nothing is sent until then; {REQUESTS_SETTING} below the limit avoids it",
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
        f"${snapshot.cost_usd:,.4f} of ${budget_usd:,.4f} is spent and {left:,} posters are left",
        f"all of them will cost about ${whole_usd:,.4f}; raise --max-cost",
    )


def _speed(snapshot: Snapshot, window: Window) -> Advice | None:
    if not window.enough:
        return None
    load = _load(snapshot, window)
    topic = find_bottleneck(load)
    hands_free = window.busy_s < BUSY * snapshot.workers * window.seconds
    # workers without a poster are not too few; and of refusals there is an advice of its own
    unsaid = topic in (Topic.POSTERS, Topic.REJECTIONS)
    if unsaid or (hands_free and topic in (Topic.IMAGES, Topic.MODEL, Topic.WORKERS)):
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
        f"Workers waited {pct(turn, 1.0)} of the time for their turn at the image servers",
        "raise REDZONE_IMAGES_PER_S, or leave it unset",
    )


def _rejections(snapshot: Snapshot, window: Window) -> Advice | None:
    if window.rejected < FEW or window.rejected < MANY_REJECTED * window.requests:
        return None
    return refusals(_load(snapshot, window))


def _errors(snapshot: Snapshot) -> Advice | None:
    """About the most frequent kind, where it is more than chance."""
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
    model = (
        "ask another model (--provider openai)" if snapshot.facts.local else "name a REDZONE_FALLBACK_MODEL"
    )
    return Advice(
        Topic.UNSURE,
        f"{snapshot.unsure:,} of {judged:,} verdicts ({pct(snapshot.unsure, judged)}) are unsure",
        f"{model}, or judge them by eye, lowest confidence first",
    )


def _cache(snapshot: Snapshot) -> Advice | None:
    asked = _asked(snapshot)
    if snapshot.facts.cache_on or asked < ENOUGH_POSTERS or snapshot.facts.local:
        return None
    return Advice(
        Topic.CACHE,
        f"{asked:,} posters were asked about for ${snapshot.cost_usd:,.4f}, and the cache is off",
        "the next run pays for them again; set ENABLE_ANALYSIS_CACHE",
    )


def _asked(snapshot: Snapshot) -> int:
    return max(0, snapshot.worked - snapshot.cached - snapshot.duplicates)


HINTS: dict[ErrorCode, str] = {
    ErrorCode.INPUT: "correct these rows in the input; each message names its row",
    ErrorCode.FETCH_TIMEOUT: "the image server is slow: resume with --retry-errors, or allow more time",
    ErrorCode.FETCH_NETWORK: "check the connection and the host name, then resume with --retry-errors",
    ErrorCode.FETCH_MISSING: "the file is not there: paths are relative to the input file",
    ErrorCode.FETCH_BLOCKED: "the address is not a public one; only public hosts are fetched from",
    ErrorCode.FETCH_HTTP_401: "the image server wants a login: use addresses that need none",
    ErrorCode.FETCH_HTTP_403: "the image server refuses: a signed address may have expired",
    ErrorCode.FETCH_HTTP_404: "the image is gone: correct the address in the input",
    ErrorCode.FETCH_HTTP_410: "the image was withdrawn: remove the row or give it a new address",
    ErrorCode.FETCH_HTTP_429: "the image server wants fewer requests: resume later with fewer workers",
    ErrorCode.FETCH_HTTP_4XX: "the image server refuses the request: open one address in a browser",
    ErrorCode.FETCH_HTTP_5XX: "the image server failed: resume later with --retry-errors",
    ErrorCode.IMAGE_UNREADABLE: "the bytes are no picture: open one address in a browser",
    ErrorCode.IMAGE_TOO_LARGE: "give addresses of smaller pictures, or raise the limit in the settings",
    ErrorCode.MODEL_TIMEOUT: "the model was slow: resume with --retry-errors, or allow more time",
    ErrorCode.MODEL_REFUSED: "the model declined to look: judge these posters by eye, or try another model",
    ErrorCode.MODEL_UNREADABLE: "the answers cannot be read: raise REDZONE_MAX_OUTPUT_TOKENS where they were "
    "cut off, check --base-url where a web page came, else try another model",
    ErrorCode.MODEL_UNAVAILABLE: "the model's servers failed: resume later with --retry-errors",
    ErrorCode.MODEL_REJECTED: "the server refused these requests: each message has its words",
    ErrorCode.DEADLINE: "a poster took too long: resume with --retry-errors, or raise the deadline",
    ErrorCode.BUDGET: "the budget was spent: resume with a higher one",
    ErrorCode.INTERNAL: "a fault in redzone: the run's log has the details",
}
