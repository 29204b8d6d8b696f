"""Once a second: a Snapshot to every listener, and who is stuck to the log."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from redzone.clock import Clock
from redzone.limiter import Limiter
from redzone.telemetry.metrics import Metrics, RateFigures, Snapshot, Stage

log = logging.getLogger(__name__)
TICK_S = 1.0
WAITING = (Stage.WAIT, Stage.WAIT_DUPLICATE)


@dataclass(frozen=True, slots=True)
class Reporter:
    """Watches a run. `stuck_after_s` is how long a poster may stay in one stage that is no wait."""

    metrics: Metrics
    limiter: Limiter
    clock: Clock
    listeners: Sequence[Callable[[Snapshot], Awaitable[None]]]
    stuck_after_s: float

    async def watch(self) -> None:
        """Tell everybody once a second, until cancelled."""
        while True:
            await self.clock.sleep(TICK_S)
            await self.tell()

    async def tell(self) -> None:
        """Tell everybody how things stand now."""
        self.metrics.rate = self._rate_figures()
        snapshot = self.metrics.snapshot()
        for lane in snapshot.lanes:
            # in the one tick in which it passes the mark
            if lane.stage not in WAITING and 0 <= lane.age_s - self.stuck_after_s < TICK_S:
                log.warning(
                    "row %d (%s) is stuck in %s for %.0f s", lane.row, lane.id, lane.stage, lane.age_s
                )
        for listen in self.listeners:
            await listen(snapshot)

    def _rate_figures(self) -> RateFigures:
        state = self.limiter.state()
        return RateFigures(
            requests_last_min=state.started_last_min,
            requests_limit_per_min=_least(state.configured_per_min, state.announced_per_min),
            requests_announced_per_min=state.announced_per_min,
            tokens_last_min=state.tokens_last_min,
            tokens_limit_per_min=_least(state.configured_tokens_per_min, state.announced_tokens_per_min),
            tokens_announced_per_min=state.announced_tokens_per_min,
            waiting=state.waiting,
            held_for_s=state.held_for_s,
            rejected=state.rejected_429,
        )


def _least(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)
