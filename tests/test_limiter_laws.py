"""Laws of the limiter, in virtual time: whatever comes, the windows hold and nobody is forgotten."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from redzone.clock import LoopClock
from redzone.limiter import Limiter, LimiterClosed, Limits, Permit
from redzone.models import Allowance
from tests.virtual_time import run_virtual

# Virtual seconds: long before this, every waiter has been served. A lost wake-up ends here.
FOR_EVER_S = 1e6

seconds = st.one_of(st.just(0.0), st.floats(0.0, 3.0), st.floats(0.0, 90.0))
rates = st.one_of(st.integers(1, 12), st.integers(13, 3000))
counts = st.one_of(st.none(), st.integers(-2, 40), st.integers(0, 5000))
allowances = st.one_of(
    st.none(),
    st.builds(
        Allowance,
        limit_requests=counts,
        remaining_requests=counts,
        limit_tokens=counts,
        remaining_tokens=counts,
    ),
)
limits = st.builds(
    Limits,
    requests_per_min=st.one_of(st.none(), rates),
    tokens_per_min=st.one_of(st.none(), st.integers(1, 20_000)),
    min_distance_s=st.one_of(st.just(0.0), st.floats(0.0, 5.0)),
)


@dataclass(frozen=True)
class Visit:
    """One attempt: when it comes (after the one before), how long it is patient, and how it ends."""

    gap_s: float
    tokens: int
    patience_s: float | None
    latency_s: float
    ending: str
    used: int | None
    retry_after_s: float | None
    allowance: Allowance | None


visits = st.lists(
    st.builds(
        Visit,
        gap_s=st.one_of(st.just(0.0), st.floats(0.0, 20.0)),
        tokens=st.integers(0, 6000),
        patience_s=st.one_of(st.none(), st.none(), seconds),
        latency_s=seconds,
        ending=st.sampled_from(["observe", "observe", "observe", "rejected", "failed", "forgotten"]),
        used=st.one_of(st.none(), st.integers(0, 7000)),
        retry_after_s=st.one_of(st.none(), seconds),
        allowance=allowances,
    ),
    min_size=1,
    max_size=40,
)


@dataclass
class Start:
    at_s: float
    tokens: int
    ticket: int
    observed_s: float = float("inf")
    used: int | None = None

    def charged(self, at_s: float) -> int:
        """What the limiter could know at that instant."""
        known = self.used is not None and self.observed_s <= at_s
        return self.used if known and self.used is not None else self.tokens


@dataclass
class Story:
    starts: list[Start] = field(default_factory=list)
    holds: list[tuple[float, float]] = field(default_factory=list)
    refusals: list[tuple[float, float]] = field(default_factory=list)
    impatient: int = 0
    drained: int = 0


async def live(limits: Limits, plan: list[Visit], holds: list[tuple[float, float]]) -> Story:
    """Play the plan; raises TimeoutError where somebody is never served."""
    clock, story = LoopClock(), Story()
    limiter = Limiter(limits, clock)

    async def visit(ticket: int, what: Visit) -> None:
        try:
            async with asyncio.timeout(what.patience_s):
                permit = await limiter.acquire(what.tokens)
                start = Start(permit.started_s, what.tokens, ticket)
                story.starts.append(start)
        except TimeoutError:
            story.impatient += 1
            return
        await clock.sleep(what.latency_s)
        end(permit, start, what)

    def end(permit: Permit, start: Start, what: Visit) -> None:
        now_s = clock.monotonic()
        if what.ending == "observe":
            start.observed_s, start.used = now_s, what.used
            limiter.observe(permit, what.allowance, what.used)
        elif what.ending == "rejected":
            limiter.rejected(permit, what.retry_after_s, what.allowance)
            story.refusals.append((now_s, what.retry_after_s or 0.0))
        elif what.ending == "failed":
            limiter.failed(permit)

    async def hold() -> None:
        for gap_s, hold_s in holds:
            await clock.sleep(gap_s)
            story.holds.append((clock.monotonic(), hold_s))
            limiter.hold(hold_s)

    async with asyncio.timeout(FOR_EVER_S), asyncio.TaskGroup() as group:
        group.create_task(hold())
        for ticket, what in enumerate(plan):
            await clock.sleep(what.gap_s)
            group.create_task(visit(ticket, what))
    state = limiter.state()
    assert state.waiting == 0
    assert state.started == len(story.starts)
    assert len(story.starts) + story.impatient == len(plan)
    return story


def windows_hold(limits: Limits, starts: list[Start]) -> None:
    rpm, tpm = limits.requests_per_min, limits.tokens_per_min
    if rpm is not None:
        assert all(
            later.at_s >= first.at_s + 60.0 for first, later in zip(starts, starts[rpm:], strict=False)
        )
    if tpm is None:
        return
    for last, start in enumerate(starts):
        window = [other for other in starts[:last] if other.at_s + 60.0 > start.at_s]
        # a tie of an answer and a start may fall either way: count the less
        others = sum(min(other.charged(start.at_s), other.charged(start.at_s - 1e-9)) for other in window)
        assert others == 0 or others + start.tokens <= tpm


@settings(max_examples=120, deadline=None)
@given(limits, visits, st.lists(st.tuples(seconds, seconds), max_size=3))
def test_whatever_comes_the_windows_hold_and_everybody_is_served(
    limits: Limits, plan: list[Visit], holds: list[tuple[float, float]]
) -> None:
    """Arrivals, cancellations, refusals, holds and arbitrary headers: at most the limits in any half-open
    window of 60 s, never closer than the least distance, nothing during a hold, first come first served,
    and every patient waiter gets a permit."""
    story = run_virtual(live(limits, plan, holds))
    starts = story.starts
    windows_hold(limits, starts)
    for earlier, later in pairwise(starts):
        assert later.at_s >= earlier.at_s + limits.min_distance_s
        assert later.ticket > earlier.ticket
    for held_s, for_s in story.holds + story.refusals:
        assert not [start for start in starts if held_s < start.at_s < held_s + for_s]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.lists(st.tuples(st.floats(0.0, 40.0), st.integers(1, 80)), max_size=8))
def test_bursts_on_offer_never_break_the_configured_window(rpm: int, waves: list[tuple[float, int]]) -> None:
    """A server that always offers a thousand more gets the configured number per window, not one more."""

    async def scene() -> list[Start]:
        limiter, clock = Limiter(Limits(rpm), LoopClock()), LoopClock()
        starts: list[Start] = []

        async def visit() -> None:
            permit = await limiter.acquire(0)
            starts.append(Start(permit.started_s, 0, 0))
            await clock.sleep(0.1)
            limiter.observe(permit, Allowance(limit_requests=1000, remaining_requests=999), None)

        async with asyncio.timeout(FOR_EVER_S), asyncio.TaskGroup() as group:
            for gap_s, size in waves:
                await clock.sleep(gap_s)
                for _ in range(size):
                    group.create_task(visit())
        return starts

    windows_hold(Limits(rpm), run_virtual(scene()))


@settings(max_examples=25, deadline=None)
@given(rates, st.booleans())
def test_at_full_load_97_percent_of_any_rate_are_used(rpm: int, headers: bool) -> None:
    """From 1 to 3000 a minute, with headers or without, the starts keep up with the allowance."""

    async def scene() -> tuple[int, float]:
        limiter = Limiter(Limits(rpm), LoopClock())
        allowance = Allowance(limit_requests=rpm, remaining_requests=0) if headers else None
        count = min(150, 20 + rpm)
        begun = []
        for _ in range(count):
            permit = await limiter.acquire(0)
            begun.append(permit.started_s)
            limiter.observe(permit, allowance, None)
        return count, begun[-1] - begun[0]

    count, took_s = run_virtual(scene())
    assert (count - 1) * 60.0 >= 0.97 * rpm * took_s


@settings(max_examples=30, deadline=None)
@given(st.floats(0.1, 300.0), st.floats(0.0, 0.09), st.integers(1, 20))
def test_a_hold_lasts_exactly_that_long(hold_s: float, before_s: float, waiting: int) -> None:
    """With nothing else in the way the first start is at the end of the hold, to the timer's grain."""

    async def scene() -> float:
        limiter, clock = Limiter(Limits(3000), LoopClock()), LoopClock()
        limiter.observe(await limiter.acquire(0), None, None)
        await clock.sleep(1.0)
        limiter.hold(hold_s)
        held_from_s = clock.monotonic()
        await clock.sleep(before_s)
        permits = await asyncio.gather(*(limiter.acquire(0) for _ in range(waiting)))
        return min(permit.started_s for permit in permits) - held_from_s

    assert hold_s - 1e-9 <= run_virtual(scene()) <= hold_s + 1e-5


@settings(max_examples=40, deadline=None)
@given(limits, st.integers(1, 30), seconds, seconds)
def test_after_close_nothing_starts_and_nobody_hangs(
    limits: Limits, waiting: int, close_s: float, late_s: float
) -> None:
    """Everybody who waits, and everybody who comes later, gets LimiterClosed."""

    async def scene() -> None:
        limiter, clock = Limiter(limits, LoopClock()), LoopClock()

        async def visit(after_s: float) -> float | None:
            await clock.sleep(after_s)
            try:
                return (await limiter.acquire(100)).started_s
            except LimiterClosed:
                return None

        async with asyncio.timeout(FOR_EVER_S):
            crew = [asyncio.create_task(visit(n * 0.1)) for n in range(waiting)]
            crew.append(asyncio.create_task(visit(close_s + late_s + 0.01)))
            await clock.sleep(close_s)
            closed_s = clock.monotonic()
            limiter.close()
            begun = await asyncio.gather(*crew)
        assert begun[-1] is None
        assert all(start is None or start <= closed_s for start in begun)
        assert limiter.state().waiting == 0

    run_virtual(scene())
