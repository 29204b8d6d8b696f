"""Laws of the safeguards, under any interleaving, in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from redzone.clock import LoopClock
from redzone.engine.limits import RATE_LIMIT_PATIENCE, Budget, CircuitBreaker, Deadline
from redzone.errors import BreakerOpen, BudgetSpent
from tests.virtual_time import run_virtual


@dataclass(frozen=True)
class Request:
    """One request: when it comes, what it may cost and costs, how long it takes, when it is cancelled."""

    comes_s: int
    most_cents: int
    cents: int
    takes_s: int
    leaves_s: int | None


@st.composite
def requests(draw: st.DrawFn) -> Request:
    most_cents = draw(st.integers(0, 40))
    return Request(
        comes_s=draw(st.integers(0, 10)),
        most_cents=most_cents,
        cents=draw(st.integers(0, most_cents)),
        takes_s=draw(st.integers(0, 10)),
        leaves_s=draw(st.none() | st.integers(0, 20)),
    )


class Account:
    """What the test itself knows of the money."""

    def __init__(self, most_cents: int) -> None:
        self.most_cents = most_cents
        self.budget = Budget(float(most_cents))
        self.in_flight_cents = 0
        self.spent_cents = 0
        self.refused: list[Request] = []

    async def ask(self, request: Request) -> None:
        await asyncio.sleep(request.comes_s)
        try:
            await self.budget.reserve(request.most_cents)
        except BudgetSpent:
            assert self.spent_cents + self.in_flight_cents + request.most_cents > self.most_cents
            self.refused.append(request)
            return
        self.in_flight_cents += request.most_cents
        assert self.spent_cents + self.in_flight_cents <= self.most_cents
        try:
            await asyncio.sleep(request.takes_s)
        finally:
            self.in_flight_cents -= request.most_cents
            self.spent_cents += request.cents
            await self.budget.settle(request.most_cents, request.cents)


async def _play(most_cents: int, asked: list[Request]) -> Account:
    account = Account(most_cents)
    loop = asyncio.get_running_loop()
    tasks = []
    for request in asked:
        task = asyncio.create_task(account.ask(request))
        if request.leaves_s is not None:
            loop.call_later(request.leaves_s, task.cancel)
        tasks.append(task)
    async with asyncio.timeout(10_000):  # nobody waits for ever
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        assert result is None or isinstance(result, asyncio.CancelledError)
    return account


@given(st.integers(0, 100), st.lists(requests(), max_size=12))
def test_the_budget_is_never_exceeded_and_nobody_waits_for_ever(
    most_cents: int, asked: list[Request]
) -> None:
    """Spent and in flight together stay within it at every instant, cancellations included."""
    account = run_virtual(_play(most_cents, asked))
    assert account.spent_cents == account.budget.spent_usd <= most_cents


@given(st.lists(requests(), max_size=12))
def test_a_budget_with_room_for_all_refuses_nobody(asked: list[Request]) -> None:
    """A wait or a refusal has a reason."""
    account = run_virtual(_play(sum(request.most_cents for request in asked), asked))
    assert account.refused == []


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=12), st.integers(1, 50))
def test_working_time_counts_work_and_nothing_else(spans: list[tuple[int, bool]], seconds: int) -> None:
    """The deadline strikes when the work, pauses left out, reaches it; never in a pause."""

    async def main() -> tuple[bool, float]:
        clock = LoopClock()
        time = Deadline(seconds + 0.5, clock)
        worked_s = 0.0
        try:
            async with time:
                for length_s, is_pause in spans:
                    started_s = clock.monotonic()
                    try:
                        if is_pause:
                            with time.paused():
                                await asyncio.sleep(length_s)
                        else:
                            await asyncio.sleep(length_s)
                    finally:
                        worked_s += 0 if is_pause else clock.monotonic() - started_s
        except TimeoutError:
            pass
        return time.expired, worked_s

    expired, worked_s = run_virtual(main())
    work_s = sum(length_s for length_s, is_pause in spans if not is_pause)
    assert expired == (work_s > seconds + 0.5)
    assert abs(worked_s - min(work_s, seconds + 0.5)) < 0.01


events = st.tuples(st.integers(0, 30), st.sampled_from(["answer", "fault", "429"]))


@given(st.lists(events, max_size=40), st.integers(1, 5), st.integers(0, 60))
def test_the_breaker_opens_exactly_when_all_has_failed_for_long_enough(
    said: list[tuple[int, str]], failures: int, seconds: int
) -> None:
    """By the plain definition: the failures since the last answer, their number and their span."""

    async def main() -> None:
        clock = LoopClock()
        breaker = CircuitBreaker(failures, seconds, clock)
        streak: list[tuple[float, str]] = []
        for wait_s, what in said:
            await asyncio.sleep(wait_s)
            if what == "answer":
                breaker.succeeded()
                streak.clear()
                continue
            streak.append((clock.monotonic(), what))
            patience_s = seconds * (RATE_LIMIT_PATIENCE if all(kind == "429" for _, kind in streak) else 1)
            due = len(streak) >= failures and streak[-1][0] - streak[0][0] >= patience_s
            try:
                breaker.failed("...", rate_limited=what == "429")
            except BreakerOpen:
                assert due
                return
            assert not due

    run_virtual(main())
