"""How many workers, and what they pull from."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Iterator
from itertools import islice

from redzone.errors import InputLost, UsageError
from redzone.models import Row

BATCH_ROWS = 256
HEADROOM = 1.3
SPARE = 2
GUESSED_WORKING_S = 4.0
WITHOUT_A_LIMIT = 32


def workers_needed(rate_per_min: float | None, working_s: float | None, most: int, pack: int = 1) -> int:
    """Posters in hand by Little's law: rate x seconds of work per poster, with headroom.

    The rate is that of requests, each about `pack` posters. Without a known rate a fixed number; without a
    measured time a guess of it. Never above `most`.
    """
    if rate_per_min is None:
        return min(most, WITHOUT_A_LIMIT * pack)
    busy = rate_per_min / 60 * pack * (working_s if working_s is not None else GUESSED_WORKING_S)
    return min(most, math.ceil(busy * HEADROOM) + SPARE)


class RowSource:
    """The one iterator that all workers pull from; it is read in a thread, some rows ahead."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self._ready: deque[Row] = deque()
        self._lock = asyncio.Lock()
        self.exhausted = asyncio.Event()

    async def next(self) -> Row | None:
        """The next row; None at the end. Raises InputLost where reading fails."""
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
