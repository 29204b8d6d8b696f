"""A model API's rate limits in virtual time: three ways of enforcing them, and workers that send requests.

Pure: no sockets. Rejected requests count, `remaining` is what could be sent right now without a 429, and
headers come with errors too.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import floor, inf
from typing import Literal, Protocol

from redzone.clock import LoopClock
from redzone.limiter import Limiter, LimiterState, Limits
from redzone.models import Allowance


class Counter(Protocol):
    """How a server counts one quantity against a limit per minute."""

    def left(self, now_s: float) -> float:
        """The amount that would be accepted now."""

    def take(self, now_s: float, amount: float) -> None:
        """Count an amount, accepted or not."""

    def retry_after_s(self, now_s: float, amount: float) -> float:
        """Seconds until an amount would be accepted."""


class PerSecond:
    """A sixtieth of the limit in every second of the clock."""

    def __init__(self, limit: int) -> None:
        self.quantum = limit / 60
        self.second = -1
        self.used = 0.0

    def left(self, now_s: float) -> float:
        if floor(now_s) != self.second:
            self.second, self.used = floor(now_s), 0.0
        return self.quantum - self.used

    def take(self, now_s: float, amount: float) -> None:
        self.used += min(amount, self.left(now_s))

    def retry_after_s(self, now_s: float, amount: float) -> float:
        return floor(now_s) + 1 - now_s if amount > self.left(now_s) else 0.0


class Rolling:
    """At most the limit in the last 60 s."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.log: deque[tuple[float, float]] = deque()
        self.used = 0.0

    def left(self, now_s: float) -> float:
        while self.log and self.log[0][0] <= now_s - 60:
            self.used -= self.log.popleft()[1]
        return max(0.0, self.limit - self.used)

    def take(self, now_s: float, amount: float) -> None:
        self.log.append((now_s, amount))
        self.used += amount

    def retry_after_s(self, now_s: float, amount: float) -> float:
        missing = amount - (self.limit - self.used)
        for arrived_s, taken in self.log:
            missing -= taken
            if missing <= 0:
                return arrived_s + 60 - now_s
        return 60.0


class Bucket:
    """A full minute's worth at the start, refilled evenly."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.level = float(limit)
        self.at_s = 0.0

    def left(self, now_s: float) -> float:
        self.level = min(self.limit, self.level + (now_s - self.at_s) * self.limit / 60)
        self.at_s = now_s
        return self.level

    def take(self, now_s: float, amount: float) -> None:
        self.level = max(0.0, self.left(now_s) - amount)

    def retry_after_s(self, now_s: float, amount: float) -> float:
        return (amount - self.left(now_s)) * 60 / self.limit


@dataclass
class Scene:
    """One run: the server's limits, the configured ones, and what the headers say."""

    style: Callable[[int], Counter]
    rpm: int | None = None
    tpm: int | None = None
    configured_rpm: int | None = None
    configured_tpm: int | None = None
    headers: Literal["true", "absent", "stale"] = "true"
    retry_after: bool = True
    latency_s: float = 2.0
    way_spread: float = 0.1
    """Sigma of the way to the server, lognormal round 20 ms: 0.1 is a calm network, 0.4 a wild one."""
    workers: int = 100
    tokens: Callable[[random.Random], int] = field(default=lambda _: 1000)
    others_per_min: int = 0
    warmup_s: float = 120.0
    last_s: float = 240.0
    seed: int = 1
    min_distance_s: float = 0.0


