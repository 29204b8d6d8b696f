"""Which attempt comes next: a pure function of the attempts so far.

The steps: the same question again after a transient fault or a first rejection; alone after a fault of a
pack; a simpler question after an unreadable answer; the whole poster instead of the crop after a refusal or
an unsure answer; then the fallback model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from redzone.errors import ErrorCode, ModelFault, Retry
from redzone.models import ViewKind, Wording

TRANSIENT_REPEATS = 3
RATE_LIMIT_REPEATS = 20  # a server that rejects a poster's request this often is not limiting, it is down
ADAPTED_REPEATS = 12  # the APIs and parameters that a server may not accept
BACKOFF_FIRST_S = 0.5
BACKOFF_MOST_S = 20.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request to make: the view, the wording, the model, and the seconds to wait before it. `packed`:
    together with the questions of other posters."""

    view: ViewKind
    wording: Wording
    model: str
    delay_s: float = 0.0
    packed: bool = False

    @property
    def strategy(self) -> str:
        """The step's name in an outcome, such as `crop/full` or `crop/full/packed`."""
        return f"{self.view}/{self.wording}{'/packed' if self.packed else ''}"


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """An attempt and its result: a fault, or verdicts that were too unsure (`fault` None)."""

    attempt: Attempt
    fault: ModelFault | None


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No step is left."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The views in the order in which they are tried, the models likewise, and the most attempts.

    Attempts that the rate limit rejected, or that the server made us ask in another way, do not count
    towards `max_attempts`. With `packed` a poster is asked about together with others; after any fault that
    is not transient, it is asked about alone.
    """

    views: tuple[ViewKind, ...]
    models: tuple[str, ...]
    max_attempts: int = 6
    packed: bool = False


def next_attempt(history: Sequence[AttemptResult], policy: RetryPolicy, jitter: float) -> Attempt | GiveUp:
    """The next step. `jitter` is a random number in 0..1 that spreads the back-off (full jitter)."""
    if not history:
        return Attempt(policy.views[0], Wording.FULL, policy.models[0], packed=policy.packed)
    if _is_exhausted(history, policy):
        return GiveUp()
    last = history[-1]
    if not _counts(last):
        return replace(last.attempt, delay_s=0.0)  # the limiter knows how long to wait
    if last.fault is None:
        # second looks share requests, too: alone, each would cost a request that could show many
        return _wider(last.attempt, policy, packed=last.attempt.packed)
    if last.fault.retry is Retry.TRANSIENT:
        return _after_transient(history, last.fault, policy, jitter)
    if last.attempt.packed:
        return replace(last.attempt, packed=False, delay_s=0.0)
    if last.fault.code is ErrorCode.MODEL_REJECTED and _is_first_rejection(history):
        return replace(last.attempt, delay_s=0.0)  # a stray 400: the question is not the trouble yet
    if last.fault.code in (ErrorCode.MODEL_UNREADABLE, ErrorCode.MODEL_REJECTED):
        if last.attempt.wording is Wording.FULL:
            return Attempt(last.attempt.view, Wording.SIMPLE, last.attempt.model)
        return _fallback(last.attempt, policy)
    return _wider(last.attempt, policy, packed=False)


def models_exhausted(history: Sequence[AttemptResult], policy: RetryPolicy) -> tuple[str, ...]:
    """The models that have answered about every view; asking them again would bring nothing new."""
    answered = {
        (tried.attempt.model, tried.attempt.view)
        for tried in history
        if tried.fault is None or tried.fault.code is ErrorCode.MODEL_REFUSED
    }
    return tuple(model for model in policy.models if all((model, view) in answered for view in policy.views))


def _is_exhausted(history: Sequence[AttemptResult], policy: RetryPolicy) -> bool:
    counted = sum(_counts(tried) for tried in history)
    rate_limited = sum(tried.fault is not None and tried.fault.retry is Retry.RATE_LIMIT for tried in history)
    adapted = len(history) - counted - rate_limited
    return counted >= policy.max_attempts or rate_limited > RATE_LIMIT_REPEATS or adapted > ADAPTED_REPEATS


def _counts(tried: AttemptResult) -> bool:
    return tried.fault is None or tried.fault.retry not in (Retry.RATE_LIMIT, Retry.ADAPTED)


def _after_transient(
    history: Sequence[AttemptResult], fault: ModelFault, policy: RetryPolicy, jitter: float
) -> Attempt | GiveUp:
    """The same again after a growing delay, or the one that the server asks for; then the next model."""
    last = history[-1].attempt
    repeats = _same_in_a_row(history)
    if repeats > TRANSIENT_REPEATS:
        return _fallback(last, policy)
    backoff_s = jitter * min(BACKOFF_MOST_S, BACKOFF_FIRST_S * 2.0 ** (repeats - 1))
    return replace(last, delay_s=max(backoff_s, fault.retry_after_s or 0.0))


def _same_in_a_row(history: Sequence[AttemptResult]) -> int:
    """How often the last step has been tried without another one between, rate limits not counted."""
    last = history[-1].attempt
    count = 0
    for tried in reversed(history):
        if (tried.attempt.strategy, tried.attempt.model) != (last.strategy, last.model):
            break
        count += _counts(tried)
    return count


def _is_first_rejection(history: Sequence[AttemptResult]) -> bool:
    """Whether the poster's full question has been rejected once only."""
    rejected = [
        tried
        for tried in history
        if tried.fault and tried.fault.code is ErrorCode.MODEL_REJECTED and tried.fault.retry is Retry.NO
    ]
    return len(rejected) == 1 and rejected[0].attempt.wording is Wording.FULL


def _wider(attempt: Attempt, policy: RetryPolicy, *, packed: bool) -> Attempt | GiveUp:
    """After a refusal or an unsure answer: the next view, then the next model."""
    position = policy.views.index(attempt.view) + 1
    if position < len(policy.views):
        return Attempt(policy.views[position], Wording.FULL, attempt.model, packed=packed)
    step = _fallback(attempt, policy)
    return replace(step, packed=packed) if isinstance(step, Attempt) else step


def _fallback(attempt: Attempt, policy: RetryPolicy) -> Attempt | GiveUp:
    position = policy.models.index(attempt.model) + 1
    if position < len(policy.models):
        return Attempt(policy.views[0], Wording.FULL, policy.models[position])
    return GiveUp()
