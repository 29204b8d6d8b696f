"""Time, handed in. Inside the event loop time is the loop's own, so that a test which runs
on a loop of virtual time needs no other seam."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Monotonic seconds for durations, UTC for instants, and a sleep that keeps to both."""

    def monotonic(self) -> float:
        """Seconds that never run backwards."""

    def now(self) -> datetime:
        """The instant, UTC, aware."""

    async def sleep(self, seconds: float) -> None:
        """Give way for that long."""


class LoopClock:
    """The running event loop's time, and the wall clock for instants."""

    def monotonic(self) -> float:
        """Seconds of the running loop's clock."""
        return asyncio.get_running_loop().time()

    def now(self) -> datetime:
        """The wall clock, UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """`asyncio.sleep`, never for a negative time."""
        await asyncio.sleep(max(0.0, seconds))
