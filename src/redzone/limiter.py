"""One fair queue in front of a model API. One permit per ATTEMPT (request), never per poster.

The law: in any window of 60 s at most `requests_per_min` attempts start, whatever retries, cancellations,
holds or arrival patterns do; the same for tokens. Within it the limiter goes as fast as the
server's `x-ratelimit-*` headers allow, and without headers as fast as the server accepts.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from math import inf

from redzone.clock import Clock
from redzone.models import Allowance
from redzone.rate_meter import DEEP_CUT, RARE, SLIGHT_CUT, Grant, WindowCounter

# Before the first response nothing is known. 1.1 s apart: a server that allows one request a second, and
# counts by the second, accepts them all. The sixth waits for a response, but not for ever.
PROBES = 5
PROBE_DISTANCE_S = 1.1
PROBE_PATIENCE_S = 10.0
# The part of a configured limit that is used until the first response. Less than half, so that a setting
# twice too high gets no 429 before the server has announced its limit; not much less, as it may be right.
# Requests also bunch up while connections are opened (measured: five in 0.2 s at 20 a second).
UNCONFIRMED_SHARE = 0.45
# After a 429 without a time: 1 s, doubled while nothing but refusals comes back.
BACKOFF_S = 1.0
# Refused requests are made up for within a second, the part of a minute that some servers count by: many
# refusals at once must not become a pause of minutes.
MOST_DEBT_S = 1.0
BACKOFF_MOST_S = 32.0
# Less than this is not worth waking up for.
GRAIN_S = 0.001
# Longer than the resolution of any loop's clock, so that a timer never fires without time passing.
SHORTEST_NAP_S = 1e-6


class LimiterClosed(Exception):
    """No attempt starts any more."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The user's limits: upper bounds, whatever the server announces. None: no limit of ours. Without `probe`
    the first attempts are not spaced out, as for a model on this machine."""

    requests_per_min: int | None = None
    tokens_per_min: int | None = None
    min_distance_s: float = 0.0
    probe: bool = True

    def __post_init__(self) -> None:
        if self.requests_per_min is not None and self.requests_per_min < 1:
            raise ValueError(
                f"requests_per_min is {self.requests_per_min}; use 1 or more, or None for no limit"
            )
        if self.tokens_per_min is not None and self.tokens_per_min < 1:
            raise ValueError(f"tokens_per_min is {self.tokens_per_min}; use 1 or more, or None")
        if not 0.0 <= self.min_distance_s < inf:
            raise ValueError(f"min_distance_s is {self.min_distance_s}; use 0 or more seconds")


@dataclass(frozen=True, slots=True, eq=False)
class Permit:
    """The right to one attempt. It counts from the moment it is given; report what came of it to `observe`,
    `rejected` or `failed`."""

    number: int
    requests: Grant
    tokens: Grant

    @property
    def started_s(self) -> float:
        """When it was given, in seconds of the limiter's clock."""
        return self.requests.started_s


@dataclass(frozen=True, slots=True)
class LimiterState:
    """What the live view and the metrics show. Per-minute figures; None where no limit is known."""

    configured_per_min: int | None
    announced_per_min: int | None
    pace_per_min: float | None
    started_last_min: int
    configured_tokens_per_min: int | None
    announced_tokens_per_min: int | None
    tokens_pace_per_min: float | None
    tokens_last_min: int
    waiting: int
    held_for_s: float
    rejected_429: int
    started: int


