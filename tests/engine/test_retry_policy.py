"""The retry policy, step by step."""

from __future__ import annotations

import pytest

from redzone.engine.retry_policy import (
    ADAPTED_REPEATS,
    BACKOFF_FIRST_S,
    BACKOFF_MOST_S,
    RATE_LIMIT_REPEATS,
    TRANSIENT_REPEATS,
    Attempt,
    AttemptResult,
    GiveUp,
    RetryPolicy,
    models_exhausted,
    next_attempt,
)
from redzone.errors import ErrorCode, ModelFault, Retry
from redzone.models import ViewKind, Wording

CROP, POSTER = ViewKind.CROP, ViewKind.POSTER
FULL, SIMPLE = Wording.FULL, Wording.SIMPLE
OPTIONS = RetryPolicy((CROP, POSTER), ("first", "second"), max_attempts=20)
ONE_STEP = RetryPolicy((CROP,), ("only",), max_attempts=20)

REFUSED = ModelFault(ErrorCode.MODEL_REFUSED, "no")
UNREADABLE = ModelFault(ErrorCode.MODEL_UNREADABLE, "?")
REJECTED = ModelFault(ErrorCode.MODEL_REJECTED, "HTTP 400")
TRANSIENT = ModelFault(ErrorCode.MODEL_UNAVAILABLE, "HTTP 500", Retry.TRANSIENT)
RATE_LIMITED = ModelFault(ErrorCode.MODEL_UNAVAILABLE, "HTTP 429", Retry.RATE_LIMIT, 1.0)
ADAPTED = ModelFault(ErrorCode.MODEL_UNAVAILABLE, "HTTP 404", Retry.ADAPTED)
UNSURE = None

Step = tuple[ViewKind, Wording, str]


def climb(*results: ModelFault | None, policy: RetryPolicy = OPTIONS) -> list[Step | GiveUp]:
    """The steps that are tried when the attempts end like this, and what comes after the last."""
    history: list[AttemptResult] = []
    steps: list[Step | GiveUp] = []
    for result in results:
        step = next_attempt(history, policy, jitter=1.0)
        assert isinstance(step, Attempt)
        steps.append((step.view, step.wording, step.model))
        history.append(AttemptResult(step, result))
    step = next_attempt(history, policy, jitter=1.0)
    return [*steps, step if isinstance(step, GiveUp) else (step.view, step.wording, step.model)]


def test_the_first_step_is_the_cheapest_view_and_the_full_question() -> None:
    """Without delay, at the first model."""
    assert next_attempt([], OPTIONS, jitter=1.0) == Attempt(CROP, FULL, "first", delay_s=0.0)


def test_a_step_is_named_by_view_and_wording() -> None:
    """The outcome's `strategy`."""
    assert Attempt(POSTER, SIMPLE, "m").strategy == "poster/simple"


@pytest.mark.parametrize("fault", [REFUSED, UNSURE], ids=["refused", "unsure"])
def test_a_refusal_or_a_doubt_is_met_with_a_wider_view_then_with_another_model(
    fault: ModelFault | None,
) -> None:
    """Crop, poster, and the same at the fallback model."""
    assert climb(fault, fault, fault, fault) == [
        (CROP, FULL, "first"),
        (POSTER, FULL, "first"),
        (CROP, FULL, "second"),
        (POSTER, FULL, "second"),
        GiveUp(),
    ]


def test_an_unreadable_answer_is_met_with_a_simpler_question_then_with_another_model() -> None:
    """The picture is not the trouble, so no wider view is paid for."""
    assert climb(UNREADABLE, UNREADABLE, UNREADABLE, UNREADABLE) == [
        (CROP, FULL, "first"),
        (CROP, SIMPLE, "first"),
        (CROP, FULL, "second"),
        (CROP, SIMPLE, "second"),
        GiveUp(),
    ]


def test_a_stray_rejection_repeats_the_full_question_once() -> None:
    """One HTTP 400 says little; a second one leads to the simpler question."""
    assert climb(*[REJECTED] * 5) == [
        (CROP, FULL, "first"),
        (CROP, FULL, "first"),
        (CROP, SIMPLE, "first"),
        (CROP, FULL, "second"),
        (CROP, SIMPLE, "second"),
        GiveUp(),
    ]


def test_an_adapted_request_is_asked_at_once_and_costs_no_attempt() -> None:
    """The server made us ask in another way: no step is used up, within a bound."""
    policy = RetryPolicy((CROP,), ("only",), max_attempts=1)
    assert climb(*[ADAPTED] * 3, policy=policy)[-1] == (CROP, FULL, "only")
    assert climb(*[ADAPTED] * (ADAPTED_REPEATS + 1), policy=policy)[-1] == GiveUp()


