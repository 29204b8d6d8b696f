"""Groups compatible questions into one request."""

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
    """Questions that share a request. `started` is set when the request begins, and when it never will."""

    questions: list[Q] = field(default_factory=list)
    full: asyncio.Event = field(default_factory=asyncio.Event)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    present: int = 0
    request: asyncio.Task[Sequence[R]] = field(init=False)


class Batcher(Generic[Q, R]):
    """Groups up to `size` questions of a kind into a batch and sends each batch once.

    `serve` gets the questions and a function to call when the request begins; it returns an answer to each
    question. It runs in a task of its own, so one cancelled caller does not affect the others; when all
    callers are cancelled, so is the request.
    """

    def __init__(self, size: int, serve: Serve[Q, R]) -> None:
        self._size = size
        self._serve = serve
        self._open: dict[Hashable, _Batch[Q, R]] = {}

    async def ask(
        self, kind: Hashable, question: Q, waiting: AbstractContextManager[None], linger_s: float
    ) -> R:
        """The answer to one question. `waiting` is entered until the request begins; the first question of a
        batch waits `linger_s` for others. Raises what `serve` raises, for every question of the batch."""
        batch = self._open.get(kind)
        if batch is None:
            batch = self._open[kind] = _Batch()
            batch.request = asyncio.create_task(self._request(kind, batch, linger_s), name="redzone-batch")
        index = len(batch.questions)
        batch.questions.append(question)
        if len(batch.questions) == self._size:
            batch.full.set()
            del self._open[kind]
        batch.present += 1
        try:
            with waiting:
                await batch.started.wait()
            return (await asyncio.shield(batch.request))[index]
        finally:
            batch.present -= 1
            if batch.present == 0:
                batch.request.cancel()

    def flush(self) -> None:
        """Send all pending batches now, full or not."""
        for batch in self._open.values():
            batch.full.set()

    async def _request(self, kind: Hashable, batch: _Batch[Q, R], linger_s: float) -> Sequence[R]:
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(linger_s):
                    await batch.full.wait()
            if self._open.get(kind) is batch:
                del self._open[kind]
            return await self._serve(batch.questions, batch.started.set)
        finally:
            batch.started.set()