@dataclass
class Log:
    """What the server saw and the workers did."""

    started: list[tuple[float, int]] = field(default_factory=list)
    accepted: list[tuple[float, int]] = field(default_factory=list)
    rejected: list[float] = field(default_factory=list)
    first_answer_s: float = inf
    state: LimiterState | None = None

    def used(self, scene: Scene) -> float:
        """The share of the tightest limit that was used after the warm-up."""
        span_min = (scene.last_s - scene.warmup_s) / 60
        late = [tokens for at_s, tokens in self.accepted if scene.warmup_s <= at_s < scene.last_s]
        shares = []
        rpm, tpm = scene.rpm, scene.tpm
        if rpm is not None:
            shares.append(len(late) / span_min / min(rpm, scene.configured_rpm or rpm))
        if tpm is not None:
            shares.append(sum(late) / span_min / min(tpm, scene.configured_tpm or tpm))
        return max(shares)

    @property
    def wasted(self) -> float:
        """The share of starts that were rejected."""
        return len(self.rejected) / len(self.started)

    @property
    def refused_late(self) -> int:
        """Rejections of what started after the first answer."""
        return sum(at_s > self.first_answer_s + 0.1 for at_s in self.rejected)

    def fullest_minute(self) -> int:
        """The most starts in any half-open window of 60 s."""
        first = most = 0
        for last, (at_s, _) in enumerate(self.started):
            while self.started[first][0] + 60.0 <= at_s:
                first += 1
            most = max(most, last - first + 1)
        return most

    def fullest_minute_tokens(self) -> int:
        """The most tokens started in any half-open window of 60 s."""
        first = most = total = 0
        for at_s, tokens in self.started:
            total += tokens
            while self.started[first][0] + 60.0 <= at_s:
                total -= self.started[first][1]
                first += 1
            most = max(most, total)
        return most


class ModelServer:
    """Accepts or rejects requests and announces what is left."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.requests = scene.style(scene.rpm) if scene.rpm else None
        self.tokens = scene.style(scene.tpm) if scene.tpm else None

    def ask(self, now_s: float, tokens: int) -> tuple[float | None, Allowance | None]:
        """Retry-after (None when accepted) and the headers."""
        counters = [(c, a) for c, a in ((self.requests, 1), (self.tokens, tokens)) if c is not None]
        waits = [c.retry_after_s(now_s, a) for c, a in counters if c.left(now_s) < a - 1e-9]
        for counter, amount in counters:
            if not waits or counter is self.requests:
                counter.take(now_s, amount)
        return (max(waits) if waits else None), self._headers(now_s)

    def _headers(self, now_s: float) -> Allowance | None:
        scene = self.scene
        if scene.headers == "absent":
            return None
        stale = scene.headers == "stale"

        def left(counter: Counter | None, limit: int | None) -> int | None:
            if counter is None or limit is None:
                return None
            return limit - 1 if stale else int(counter.left(now_s))

        return Allowance(
            limit_requests=scene.rpm,
            remaining_requests=left(self.requests, scene.rpm),
            limit_tokens=scene.tpm,
            remaining_tokens=left(self.tokens, scene.tpm),
        )


async def play(scene: Scene) -> Log:
    """Workers that always have work send requests until `last_s`; a rejected one is sent again."""
    clock = LoopClock()
    chance = random.Random(scene.seed)  # noqa: S311 - a seeded simulation
    server = ModelServer(scene)
    limiter = Limiter(Limits(scene.configured_rpm, scene.configured_tpm, scene.min_distance_s), clock)
    log = Log()

    async def ask() -> None:
        tokens = scene.tokens(chance)
        permit = await limiter.acquire(tokens)
        log.started.append((clock.monotonic(), tokens))
        await clock.sleep(0.02 * chance.lognormvariate(0, scene.way_spread))
        retry_after_s, allowance = server.ask(clock.monotonic(), tokens)
        if retry_after_s is not None:
            log.rejected.append(clock.monotonic())
            await clock.sleep(0.05)
            limiter.rejected(permit, retry_after_s if scene.retry_after else None, allowance)
        else:
            log.accepted.append((clock.monotonic(), tokens))
            await clock.sleep(scene.latency_s * chance.lognormvariate(0, 0.5))
            limiter.observe(permit, allowance, tokens)
        log.first_answer_s = min(log.first_answer_s, clock.monotonic())

    async def worker() -> None:
        while clock.monotonic() < scene.last_s:
            await ask()

    async def others() -> None:
        while scene.others_per_min:
            await clock.sleep(chance.expovariate(scene.others_per_min / 60))
            if server.requests is not None and server.requests.left(clock.monotonic()) >= 1:
                server.requests.take(clock.monotonic(), 1)

    crew = [asyncio.create_task(worker()) for _ in range(scene.workers)]
    strangers = asyncio.create_task(others())
    await clock.sleep(scene.last_s)
    log.state = limiter.state()
    for task in (*crew, strangers):
        task.cancel()
    await asyncio.gather(*crew, strangers, return_exceptions=True)
    return log
