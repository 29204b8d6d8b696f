"""Questions that wait for each other, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.engine.batcher import Batcher
from tests.virtual_time import run_virtual

LINGER_S = 0.25


class Server:
    """Answers a question with its double, after a turn and a while; keeps what was asked together."""

    def __init__(self, turn_s: float = 1.0, answer_s: float = 2.0, error: Exception | None = None) -> None:
        self.turn_s, self.answer_s, self.error = turn_s, answer_s, error
        self.asked: list[list[int]] = []
        self.cancelled = 0

    async def serve(self, questions: Sequence[int], begin: Callable[[], None]) -> list[int]:
        self.asked.append(list(questions))
        try:
            await asyncio.sleep(self.turn_s)
            if self.error is not None:
                raise self.error
            begin()
            await asyncio.sleep(self.answer_s)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return [2 * question for question in questions]


def ask(desk: Batcher[int, int], question: int, kind: str = "crop") -> asyncio.Task[int]:
    return asyncio.create_task(desk.ask(kind, question, nullcontext(), LINGER_S))


def test_a_full_table_is_served_at_once_and_the_rest_after_a_while() -> None:
    async def main() -> None:
        server = Server()
        desk = Batcher(3, server.serve)
        answers = await asyncio.gather(*(ask(desk, number) for number in range(7)))
        assert answers == [0, 2, 4, 6, 8, 10, 12]
        assert server.asked == [[0, 1, 2], [3, 4, 5], [6]]
        assert asyncio.get_running_loop().time() == pytest.approx(LINGER_S + 3.0, abs=0.01)

    run_virtual(main())


def test_in_a_hurry_nobody_waits_for_others() -> None:
    async def main() -> None:
        server = Server()
        desk = Batcher(3, server.serve)
        task = asyncio.create_task(desk.ask("crop", 1, nullcontext(), linger_s=60.0))
        await asyncio.sleep(1.0)
        assert server.asked == []
        desk.flush()
        assert await task == 2
        assert asyncio.get_running_loop().time() == pytest.approx(4.0, abs=0.01)

    run_virtual(main())


def test_what_is_asked_in_another_way_sits_at_another_table() -> None:
    async def main() -> None:
        server = Server()
        desk = Batcher(2, server.serve)
        await asyncio.gather(ask(desk, 1), ask(desk, 2, "poster"), ask(desk, 3), ask(desk, 4, "poster"))
        assert sorted(server.asked) == [[1, 3], [2, 4]]

    run_virtual(main())


def test_waiting_ends_when_the_request_begins() -> None:
    """Its deadline counts from there: the turn is no work, the answer is."""

    class Paused:
        def __enter__(self) -> None:
            self.from_s = asyncio.get_running_loop().time()

        def __exit__(self, *_: Any) -> None:
            self.until_s = asyncio.get_running_loop().time()

    async def main() -> None:
        paused = Paused()
        await Batcher(1, Server().serve).ask("crop", 1, paused, LINGER_S)
        assert [paused.from_s, paused.until_s] == pytest.approx([0.0, 1.0], abs=0.01)

    run_virtual(main())


def test_an_error_is_everybodys() -> None:
    async def main() -> None:
        desk = Batcher(2, Server(error=RuntimeError("no turn")).serve)
        tasks = [ask(desk, 1), ask(desk, 2)]
        for task in tasks:
            with pytest.raises(RuntimeError, match="no turn"):
                await task

    run_virtual(main())


@given(st.lists(st.booleans(), min_size=1, max_size=6), st.floats(0.0, 4.0))
def test_who_leaves_is_missed_by_nobody(leaves: list[bool], after_s: float) -> None:
    """Whoever stays gets the right answer; a request that nobody waits for any more ends."""

    async def main() -> None:
        server = Server()
        desk = Batcher(len(leaves), server.serve)
        tasks = [ask(desk, number) for number in range(len(leaves))]
        await asyncio.sleep(after_s)
        for task, leaving in zip(tasks, leaves, strict=True):
            if leaving:
                task.cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(10)
        for number, (answer, leaving) in enumerate(zip(found, leaves, strict=True)):
            if not leaving or after_s > 3.0:
                assert answer == 2 * number
            else:
                assert isinstance(answer, asyncio.CancelledError)
        assert server.cancelled == (all(leaves) and after_s < 3.0)

    if not 2.999 < after_s < 3.001:
        run_virtual(main())
