"""A process-wide limit on the memory of images that are being decoded at the same time.

A valid image of a few kilobytes can take hundreds of megabytes while it is decoded, so the limit is not on
the number of decodes but on their estimated memory. All users share one budget: workers, the local model's
views and thumbnails. No holder of a reservation waits for anything, so waiting cannot deadlock.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class MemoryBudget:
    """Reservations in bytes, granted in the order of arrival; thread-safe.

    The limit is the caller's: a reservation waits until the sum fits into it. One that alone exceeds the
    limit is granted when no other is held.
    """

    def __init__(self) -> None:
        self._used = 0
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()

    @property
    def used_bytes(self) -> int:
        """The sum of the reservations that are held."""
        return self._used

    def try_acquire(self, size: int, limit: int) -> bool:
        """Reserve without waiting, as code in an event loop must; False if it would have to wait."""
        with self._changed:
            if self._queue or not self._fits(size, limit):
                return False
            self._used += size
            return True

    def acquire(self, size: int, limit: int) -> None:
        """Reserve; blocks until the reservation is granted."""
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            try:
                self._changed.wait_for(lambda: self._queue[0] is ticket and self._fits(size, limit))
                self._used += size
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()

    def release(self, size: int) -> None:
        """End a reservation of this size."""
        with self._changed:
            self._used -= size
            self._changed.notify_all()

    @contextmanager
    def reserved(self, size: int, limit: int, *, wait: bool = True) -> Iterator[bool]:
        """Reserve for the duration of the block; False if it would have to wait and must not."""
        if wait:
            self.acquire(size, limit)
        elif not self.try_acquire(size, limit):
            yield False
            return
        try:
            yield True
        finally:
            self.release(size)

    def _fits(self, size: int, limit: int) -> bool:
        return self._used == 0 or self._used + size <= limit


BUDGET = MemoryBudget()
