"""Callers with the same key share one task."""

from __future__ import annotations

import asyncio

import pytest

from redzone.single_flight import SingleFlight


async def test_callers_with_one_key_share_one_task() -> None:
    """Another key is another task, and a key whose task has ended starts anew."""
    started: list[str] = []
    gate = asyncio.Event()

    async def work(name: str) -> str:
        started.append(name)
        await gate.wait()
        return name

    flights: SingleFlight[str] = SingleFlight()
    callers = [
        asyncio.create_task(flights.run(key, lambda name=name: work(name)))  # type: ignore[misc]
        for key, name in (("k", "first"), ("k", "second"), ("other", "third"))
    ]
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*callers) == ["first", "first", "third"]
    assert await flights.run("k", lambda: work("later")) == "later"
    assert started == ["first", "third", "later"]


async def test_a_cancelled_caller_does_not_cancel_the_task() -> None:
    """The other caller still gets the result."""
    gate = asyncio.Event()

    async def work() -> int:
        await gate.wait()
        return 7

    flights: SingleFlight[int] = SingleFlight()
    first, second = (asyncio.create_task(flights.run("k", work)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    gate.set()
    assert await second == 7
    assert first.cancelled()


async def test_an_exception_reaches_every_caller_and_is_not_kept() -> None:
    """The next caller tries again."""

    async def fail() -> int:
        raise OSError("gone")

    async def succeed() -> int:
        return 1

    flights: SingleFlight[int] = SingleFlight()
    results = await asyncio.gather(*(flights.run("k", fail) for _ in range(2)), return_exceptions=True)
    assert [str(result) for result in results] == ["gone", "gone"]
    assert await flights.run("k", succeed) == 1


async def test_closing_cancels_the_running_tasks() -> None:
    """Their callers see the cancellation."""
    flights: SingleFlight[bool] = SingleFlight()
    caller = asyncio.create_task(flights.run("k", asyncio.Event().wait))
    await asyncio.sleep(0)
    await flights.aclose()
    with pytest.raises(asyncio.CancelledError):
        await caller


async def test_an_abandoned_task_is_cancelled_if_it_is_to_be() -> None:
    """When the last caller has left, nobody wants the result; the next one starts anew."""
    ended: list[str] = []

    async def work() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")
        return 0

    flights: SingleFlight[int] = SingleFlight(finish_abandoned=False)
    callers = [asyncio.create_task(flights.run("k", work)) for _ in range(2)]
    await asyncio.sleep(0)
    callers[0].cancel()
    await asyncio.gather(callers[0], return_exceptions=True)
    assert ended == []
    callers[1].cancel()
    await asyncio.gather(callers[1], return_exceptions=True)
    await asyncio.sleep(0)
    assert ended == ["cancelled"]
