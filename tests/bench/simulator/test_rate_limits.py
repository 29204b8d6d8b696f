"""The laws of the simulator's rate limits, on a clock that is handed in."""

from __future__ import annotations

import copy
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.bench.simulator.rate_limits import (
    Admitted,
    Enforcement,
    LimitScope,
    RateGate,
    Rejected,
    ServerLimits,
)
from redzone.bench.simulator.replies import retry_headers

styles = st.sampled_from(Enforcement)
limits = st.sampled_from([1, 7, 30, 59, 60, 61, 100, 120, 500, 600])
# Milliseconds, so that a minute's arrivals bunch up and boundaries are hit exactly.
gaps_ms = st.lists(st.one_of(st.integers(0, 40), st.sampled_from([100, 500, 1000, 7000])), max_size=200)


def gate_of(style: Enforcement, rpm: int | None, tpm: int | None = None) -> RateGate:
    return RateGate(ServerLimits(rpm, tpm, style))


def instants_s(gaps: list[int]) -> list[float]:
    total, instants = 1_000_000, []
    for gap in gaps:
        total += gap
        instants.append(total / 1000)
    return instants


def admitted_s(gate: RateGate, instants: list[float]) -> list[float]:
    return [now_s for now_s in instants if isinstance(gate.admit(0, now_s), Admitted)]


def waits_for(rejected: Rejected) -> float:
    return int(dict(retry_headers(rejected.retry_after_s))["retry-after-ms"]) / 1000


@given(limits, gaps_ms)
def test_a_rolling_limit_admits_no_more_than_the_limit_in_any_minute(limit: int, gaps: list[int]) -> None:
    """In every window of 60 s, wherever it starts, at most `limit` requests are admitted."""
    admitted = admitted_s(gate_of(Enforcement.ROLLING, limit), instants_s(gaps))
    for earlier, later in zip(admitted, admitted[limit:], strict=False):
        assert earlier <= later - 60


