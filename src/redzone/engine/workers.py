"""What the workers pull from."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from itertools import islice

from redzone.errors import InputLost, UsageError
from redzone.models import Row

BATCH_ROWS = 256


class RowSource:
    """The one iterator that all workers pull from. It is read in a thread, a batch of rows at a time."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self._ready: deque[Row] = deque()
        self._lock = asyncio.Lock()
        self.exhausted = asyncio.Event()

    async def next(self) -> Row | None:
        """The next row; None at the end. Raises InputLost if reading fails."""
        if not self._ready:
            async with self._lock:
                if not self._ready and not self.exhausted.is_set():
                    self._ready.extend(await asyncio.to_thread(self._read))
                    if not self._ready:
                        self.exhausted.set()
        return self._ready.popleft() if self._ready else None

    def _read(self) -> list[Row]:
        try:
            return list(islice(self._rows, BATCH_ROWS))
        except (UsageError, OSError) as error:
            raise InputLost(f"the input cannot be read any more: {error}") from error