class Limiter:
    """A fair queue for attempts. Belongs to one event loop; nothing here blocks or needs closing."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._requests = WindowCounter(limits.requests_per_min)
        self._tokens = WindowCounter(limits.tokens_per_min)
        # FIFO and cancel-safe: its holder is the head of the queue and has the only timer
        self._turn = asyncio.Lock()
        self._nap: asyncio.Future[None] | None = None
        self._nap_until_s = inf
        self._nap_tokens = 0
        self._closed = False
        self._waiting = 0
        self._started = 0
        self._last_start_s = -inf
        self._held_until_s = -inf
        self._probing = limits.probe and limits.requests_per_min is None
        self._unanswered = 0
        self._rejected = 0
        self._backoff_s = BACKOFF_S
        self._slowed_at = 0
        self._has_cut = False
        self._owed = 0
        self._repaid_at_s = -inf
        self._heard = False
        self._accepted_since = True

    async def acquire(self, tokens: int) -> Permit:
        """Wait for this attempt's turn, first come first served. `tokens` is the estimate of input plus
        `max_output_tokens`. A cancelled waiter leaves no trace. Raises LimiterClosed after `close`."""
        if tokens < 0:
            raise ValueError(f"tokens is {tokens}; an estimate is 0 or more")
        self._waiting += 1
        try:
            async with self._turn:
                while not self._closed:
                    now_s = self._clock.monotonic()
                    wait_s = self._wait_s(now_s, tokens)
                    if wait_s <= 0.0:
                        return self._start(now_s, tokens)
                    await self._sleep(now_s, wait_s, tokens)
                raise LimiterClosed
        finally:
            self._waiting -= 1

    def observe(self, permit: Permit, allowance: Allowance | None, used_tokens: int | None) -> None:
        """A response came: learn the limits that it announces, and replace the estimated tokens."""
        now_s = self._clock.monotonic()
        self._answered()
        self._heard = True
        self._probing = False
        if permit.number > self._slowed_at:
            self._accepted_since = True
            self._backoff_s = BACKOFF_S
        self._learn(now_s, permit, allowance)
        if used_tokens is not None:
            self._tokens.reconcile(now_s, permit.tokens, used_tokens)
        self._wake_if_sooner(now_s)

    def rejected(self, permit: Permit, retry_after_s: float | None, allowance: Allowance | None) -> None:
        """A 429 came: everybody waits for `retry_after_s` seconds (without a time from the server 1 s, 2 s,
        ... 32 s), and the pace is cut unless this response announced a lower limit."""
        now_s = self._clock.monotonic()
        self._answered()
        self._heard = True
        self._probing = False
        self._rejected += 1
        self._requests.refuse(now_s, permit.requests)
        self._tokens.refuse(now_s, permit.tokens)
        # once per round trip: attempts from before the last slowing down say nothing about the new pace
        fresh = permit.number > self._slowed_at
        slower = self._learn(now_s, permit, allowance)
        if retry_after_s is not None:
            self.hold(retry_after_s)
        elif fresh:
            self.hold(self._backoff_s)
            self._backoff_s = min(2 * self._backoff_s, BACKOFF_MOST_S)
        if fresh:
            if not slower:
                self._cut(now_s, permit)
            self._slow_down()
        self._owed += 1
        self._wake_if_sooner(now_s)

    def failed(self, permit: Permit) -> None:
        """No answer came (timeout, connection lost, cancelled) or one that says nothing of limits (5xx).
        The attempt stays counted: servers count failed requests too."""
        del permit
        self._answered()
        self._wake_if_sooner(self._clock.monotonic())

    def hold(self, seconds: float) -> None:
        """Start nothing for that long. Holds overlap, they do not add up."""
        self._held_until_s = max(self._held_until_s, self._clock.monotonic() + seconds)

    def close(self) -> None:
        """Start nothing more: whoever waits, and whoever comes later, gets LimiterClosed."""
        self._closed = True
        self._wake()

    def state(self) -> LimiterState:
        """The state at this moment."""
        now_s = self._clock.monotonic()
        self._requests.forget(now_s)
        self._tokens.forget(now_s)
        pace, tokens_pace = self._requests.pace_per_min(now_s), self._tokens.pace_per_min(now_s)
        return LimiterState(
            configured_per_min=self._limits.requests_per_min,
            announced_per_min=self._requests.announced,
            pace_per_min=None if pace == inf else pace,
            started_last_min=self._requests.in_window,
            configured_tokens_per_min=self._limits.tokens_per_min,
            announced_tokens_per_min=self._tokens.announced,
            tokens_pace_per_min=None if tokens_pace == inf else tokens_pace,
            tokens_last_min=self._tokens.charged,
            waiting=self._waiting,
            held_for_s=max(0.0, self._held_until_s - now_s),
            rejected_429=self._rejected,
            started=self._started,
        )

    def _wait_s(self, now_s: float, tokens: int) -> float:
        """0 when the head of the queue may start, else seconds after which to look again."""
        distance_s = self._limits.min_distance_s
        if self._probing:
            probe_s = PROBE_DISTANCE_S if self._unanswered < PROBES else PROBE_PATIENCE_S
            distance_s = max(distance_s, probe_s)
        elif not self._heard and self._limits.requests_per_min is not None:
            distance_s = max(distance_s, 60 / (UNCONFIRMED_SHARE * self._limits.requests_per_min))
        else:
            distance_s = max(distance_s, self._requests.burst_distance_s(now_s))
        return max(
            self._held_until_s - now_s,
            self._repaid_at_s - now_s,
            self._last_start_s + distance_s - now_s,
            self._requests.wait_s(now_s, 1),
            self._tokens.wait_s(now_s, tokens),
        )

    def _start(self, now_s: float, tokens: int) -> Permit:
        self._started += 1
        self._unanswered += 1
        if self._owed:
            self._repay(now_s)
        self._last_start_s = now_s
        return Permit(self._started, self._requests.start(now_s, 1), self._tokens.start(now_s, tokens))

    def _repay(self, now_s: float) -> None:
        """At the first start after a hold: delay the next one by what the refused requests took, because
        some servers deduct them from the second that follows."""
        pace_per_min = self._requests.pace_per_min(now_s)
        if pace_per_min != inf:
            self._repaid_at_s = now_s + min(MOST_DEBT_S, (1 + self._owed) * 60 / pace_per_min)
        self._owed = 0

    def _answered(self) -> None:
        self._unanswered = max(0, self._unanswered - 1)

    def _learn(self, now_s: float, permit: Permit, said: Allowance | None) -> bool:
        """True when a limit is now lower than was believed."""
        if said is None:
            return False
        slower = self._requests.learn(now_s, permit.requests, said.limit_requests, said.remaining_requests)
        slower |= self._tokens.learn(now_s, permit.tokens, said.limit_tokens, said.remaining_tokens)
        if slower:
            self._slow_down()
        return slower

    def _cut(self, now_s: float, permit: Permit) -> None:
        """Refused within all known limits: the setting is wrong, or others use the same key."""
        from_s = max(now_s, self._held_until_s)
        accepted_per_min = self._requests.accepted_per_min(now_s)
        if self._accepted_since:
            # a first refusal below an announced limit is a matter of milliseconds, too
            first = self._requests.announced is not None and not self._has_cut
            rare = first or permit.number - self._slowed_at >= RARE
            cut_to = SLIGHT_CUT if rare else DEEP_CUT
            pace_per_min = self._requests.pace_per_min(now_s)
            refused_per_min = accepted_per_min
            if first and pace_per_min != inf:
                refused_per_min = pace_per_min  # what was accepted so far was the careful start
            elif pace_per_min != inf:
                # not below half: a pause in the demand looks like a low limit
                refused_per_min = min(pace_per_min, max(accepted_per_min, pace_per_min / 2))
            self._requests.backoff.cut(refused_per_min, cut_to, from_s)
        else:
            self._requests.backoff.cut_again(accepted_per_min, from_s)
        self._requests.distrust()
        self._tokens.distrust()
        self._accepted_since = False
        self._has_cut = True

    def _slow_down(self) -> None:
        self._slowed_at = self._started

    async def _sleep(self, now_s: float, wait_s: float, tokens: int) -> None:
        """Sleep until the time is up, or until a response makes an earlier start possible."""
        loop = asyncio.get_running_loop()
        self._nap, self._nap_until_s, self._nap_tokens = loop.create_future(), now_s + wait_s, tokens
        timer = loop.call_later(max(wait_s, SHORTEST_NAP_S), self._wake)
        try:
            await self._nap
        finally:
            timer.cancel()
            self._nap = None

    def _wake(self) -> None:
        if self._nap is not None and not self._nap.done():
            self._nap.set_result(None)

    def _wake_if_sooner(self, now_s: float) -> None:
        if (
            self._nap is not None
            and now_s + self._wait_s(now_s, self._nap_tokens) < self._nap_until_s - GRAIN_S
        ):
            self._wake()
