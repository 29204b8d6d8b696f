"""Budget, breaker and working time, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest

from redzone.clock import LoopClock
from redzone.engine.limits import (
    RATE_LIMIT_PATIENCE,
    REFUSED_POSTERS,
    REFUSED_WHILE_S,
    Budget,
    CircuitBreaker,
    Deadline,
    RefusalBreaker,
)
from redzone.errors import BreakerOpen, BudgetSpent
from tests.virtual_time import run_virtual


async def test_without_a_budget_everything_fits_and_costs_are_added_up() -> None:
    """None is no bound."""
    budget = Budget(None, spent_usd=1.0)
    await budget.reserve(1e9)
    await budget.settle(1e9, 2.0)
    assert budget.spent_usd == 3.0


async def test_a_request_that_could_exceed_the_budget_is_refused() -> None:
    """What is spent counts, from an earlier process too; the text names the figures and the way on."""
    budget = Budget(1.0, spent_usd=0.75)
    with pytest.raises(BudgetSpent, match=r"\$0\.7500 of \$1\.0000.*\$0\.5000.*--max-cost"):
        await budget.reserve(0.5)
    await budget.reserve(0.25)
    await budget.settle(0.25, 0.25)
    assert budget.spent_usd == 1.0


async def test_a_budget_of_nothing_allows_what_is_free() -> None:
    """--max-cost 0 with a server of one's own."""
    budget = Budget(0.0)
    await budget.reserve(0.0)
    await budget.settle(0.0, 0.0)
    with pytest.raises(BudgetSpent):
        await budget.reserve(0.0001)


def test_a_request_waits_for_those_in_flight_and_goes_on_when_they_were_cheaper() -> None:
    """Upper bounds stand in the way only until the real cost is known."""

    async def main() -> tuple[float, float]:
        budget = Budget(1.0)
        await budget.reserve(0.75)

        async def settle_later() -> None:
            await asyncio.sleep(5)
            await budget.settle(0.75, 0.25)

        async with asyncio.TaskGroup() as group:
            group.create_task(settle_later())
            await budget.reserve(0.5)
            return LoopClock().monotonic(), budget.spent_usd

    settled_s, spent_usd = run_virtual(main())
    assert settled_s == pytest.approx(5, abs=0.01)
    assert spent_usd == 0.25


def test_a_request_that_cannot_fit_is_refused_without_waiting_for_those_in_flight() -> None:
    """Their end would change nothing."""

    async def main() -> float:
        budget = Budget(1.0, spent_usd=0.75)
        await budget.reserve(0.125)
        with pytest.raises(BudgetSpent):
            await budget.reserve(0.5)
        return LoopClock().monotonic()

    assert run_virtual(main()) == 0


def test_a_waiter_that_is_cancelled_takes_nothing() -> None:
    """The next one gets the money."""

    async def main() -> None:
        budget = Budget(1.0)
        await budget.reserve(1.0)
        waiter = asyncio.create_task(budget.reserve(1.0))
        await asyncio.sleep(1)
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
        await budget.settle(1.0, 0.0)
        async with asyncio.timeout(1):
            await budget.reserve(1.0)

    run_virtual(main())


def _breaker() -> CircuitBreaker:
    return CircuitBreaker(failures=3, seconds=60.0, clock=LoopClock())


def test_the_breaker_opens_after_enough_failures_over_enough_time() -> None:
    """Both, with the last reason."""

    async def main() -> None:
        breaker = _breaker()
        for _ in range(10):
            breaker.failed("HTTP 500", rate_limited=False)  # many, but at once
        await asyncio.sleep(61)
        with pytest.raises(BreakerOpen, match=r"11 requests in a row have failed over 61 s.*HTTP 503"):
            breaker.failed("HTTP 503", rate_limited=False)

    run_virtual(main())


def test_few_failures_do_not_open_the_breaker_however_long_they_take() -> None:
    """A slow run is not a broken one."""

    async def main() -> None:
        breaker = _breaker()
        breaker.failed("HTTP 500", rate_limited=False)
        await asyncio.sleep(600)
        breaker.failed("HTTP 500", rate_limited=False)

    run_virtual(main())


def test_one_answer_closes_the_account() -> None:
    """Failures are counted in a row, and their time from the first of them."""

    async def main() -> None:
        breaker = _breaker()
        for _ in range(3):
            breaker.failed("HTTP 500", rate_limited=False)
        await asyncio.sleep(59)
        breaker.succeeded()
        for _ in range(3):
            await asyncio.sleep(2)
            breaker.failed("HTTP 500", rate_limited=False)

    run_virtual(main())


