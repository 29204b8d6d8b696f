"""Publishes a snapshot to every listener once a second, and logs stuck workers."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from redzone.clock import Clock
from redzone.limiter import Limiter
from redzone.telemetry.metrics import Metrics, RateFigures, Snapshot, Stage

log = logging.getLogger(__name__)
TICK_S = 1.0
WAITING = (Stage.WAIT, Stage.WAIT_DUPLICATE)


@dataclass(frozen=True, slots=True)
class Reporter:
    """Watches a run. `stuck_after_s` is how long a poster may stay in one stage other than waiting.

    A listener that fails never ends the run: `warn` gets one sentence about its first failure.
    """

    metrics: Metrics
    limiter: Limiter
    clock: Clock
    listeners: Sequence[Callable[[Snapshot], Awaitable[None]]]
    stuck_after_s: float
    warn: Callable[[str], None] = log.warning
    _failed: set[int] = field(default_factory=set)

    async def watch(self) -> None:
        """Publish once a second, until cancelled."""
        while True:
            await self.clock.sleep(TICK_S)
            await self.publish()

    async def publish(self) -> None:
        """Publish the current state."""
        self.metrics.rate = self._rate_figures()
        snapshot = self.metrics.snapshot()
        for slot in snapshot.lanes:
            # only in the tick in which it crosses the threshold
            if slot.stage not in WAITING and 0 <= slot.age_s - self.stuck_after_s < TICK_S:
                log.warning(
                    "row %d (%s) is stuck in %s for %.0f s", slot.row, slot.id, slot.stage, slot.age_s
                )
        for number, listen in enumerate(self.listeners):
            try:
                await listen(snapshot)
            except Exception as error:  # noqa: BLE001  whatever fails there is no reason to stop
                self._report(number, error)

    def _report(self, number: int, error: Exception) -> None:
        if number not in self._failed:
            self._failed.add(number)
            place = f"{error.filename}: " if isinstance(error, OSError) and error.filename else ""
            reason = (error.strerror if isinstance(error, OSError) else None) or repr(error)
            self.warn(f"progress cannot be recorded: {place}{reason}; the run goes on without it")

    def _rate_figures(self) -> RateFigures:
        state = self.limiter.state()
        return RateFigures(
            requests_last_min=state.started_last_min,
            requests_limit_per_min=_lowest(state.configured_per_min, state.announced_per_min),
            requests_announced_per_min=state.announced_per_min,
            tokens_last_min=state.tokens_last_min,
            tokens_limit_per_min=_lowest(state.configured_tokens_per_min, state.announced_tokens_per_min),
            tokens_announced_per_min=state.announced_tokens_per_min,
            waiting=state.waiting,
            held_for_s=state.held_for_s,
            rejected=state.rejected_429,
        )


def _lowest(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)
