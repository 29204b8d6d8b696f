"""Where questions wait for each other: up to so many of a kind go out in one request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Q = TypeVar("Q")
R = TypeVar("R")
Serve = Callable[[Sequence[Q], Callable[[], None]], Awaitable[Sequence[R]]]


@dataclass(slots=True, eq=False)
class _Batch(Generic[Q, R]):
    """Questions that go out together. `started` is set when their request begins, or never will."""

    questions: list[Q] = field(default_factory=list)
    full: asyncio.Event = field(default_factory=asyncio.Event)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    present: int = 0
    request: asyncio.Task[Sequence[R]] = field(init=False)


class Batcher(Generic[Q, R]):
    """Seats up to `size` questions of a kind at a table and has each table served once.

    `serve` is given the questions and what to call when the waiting is over and the request begins; it
    returns an answer for each. It runs in a task of its own: who leaves is missed by nobody, and when all
    have left the request is cancelled.
    """

    def __init__(self, size: int, serve: Serve[Q, R]) -> None:
        self._size = size
        self._serve = serve
        self._tables: dict[Hashable, _Batch[Q, R]] = {}

    async def ask(
        self, kind: Hashable, question: Q, waiting: AbstractContextManager[None], linger_s: float
    ) -> R:
        """The answer to one question; `waiting` is open until its request begins. The first at a table waits
        `linger_s` for others. Raises what `serve` does, for everybody at the table."""
        table = self._tables.get(kind)
        if table is None:
            table = self._tables[kind] = _Batch()
            table.request = asyncio.create_task(self._request(kind, table, linger_s), name="redzone-desk")
        seat = len(table.questions)
        table.questions.append(question)
        if len(table.questions) == self._size:
            table.full.set()
            del self._tables[kind]
        table.present += 1
        try:
            with waiting:
                await table.started.wait()
            return (await asyncio.shield(table.request))[seat]
        finally:
            table.present -= 1
            if table.present == 0:
                table.request.cancel()

    def flush(self) -> None:
        """Nobody else will come: serve every table as it is."""
        for table in self._tables.values():
            table.full.set()

    async def _request(self, kind: Hashable, table: _Batch[Q, R], linger_s: float) -> Sequence[R]:
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(linger_s):
                    await table.full.wait()
            if self._tables.get(kind) is table:
                del self._tables[kind]
            return await self._serve(table.questions, table.started.set)
        finally:
            table.started.set()
