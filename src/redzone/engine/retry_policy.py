"""Which attempt comes next: a pure function of the attempts so far.

The rungs: the same question again after a transient fault; alone what was asked about in a pack; a simpler
question after an unreadable answer; the whole poster instead of the crop after a refusal or an unsure answer;
then the fallback model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from redzone.errors import ErrorCode, ModelFault, Retry
from redzone.models import ViewKind, Wording

TRANSIENT_REPEATS = 3
RATE_LIMIT_REPEATS = 20  # a server that rejects a poster's request this often is not limiting, it is down
BACKOFF_FIRST_S = 0.5
BACKOFF_MOST_S = 20.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request to make: what to show, how to ask, whom, and after how many seconds. `packed`: together
    with the questions of other posters."""

    view: ViewKind
    wording: Wording
    model: str
    delay_s: float = 0.0
    packed: bool = False

    @property
    def strategy(self) -> str:
        """The rung's name in an outcome, such as `crop/full` or `crop/full/packed`."""
        return f"{self.view}/{self.wording}{'/packed' if self.packed else ''}"


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """An attempt and what came of it: a fault, or verdicts that were too unsure (`fault` None)."""

    attempt: Attempt
    fault: ModelFault | None


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No rung is left."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The views in the order in which they are tried, the models likewise, and the most attempts.

    Attempts that the rate limit rejected do not count towards `max_attempts`. With `packed` a poster is asked
    about together with others; after any fault of that which does not pass, it is asked about alone.
    """

    views: tuple[ViewKind, ...]
    models: tuple[str, ...]
    max_attempts: int = 6
    packed: bool = False


def next_attempt(history: Sequence[AttemptResult], options: RetryPolicy, jitter: float) -> Attempt | GiveUp:
    """The next rung. `jitter` is a random number in 0..1 that spreads the back-off (full jitter)."""
    if not history:
        return Attempt(options.views[0], Wording.FULL, options.models[0], packed=options.packed)
    last = history[-1]
    counted = sum(1 for tried in history if not _rate_limited(tried))
    if counted >= options.max_attempts or len(history) - counted > RATE_LIMIT_REPEATS:
        return GiveUp()
    if _rate_limited(last):
        return _again(last.attempt, 0.0)  # the limiter knows how long
    if last.fault is not None and last.fault.retry is Retry.TRANSIENT:
        repeats = _same_in_a_row(history)
        if repeats <= TRANSIENT_REPEATS:
            return _again(last.attempt, jitter * min(BACKOFF_MOST_S, BACKOFF_FIRST_S * 2.0 ** (repeats - 1)))
        return _fallback(last.attempt, options)
    if last.fault is not None and last.attempt.packed:
        return replace(last.attempt, packed=False, delay_s=0.0)
    if last.fault is not None and last.fault.code in (ErrorCode.MODEL_UNREADABLE, ErrorCode.MODEL_REJECTED):
        if last.attempt.wording is Wording.FULL:
            return Attempt(last.attempt.view, Wording.SIMPLE, last.attempt.model)
        return _fallback(last.attempt, options)
    step = _wider(last.attempt, options)
    # a second look, too, goes out with others: every one of them alone would cost a request that shows many
    return replace(step, packed=last.attempt.packed) if isinstance(step, Attempt) else step


def _rate_limited(tried: AttemptResult) -> bool:
    return tried.fault is not None and tried.fault.retry is Retry.RATE_LIMIT


def _again(attempt: Attempt, delay_s: float) -> Attempt:
    return replace(attempt, delay_s=delay_s)


def _same_in_a_row(history: Sequence[AttemptResult]) -> int:
    """How often the last rung has met a transient fault without another rung between."""
    last = history[-1].attempt
    count = 0
    for tried in reversed(history):
        if (tried.attempt.strategy, tried.attempt.model) != (last.strategy, last.model):
            break
        count += not _rate_limited(tried)
    return count


def _wider(attempt: Attempt, options: RetryPolicy) -> Attempt | GiveUp:
    """After a refusal or an unsure answer: the next view, then the next model."""
    position = options.views.index(attempt.view) + 1
    if position < len(options.views):
        return Attempt(options.views[position], Wording.FULL, attempt.model)
    return _fallback(attempt, options)


def _fallback(attempt: Attempt, options: RetryPolicy) -> Attempt | GiveUp:
    position = options.models.index(attempt.model) + 1
    if position < len(options.models):
        return Attempt(options.views[0], Wording.FULL, options.models[position])
    return GiveUp()