@given(limits, gaps_ms)
def test_a_quantised_limit_admits_a_second_share_in_each_second(limit: int, gaps: list[int]) -> None:
    """A window admits at most its share, rounded up; 60 windows at most one more than the limit."""
    window_s = max(1.0, 60 / limit)
    admitted = admitted_s(gate_of(Enforcement.QUANTISED, limit), instants_s(gaps))
    windows = Counter(int(now_s // window_s) for now_s in admitted)
    for first in windows:
        assert windows[first] <= max(1, math.ceil(limit / 60))
        assert sum(windows[index] for index in range(first, first + 60)) <= max(limit, 60) + 1


@given(limits, gaps_ms)
def test_a_bucket_admits_its_capacity_and_what_was_refilled(limit: int, gaps: list[int]) -> None:
    """Between any two instants at most capacity + rate x time requests are admitted."""
    admitted = admitted_s(gate_of(Enforcement.BUCKET, limit), instants_s(gaps))
    for first, start_s in enumerate(admitted):
        for number, end_s in enumerate(admitted[first:], start=1):
            assert number <= limit + (end_s - start_s) * limit / 60 + 1e-3


@given(styles, limits, st.integers(0, 10_000), st.integers(0, 3))
def test_a_steady_pace_at_the_limit_is_never_turned_away(
    style: Enforcement, limit: int, phase_ms: int, slack_pct: int
) -> None:
    """Requests spaced evenly at the limit's pace, or a little slower, are all admitted."""
    gate = gate_of(style, limit)
    gap_s = 60 / limit * (1 + slack_pct / 100) + 1e-6
    instants = [1000 + phase_ms / 1000 + number * gap_s for number in range(3 * limit)]
    assert admitted_s(gate, instants) == instants


@given(styles, limits, gaps_ms)
def test_remaining_is_what_could_be_sent_right_now(style: Enforcement, limit: int, gaps: list[int]) -> None:
    """`remaining` requests are admitted at once, and the next one is rejected."""
    gate, now_s = gate_of(style, limit), 1000.0
    for now_s in instants_s(gaps):
        gate.admit(0, now_s)
    remaining = gate.allowance(now_s).remaining_requests
    assert remaining is not None
    answers = [gate.admit(0, now_s) for _ in range(remaining + 1)]
    assert all(isinstance(answer, Admitted) for answer in answers[:-1])
    assert isinstance(answers[-1], Rejected)


@given(styles, limits, gaps_ms)
def test_who_obeys_retry_after_alone_is_admitted_next(
    style: Enforcement, limit: int, gaps: list[int]
) -> None:
    """After a rejection, a lone client that waits as long as the header says gets in, and not a lot
    sooner."""
    gate, now_s = gate_of(style, limit), 1000.0
    for now_s in instants_s(gaps):
        gate.admit(0, now_s)
    rejected = gate.admit(0, now_s)
    if isinstance(rejected, Rejected):
        early = copy.deepcopy(gate)
        assert isinstance(early.admit(0, now_s + rejected.retry_after_s * 0.99 - 0.01), Rejected)
        assert isinstance(gate.admit(0, now_s + waits_for(rejected)), Admitted)


@given(styles, limits, gaps_ms)
def test_reset_is_when_the_allowance_is_full_again(style: Enforcement, limit: int, gaps: list[int]) -> None:
    """After `reset` seconds of silence as much is left as in a gate nobody has used."""
    gate, now_s = gate_of(style, limit), 1000.0
    for now_s in instants_s(gaps):
        gate.admit(0, now_s)
    reset_s = gate.allowance(now_s).reset_requests_s
    assert reset_s is not None
    then_s = now_s + reset_s + 0.001
    full = gate_of(style, limit).allowance(then_s).remaining_requests
    assert gate.allowance(then_s).remaining_requests == full


@pytest.mark.parametrize("style", Enforcement)
def test_a_storm_of_rejections_starves_itself_for_a_bounded_time(style: Enforcement) -> None:
    """Ten times the limit at once keep everybody out while it lasts, and at most 62 s longer."""
    gate = gate_of(style, 120)
    for _ in range(1200):
        rejected = gate.admit(0, 1000.0)
    assert isinstance(rejected, Rejected)
    assert 0.5 < rejected.retry_after_s <= 62
    assert isinstance(gate.admit(0, 1000.0 + waits_for(rejected)), Admitted)


@pytest.mark.parametrize("style", Enforcement)
def test_rejected_requests_count_against_the_quota(style: Enforcement) -> None:
    """After the same admissions, whoever was also rejected waits longer for a full allowance."""
    polite, pushy = gate_of(style, 120), gate_of(style, 120)
    for gate in (polite, pushy):
        while gate.allowance(1000.0).remaining_requests:
            gate.admit(0, 1000.0)
    for _ in range(2):
        pushy.admit(0, 1000.5)
    calm_s, longer_s = (gate.allowance(1000.5).reset_requests_s for gate in (polite, pushy))
    assert calm_s is not None
    assert longer_s is not None
    assert longer_s > calm_s


@given(styles, st.lists(st.integers(1, 400), max_size=60), st.integers(1, 400))
def test_the_tokens_left_are_what_the_next_request_may_ask(
    style: Enforcement, amounts: list[int], wanted: int
) -> None:
    """A request is rejected for its tokens exactly when it asks for more than `remaining`."""
    gate = gate_of(style, None, 1000)
    now_s = 1000.0
    for amount in amounts:
        now_s += 0.5
        gate.admit(amount, now_s)
    remaining = gate.allowance(now_s).remaining_tokens
    assert remaining is not None
    answer = gate.admit(wanted, now_s)
    assert isinstance(answer, Admitted) == (wanted <= remaining)


@pytest.mark.parametrize("style", Enforcement)
def test_tokens_are_corrected_to_what_was_used(style: Enforcement) -> None:
    """The reserve that an answer did not need is given back when the answer goes out."""
    gate = gate_of(style, None, 1000)
    admitted = gate.admit(900, 1000.0)
    assert isinstance(admitted, Admitted)
    rejected = gate.admit(900, 1000.0)
    assert isinstance(rejected, Rejected)
    assert rejected.scope is LimitScope.TOKENS
    gate.settle(admitted, 100, 1000.0)
    assert gate.allowance(1000.0).remaining_tokens == 900
    assert isinstance(gate.admit(900, 1000.0), Admitted)


def test_a_correction_after_the_minute_changes_nothing() -> None:
    """Under the rolling log a charge that has left the window is not given back a second time."""
    gate = gate_of(Enforcement.ROLLING, None, 1000)
    admitted = gate.admit(900, 1000.0)
    assert isinstance(admitted, Admitted)
    gate.settle(admitted, 100, 1060.0)
    assert gate.allowance(1060.0).remaining_tokens == 1000


def test_a_request_beyond_the_whole_limit_is_rejected_for_its_tokens() -> None:
    """It can never fit; the reason given is the tokens."""
    rejected = gate_of(Enforcement.BUCKET, 10, 1000).admit(1001, 1000.0)
    assert isinstance(rejected, Rejected)
    assert rejected.scope is LimitScope.TOKENS


def test_without_limits_everything_is_admitted_and_nothing_announced() -> None:
    """No limit, no headers."""
    gate = gate_of(Enforcement.ROLLING, None)
    assert isinstance(gate.admit(10**9, 0.0), Admitted)
    assert gate.allowance(0.0).limit_requests is None
    assert gate.allowance(0.0).limit_tokens is None


def test_a_limit_below_one_is_refused() -> None:
    """Zero requests per minute is a mistake."""
    with pytest.raises(ValueError, match="at least 1"):
        ServerLimits(requests_per_min=0)