def test_a_transient_fault_waits_at_least_as_long_as_the_server_asks() -> None:
    told = ModelFault(ErrorCode.MODEL_UNAVAILABLE, "HTTP 500", Retry.TRANSIENT, 8.0)
    step = next_attempt([AttemptResult(Attempt(CROP, FULL, "only"), told)], ONE_STEP, jitter=0.0)
    assert isinstance(step, Attempt)
    assert step.delay_s == 8.0


def test_a_model_is_exhausted_when_every_view_has_an_answer() -> None:
    """Unsure or refused; a fault on the way leaves something to be asked."""
    crop, poster = Attempt(CROP, FULL, "first"), Attempt(POSTER, FULL, "first")
    assert models_exhausted([AttemptResult(crop, UNSURE)], OPTIONS) == ()
    both = [AttemptResult(crop, UNSURE), AttemptResult(poster, REFUSED)]
    assert models_exhausted(both, OPTIONS) == ("first",)
    lost = [AttemptResult(crop, UNSURE), AttemptResult(poster, TRANSIENT)]
    assert models_exhausted(lost, OPTIONS) == ()


def test_a_simple_answer_that_is_unsure_leads_to_the_wider_view_in_full() -> None:
    """The steps combine."""
    assert climb(UNREADABLE, UNSURE, REFUSED)[1:] == [
        (CROP, SIMPLE, "first"),
        (POSTER, FULL, "first"),
        (CROP, FULL, "second"),
    ]


def test_a_passing_fault_repeats_the_same_step_then_changes_the_model() -> None:
    """Three repeats."""
    steps = climb(*[TRANSIENT] * (TRANSIENT_REPEATS + 1))
    assert steps == [(CROP, FULL, "first")] * (TRANSIENT_REPEATS + 1) + [(CROP, FULL, "second")]


def test_a_passing_fault_without_another_model_ends_the_attempts() -> None:
    """It does not go on for ever."""
    assert climb(*[TRANSIENT] * (TRANSIENT_REPEATS + 1), policy=ONE_STEP)[-1] == GiveUp()


def test_repeats_are_counted_anew_on_each_step() -> None:
    """A fault on the wider view is that step's first."""
    steps = climb(TRANSIENT, TRANSIENT, TRANSIENT, UNSURE, TRANSIENT, TRANSIENT, TRANSIENT)
    assert steps[4:] == [(POSTER, FULL, "first")] * 4


def test_the_back_off_doubles_up_to_its_bound_and_is_spread_by_chance() -> None:
    """Full jitter: between nothing and the whole."""
    history = [AttemptResult(Attempt(CROP, FULL, "only"), TRANSIENT)]
    whole = []
    for _ in range(TRANSIENT_REPEATS):
        step = next_attempt(history, ONE_STEP, jitter=1.0)
        assert isinstance(step, Attempt)
        half = next_attempt(history, ONE_STEP, jitter=0.5)
        assert isinstance(half, Attempt)
        assert half.delay_s == step.delay_s / 2
        whole.append(step.delay_s)
        history.append(AttemptResult(step, TRANSIENT))
    assert whole == [BACKOFF_FIRST_S, BACKOFF_FIRST_S * 2, BACKOFF_FIRST_S * 4]
    assert max(whole) <= BACKOFF_MOST_S


def test_a_429_repeats_the_same_step_at_once_and_costs_no_attempt() -> None:
    """The limiter waits, not the retry policy; other faults' repeats are not used up by it."""
    options = RetryPolicy((CROP,), ("only",), max_attempts=2)
    assert climb(*[RATE_LIMITED] * 5, TRANSIENT, policy=options)[-1] == (CROP, FULL, "only")
    step = next_attempt([AttemptResult(Attempt(CROP, FULL, "only", 9.0), RATE_LIMITED)], options, jitter=1.0)
    assert step == Attempt(CROP, FULL, "only", delay_s=0.0)
    mixed = [TRANSIENT, RATE_LIMITED, TRANSIENT, RATE_LIMITED, TRANSIENT, RATE_LIMITED]
    assert climb(*mixed, policy=ONE_STEP)[-1] == (CROP, FULL, "only")


def test_a_server_that_does_nothing_but_reject_is_given_up() -> None:
    """After 20 repeats for one poster."""
    assert climb(*[RATE_LIMITED] * RATE_LIMIT_REPEATS)[-1] == (CROP, FULL, "first")
    assert climb(*[RATE_LIMITED] * (RATE_LIMIT_REPEATS + 1))[-1] == GiveUp()


@pytest.mark.parametrize("most", [1, 2, 3])
def test_the_number_of_attempts_is_bounded(most: int) -> None:
    """`max_attempts` requests, whatever steps are left."""
    options = RetryPolicy((CROP, POSTER), ("first", "second"), max_attempts=most)
    assert climb(*[UNSURE] * most, policy=options)[-1] == GiveUp()
