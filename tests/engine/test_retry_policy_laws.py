"""Laws of the retry policy, for any sequence of faults and unsure answers."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from redzone.engine.retry_policy import (
    BACKOFF_MOST_S,
    RATE_LIMIT_REPEATS,
    TRANSIENT_REPEATS,
    Attempt,
    AttemptResult,
    GiveUp,
    RetryPolicy,
    next_attempt,
)
from redzone.errors import ErrorCode, ModelFault, Retry
from redzone.models import ViewKind, Wording

MODEL_CODES = [code for code in ErrorCode if code.startswith("model-")]
VIEWS = [(ViewKind.CROP, ViewKind.POSTER), (ViewKind.POSTER,), (ViewKind.PIXELS,)]
WIDE_ENOUGH = 1000  # attempts; no ladder here is that long

faults = st.builds(ModelFault, st.sampled_from(MODEL_CODES), st.just("..."), st.sampled_from(Retry))
results = st.none() | faults
ladders = st.builds(
    RetryPolicy,
    views=st.sampled_from(VIEWS),
    models=st.sampled_from([("a",), ("a", "b"), ("a", "b", "c")]),
    max_attempts=st.integers(1, 20) | st.just(WIDE_ENOUGH),
    packed=st.booleans(),
)


@st.composite
def climbs(draw: st.DrawFn) -> tuple[RetryPolicy, list[AttemptResult]]:
    """A ladder, and every attempt at it until it gave up."""
    options, history = draw(ladders), list[AttemptResult]()
    while isinstance(step := next_attempt(history, options, draw(st.floats(0.0, 1.0))), Attempt):
        assert 0.0 <= step.delay_s <= BACKOFF_MOST_S
        # that it ends is a law of its own: the rungs, each with its repeats, and the 429 answers
        assert len(history) <= len(options.views) * len(options.models) * 2 * (TRANSIENT_REPEATS + 1) + 100
        history.append(AttemptResult(step, draw(results)))
    return options, history


def _rate_limited(tried: AttemptResult) -> bool:
    return tried.fault is not None and tried.fault.retry is Retry.RATE_LIMIT


def _free(tried: AttemptResult) -> bool:
    """Whether the attempt does not count."""
    return tried.fault is not None and tried.fault.retry in (Retry.RATE_LIMIT, Retry.ADAPTED)


def _rung(tried: AttemptResult) -> tuple[str, str]:
    return tried.attempt.strategy, tried.attempt.model


@given(climbs())
def test_the_ladder_ends_within_its_attempts(climb: tuple[RetryPolicy, list[AttemptResult]]) -> None:
    """At least one attempt, at most `max_attempts`, and a bounded number of 429 answers beside them."""
    options, history = climb
    rejected = sum(_rate_limited(tried) for tried in history)
    assert len(history) >= 1
    assert sum(not _free(tried) for tried in history) <= options.max_attempts
    assert rejected <= RATE_LIMIT_REPEATS + 1


@given(climbs())
def test_a_rung_that_has_answered_is_not_climbed_again(
    climb: tuple[RetryPolicy, list[AttemptResult]],
) -> None:
    """Unreadable, refused or unsure: the same question would be paid for twice. A poster's first rejection
    is no answer."""
    _, history = climb
    answered = set[tuple[str, str]]()
    rejected = 0
    for tried in history:
        assert _rung(tried) not in answered
        stray = tried.fault is not None and tried.fault.code is ErrorCode.MODEL_REJECTED
        stray = stray and tried.fault is not None and tried.fault.retry is Retry.NO
        rejected += stray
        if tried.fault is None or (tried.fault.retry is Retry.NO and not (stray and rejected == 1)):
            answered.add(_rung(tried))


@given(climbs())
def test_rungs_never_go_back(climb: tuple[RetryPolicy, list[AttemptResult]]) -> None:
    """Models, then views, then wordings: each in its order, and only of those that there are."""
    options, history = climb
    wordings = list(Wording)
    places = [
        (
            options.models.index(tried.attempt.model),
            options.views.index(tried.attempt.view),
            wordings.index(tried.attempt.wording),
        )
        for tried in history
    ]
    assert places == sorted(places)


@given(climbs())
def test_doubts_try_every_wider_view_before_the_fallback_model(
    climb: tuple[RetryPolicy, list[AttemptResult]],
) -> None:
    """After a refusal or an unsure answer the model changes only from the widest view."""
    options, history = climb
    for before, after in pairwise(history):
        doubt = before.fault is None or (
            before.fault.code is ErrorCode.MODEL_REFUSED and before.fault.retry is Retry.NO
        )
        if doubt and after.attempt.model != before.attempt.model:
            assert before.attempt.view is options.views[-1]


@given(climbs())
def test_a_passing_fault_repeats_its_rung_at_most_three_times(
    climb: tuple[RetryPolicy, list[AttemptResult]],
) -> None:
    """Per rung, the first try not counted."""
    _, history = climb
    rungs = [_rung(tried) for tried in history if not _free(tried)]
    assert all(rungs.count(rung) <= TRANSIENT_REPEATS + 1 for rung in rungs)


@given(climbs())
def test_a_429_changes_nothing(climb: tuple[RetryPolicy, list[AttemptResult]]) -> None:
    """Without the 429 answers the same rungs would have been tried."""
    options, history = climb
    kept = [tried for tried in history if not _free(tried)]
    for number, tried in enumerate(kept):
        step = next_attempt(kept[:number], options, jitter=0.0)
        assert isinstance(step, Attempt)
        assert (step.strategy, step.model) == _rung(tried)


@given(ladders, st.lists(results, max_size=30), st.floats(0.0, 1.0))
def test_the_ladder_is_a_pure_function(
    options: RetryPolicy, said: list[ModelFault | None], jitter: float
) -> None:
    """Equal histories, equal steps; the history is left as it was."""
    history: list[AttemptResult] = []
    for result in said:
        copy = list(history)
        step = next_attempt(history, options, jitter)
        assert history == copy
        assert step == next_attempt(tuple(copy), options, jitter)
        if isinstance(step, GiveUp):
            return
        history.append(AttemptResult(step, result))


@given(climbs())
def test_a_pack_is_left_for_good_after_a_fault_that_does_not_pass(
    climb: tuple[RetryPolicy, list[AttemptResult]],
) -> None:
    """What is wrong with a packed answer may be another picture's doing: so the poster is asked about
    alone, in the same way, before anything else is tried."""
    options, history = climb
    assert history[0].attempt.packed == options.packed
    for before, after in pairwise(history):
        passing = before.fault is None or before.fault.retry is not Retry.NO
        if not before.attempt.packed:
            assert not after.attempt.packed
        elif before.fault is not None and not passing:
            assert after.attempt == replace(before.attempt, packed=False, delay_s=0.0)
        elif before.fault is None:
            assert after.attempt.packed