def test_nothing_but_rate_limits_is_borne_longer() -> None:
    """A shared quota may be full for a minute or two."""

    async def main(*, mixed: bool) -> float:
        breaker = _breaker()
        clock = LoopClock()
        try:
            while clock.monotonic() < 1000:
                breaker.failed("429", rate_limited=not (mixed and clock.monotonic() < 5))
                await asyncio.sleep(10)
        except BreakerOpen:
            return clock.monotonic()
        return float("inf")

    assert run_virtual(main(mixed=False)) == pytest.approx(60 * RATE_LIMIT_PATIENCE, abs=10)
    assert run_virtual(main(mixed=True)) == pytest.approx(60, abs=10)


Work = Callable[[Deadline], Coroutine[Any, Any, None]]


async def _late(work: Work) -> tuple[bool, float]:
    """Work that does not end within its 10 s: whether that was its own deadline, and when it struck."""
    clock = LoopClock()
    time = Deadline(10, clock)
    try:
        async with time:
            await work(time)
    except TimeoutError:
        return time.expired, round(clock.monotonic(), 2)
    raise AssertionError("it ended in time")


def test_work_beyond_the_deadline_ends_and_says_whose_deadline_it_was() -> None:
    """TimeoutError at the border of the block, and `expired`."""

    async def work(_: Deadline) -> None:
        await asyncio.sleep(100)

    assert run_virtual(_late(work)) == (True, 10.0)


def test_somebody_elses_timeout_is_not_ours() -> None:
    """A TimeoutError from inside passes with `expired` false."""

    async def work(_: Deadline) -> None:
        raise TimeoutError

    assert run_virtual(_late(work)) == (False, 0.0)


def test_the_clock_stands_still_while_paused() -> None:
    """An hour of waiting for the rate limit costs nothing of ten seconds of work."""

    async def work(time: Deadline) -> None:
        for _ in range(4):
            with time.paused():
                await asyncio.sleep(900)
            await asyncio.sleep(3)

    assert run_virtual(_late(work)) == (True, 3610.0)


def test_an_error_in_a_pause_starts_the_clock_again() -> None:
    """A pause ends with its block, however that ends."""

    async def work(time: Deadline) -> None:
        with suppress(ValueError), time.paused():
            await asyncio.sleep(100)
            raise ValueError("waiting failed")
        await asyncio.sleep(100)

    assert run_virtual(_late(work)) == (True, 110.0)


def test_a_pause_at_the_very_end_of_the_time_is_still_a_pause() -> None:
    """What is left, were it next to nothing, is left afterwards."""

    async def work(time: Deadline) -> None:
        await asyncio.sleep(9.999)
        with time.paused():
            await asyncio.sleep(100)
        await asyncio.sleep(1)

    assert run_virtual(_late(work)) == (True, 110.0)


def test_a_poster_cancelled_in_a_pause_is_cancelled() -> None:
    """Not turned into a timeout."""

    async def main() -> None:
        time = Deadline(10, LoopClock())

        async def work() -> None:
            async with time:
                with time.paused():
                    await asyncio.sleep(1000)

        task = asyncio.create_task(work())
        await asyncio.sleep(50)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not time.expired

    run_virtual(main())


def test_the_same_refusal_of_several_posters_opens_the_refusal_breaker_at_once() -> None:
    """No seconds have to pass; a poster that is refused again and again counts once."""

    async def main() -> None:
        breaker = RefusalBreaker(LoopClock())
        for _ in range(20):
            breaker.refused("400 bad", 1, "HTTP 400: bad")
        for row in range(2, REFUSED_POSTERS):
            breaker.refused("400 bad", row, "HTTP 400: bad")
            breaker.refused("413", row, "HTTP 413")  # another refusal has a count of its own
        with pytest.raises(BreakerOpen, match=r"5 posters .* none was accepted: HTTP 400: bad"):
            breaker.refused("400 bad", 99, "HTTP 400: bad")

    run_virtual(main())


def test_what_was_accepted_a_moment_ago_keeps_the_refusal_breaker_closed() -> None:
    """It opens when nothing has been accepted for a while."""

    async def main() -> None:
        breaker = RefusalBreaker(LoopClock())
        for row in range(1, REFUSED_POSTERS):
            breaker.refused("400 bad", row, "HTTP 400")
        breaker.accepted()
        for row in range(1, 3 * REFUSED_POSTERS):
            breaker.refused("400 bad", row, "HTTP 400")
        await asyncio.sleep(REFUSED_WHILE_S)
        with pytest.raises(BreakerOpen):
            breaker.refused("400 bad", 100, "HTTP 400")

    run_virtual(main())
