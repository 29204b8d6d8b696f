"""What stops a run or a poster in time: a budget in dollars, a circuit breaker, a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from redzone.clock import Clock
from redzone.errors import BreakerOpen, BudgetSpent

RATE_LIMIT_PATIENCE = 5  # a run of nothing but 429 responses may last this many times longer
REFUSED_POSTERS = 5
REFUSED_WHILE_S = 60.0


class Budget:
    """Dollars that may be spent: what is spent and what is in flight together never exceed `most_usd`.

    `reserve` takes an upper bound before a request, `settle` replaces it by the real cost.
    """

    def __init__(self, most_usd: float | None, spent_usd: float = 0.0) -> None:
        self._most_usd = most_usd
        self.spent_usd = spent_usd
        self._reserved_usd = 0.0
        self._requests = 0
        self._settled = asyncio.Event()

    async def reserve(self, usd: float) -> None:
        """Set money aside. Waits for requests in flight if only their upper bounds exceed the budget.

        Raises BudgetSpent if it would not fit even after they are settled.
        """
        if self._most_usd is None:
            return
        while self.spent_usd + self._reserved_usd + usd > self._most_usd:
            if self._requests == 0 or self.spent_usd + usd > self._most_usd:
                raise BudgetSpent(
                    f"${self.spent_usd:.4f} of ${self._most_usd:.4f} is spent and the next request may cost "
                    f"${usd:.4f}; raise --max-cost and resume"
                )
            await self._settled.wait()
        self._reserved_usd += usd
        self._requests += 1

    async def settle(self, reserved_usd: float, real_usd: float) -> None:
        """Replace a reservation by what the request really cost."""
        self.spent_usd += real_usd
        if self._most_usd is None:
            return
        # nothing here awaits, so a cancelled poster leaves no money reserved and no waiter asleep
        self._requests -= 1
        # reset to 0 when nothing is in flight, so that rounding errors do not add up
        self._reserved_usd = self._reserved_usd - reserved_usd if self._requests else 0.0
        self._settled.set()
        self._settled = asyncio.Event()


@dataclass(slots=True)
class CircuitBreaker:
    """Opens after at least `failures` failed requests in a row over at least `seconds`."""

    failures: int
    seconds: float
    clock: Clock
    _in_a_row: int = 0
    _since_s: float = 0.0
    _only_rate_limits: bool = True

    def succeeded(self) -> None:
        """A request was answered."""
        self._in_a_row = 0

    def failed(self, reason: str, *, rate_limited: bool) -> None:
        """A request failed. Raises BreakerOpen with the last reason."""
        now_s = self.clock.monotonic()
        if self._in_a_row == 0:
            self._since_s, self._only_rate_limits = now_s, True
        self._in_a_row += 1
        self._only_rate_limits &= rate_limited
        patience_s = self.seconds * (RATE_LIMIT_PATIENCE if self._only_rate_limits else 1)
        if self._in_a_row >= self.failures and now_s - self._since_s >= patience_s:
            raise BreakerOpen(
                f"{self._in_a_row} requests in a row have failed over {now_s - self._since_s:.0f} s; "
                f"the last one: {reason}"
            )


@dataclass(slots=True)
class RefusalBreaker:
    """Opens when a server refuses different posters in the same way and has accepted none for a while.

    A wrong model, a firewall or a parameter that the server does not take would refuse every row of the
    list. `posters` refusals of one kind are enough where nothing was accepted in the last `seconds`.
    """

    clock: Clock
    posters: int = REFUSED_POSTERS
    seconds: float = REFUSED_WHILE_S
    _rows: dict[str, set[int]] = field(default_factory=dict)
    _accepted_s: float | None = None

    def accepted(self) -> None:
        """The server answered a question."""
        self._accepted_s = self.clock.monotonic()
        self._rows.clear()

    def refused(self, kind: str, row: int, reason: str) -> None:
        """The server refused to look at a row. Raises BreakerOpen with the reason."""
        rows = self._rows.setdefault(kind, set())
        rows.add(row)
        quiet = self._accepted_s is None or self.clock.monotonic() - self._accepted_s >= self.seconds
        if quiet and len(rows) >= self.posters:
            raise BreakerOpen(
                f"{len(rows)} posters in a row were refused in the same way and none was accepted: {reason}"
            )


@dataclass(slots=True)
class Deadline:
    """A deadline that counts working time only; it is paused while a poster waits for its turn."""

    seconds: float
    clock: Clock
    _timeout: asyncio.Timeout = field(init=False)

    async def __aenter__(self) -> Self:
        self._timeout = asyncio.timeout(self.seconds)
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._timeout.__aexit__(kind, error, trace)

    @property
    def expired(self) -> bool:
        """Whether a TimeoutError is this deadline's own."""
        return self._timeout.expired()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Pause the deadline for the length of a block."""
        when = self._timeout.when()
        assert when is not None  # noqa: S101  pauses do not nest
        left_s = when - self.clock.monotonic()
        self._timeout.reschedule(None)
        try:
            yield
        finally:
            if not self._timeout.expired():
                self._timeout.reschedule(self.clock.monotonic() + left_s)
