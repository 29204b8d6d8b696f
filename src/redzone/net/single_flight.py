"""Equal work that is asked for at the same time is done once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """Shares a running task among all who ask for its key; it is cancelled when all of them have left."""

    def __init__(self) -> None:
        self._running: dict[K, tuple[asyncio.Task[V], list[None]]] = {}

    async def once(self, key: K, work: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """The result of `work`, or its exception, for everybody who waits for it."""
        if key not in self._running:
            task = asyncio.create_task(work())
            self._running[key] = (task, [])
            task.add_done_callback(lambda done: self._forget(key, done))
        task, waiting = self._running[key]
        waiting.append(None)
        try:
            return await asyncio.shield(task)
        finally:
            waiting.pop()
            if not waiting and not task.done():
                self._forget(key, task)
                task.cancel()

    def _forget(self, key: K, task: asyncio.Task[V]) -> None:
        if key in self._running and self._running[key][0] is task:
            del self._running[key]
