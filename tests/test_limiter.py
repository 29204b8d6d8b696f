"""The limiter's promises by example, and its figures against three ways of enforcing a limit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest

from redzone.clock import LoopClock
from redzone.limiter import PROBE_DISTANCE_S, PROBES, Limiter, LimiterClosed, Limits, Permit
from redzone.models import Allowance
from redzone.rate_meter import Backoff, WindowCounter
from tests.model_server import Bucket, Counter, PerSecond, Rolling, Scene, play
from tests.virtual_time import run_virtual

GRAIN_S = 1e-4
STYLES = [PerSecond, Rolling, Bucket]
Style = Callable[[int], Counter]


def said(limit: int, remaining: int) -> Allowance:
    return Allowance(limit_requests=limit, remaining_requests=remaining)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("rpm", [60, 600])
@pytest.mark.parametrize("configured", ["given", "unknown", "twice"])
def test_the_allowance_is_used_without_refusals(style: Style, rpm: int, configured: str) -> None:
    """>= 97 % of the allowance in use, no 429 after the first answer, < 2 % wasted to find a wrong limit."""
    setting = {"given": rpm, "unknown": None, "twice": 2 * rpm}[configured]
    scene = Scene(style, rpm, configured_rpm=setting)
    log = run_virtual(play(scene))
    assert log.used(scene) >= 0.97
    assert log.refused_late == 0
    assert log.wasted < 0.02
    if configured == "given":
        assert log.rejected == []
    if setting is not None:
        assert log.fullest_minute() <= setting
    if style is Rolling:
        assert log.fullest_minute() <= rpm


@pytest.mark.parametrize("style", STYLES)
def test_thirty_thousand_a_minute_are_started(style: Style) -> None:
    """A limit of 500 a second, unknown at first, is in use after a few seconds."""
    scene = Scene(style, 30_000, latency_s=0.1, warmup_s=8.0, last_s=13.0)
    log = run_virtual(play(scene))
    assert log.used(scene) >= 0.97
    assert log.rejected == []


@pytest.mark.parametrize("style", STYLES)
def test_without_headers_the_configured_rate_is_paced(style: Style) -> None:
    """A server that says nothing gets 98 % of the configured rate, evenly."""
    scene = Scene(style, 600, configured_rpm=600, headers="absent")
    log = run_virtual(play(scene))
    assert log.used(scene) >= 0.97
    assert log.rejected == []


@pytest.mark.parametrize("style", STYLES)
def test_without_headers_a_limit_set_twice_too_high_is_found(style: Style) -> None:
    """Refusals alone lead to a pace that uses most of the allowance and wastes under 2 %."""
    scene = Scene(style, 600, configured_rpm=1200, headers="absent", retry_after=False, last_s=360.0)
    log = run_virtual(play(scene))
    assert log.used(scene) >= 0.88
    assert log.wasted < 0.02


@pytest.mark.parametrize("style", STYLES)
def test_headers_that_never_change_cost_a_handful_of_refusals(style: Style) -> None:
    """A proxy that repeats `remaining = limit - 1` for ever is found out and paced evenly."""
    scene = Scene(style, 600, headers="stale")
    log = run_virtual(play(scene))
    assert log.used(scene) >= 0.95
    assert len(log.rejected) < 20


@pytest.mark.parametrize("style", STYLES)
def test_a_wild_network_costs_little(style: Style) -> None:
    """Where requests overtake each other by tens of milliseconds, under 0.2 % are refused."""
    scene = Scene(style, 600, way_spread=0.4)
    log = run_virtual(play(scene))
    assert log.used(scene) >= 0.965
    assert log.wasted < 0.002


@pytest.mark.parametrize("style", [Rolling, Bucket])
def test_a_key_shared_with_others_brings_no_storm(style: Style) -> None:
    """Others take half of the allowance: most of our half is used, under 2 % of our requests refused."""
    scene = Scene(style, 600, others_per_min=300)
    log = run_virtual(play(scene))
    assert log.used(scene) >= 0.35
    assert log.wasted < 0.02


@pytest.mark.parametrize("style", [Rolling, Bucket])
@pytest.mark.parametrize(("tpm", "known"), [(400_000, True), (400_000, False), (800_000, False)])
def test_requests_and_tokens_are_limited_together(style: Style, tpm: int, known: bool) -> None:
    """The tighter of the two limits is used to 97 %, whichever it is, and none is overrun."""
    scene = Scene(
        style,
        600,
        tpm,
        configured_rpm=600 if known else None,
        configured_tpm=tpm if known else None,
        tokens=lambda chance: chance.randint(800, 1200),
    )
    log = run_virtual(play(scene))
    assert log.used(scene) >= 0.97
    assert log.rejected == []
    if known:
        assert log.fullest_minute_tokens() <= tpm
        assert log.fullest_minute() <= 600


def test_a_full_bucket_is_used_at_once() -> None:
    """A server with a minute's worth ready gets it in seconds, not in a minute."""
    log = run_virtual(play(Scene(Bucket, 600, last_s=60.0)))
    assert len(log.accepted) > 1100
    assert log.rejected == []


async def starts(limiter: Limiter, count: int, tokens: int = 0) -> list[float]:
    return [(await limiter.acquire(tokens)).started_s for _ in range(count)]


def test_probes_are_few_and_apart_until_the_first_answer() -> None:
    """Nothing known: five probes at 1.1 s, then patience; the first answer without headers opens the way."""

    async def scene() -> None:
        limiter = Limiter(Limits(), LoopClock())
        permits: list[Permit] = []

        async def worker() -> None:
            permits.append(await limiter.acquire(0))

        crew = [asyncio.create_task(worker()) for _ in range(40)]
        await asyncio.sleep(10.0)
        begun = [permit.started_s for permit in permits]
        assert begun == pytest.approx([PROBE_DISTANCE_S * n for n in range(PROBES)], abs=GRAIN_S)
        limiter.observe(permits[0], None, None)
        await asyncio.sleep(1.0)
        assert len(permits) == 40
        await asyncio.gather(*crew)

    run_virtual(scene())


def test_failed_probes_make_room_for_others() -> None:
    """An attempt that ended without an answer teaches nothing and blocks nobody."""

    async def scene() -> list[float]:
        limiter = Limiter(Limits(), LoopClock())
        begun: list[float] = []
        for _ in range(12):
            permit = await limiter.acquire(0)
            begun.append(permit.started_s)
            limiter.failed(permit)
        return begun

    begun = run_virtual(scene())
    assert begun == pytest.approx([PROBE_DISTANCE_S * n for n in range(12)], abs=GRAIN_S)


def test_a_refusal_holds_everybody_for_exactly_that_long() -> None:
    """Retry-After 7 s: the next start of anybody is 7 s later, and not later than that."""

    async def scene() -> None:
        limiter = Limiter(Limits(requests_per_min=6000), LoopClock())
        permit = await limiter.acquire(0)
        waiting = [asyncio.create_task(limiter.acquire(0)) for _ in range(3)]
        limiter.rejected(permit, 7.0, None)
        assert limiter.state().held_for_s == pytest.approx(7.0)
        begun = [(await task).started_s for task in waiting]
        assert begun[0] == pytest.approx(7.0, abs=GRAIN_S)
        assert begun[0] >= 7.0
        assert limiter.state().rejected_429 == 1

    run_virtual(scene())


def test_refusals_of_one_burst_cut_the_pace_once() -> None:
    """Twenty 429s of requests that were under way together count as one."""

    async def paces(refusals: int) -> tuple[float, float]:
        limiter = Limiter(Limits(requests_per_min=6000), LoopClock())
        permits = [await limiter.acquire(0) for _ in range(20)]
        before = limiter.state().pace_per_min
        for permit in permits[:refusals]:
            limiter.rejected(permit, 1.0, None)
        after = limiter.state().pace_per_min
        assert before is not None
        assert after is not None
        return before, after

    before, after = run_virtual(paces(1))
    assert after < 0.75 * before
    assert run_virtual(paces(20)) == pytest.approx((before, after), rel=0.05)


def test_the_pace_climbs_back_after_a_refusal() -> None:
    """One refusal is forgotten two minutes later."""

    async def scene() -> float | None:
        limiter = Limiter(Limits(requests_per_min=600), LoopClock())
        limiter.rejected(await limiter.acquire(0), 1.0, None)
        await asyncio.sleep(120.0)
        return limiter.state().pace_per_min

    assert run_virtual(scene()) == pytest.approx(588.0)


def test_refusals_without_a_time_back_off_ever_longer() -> None:
    """A 429 that names no time: 1 s, 2 s, 4 s ... and 1 s again after an answer."""

    async def scene() -> list[float]:
        limiter = Limiter(Limits(requests_per_min=6000), LoopClock())
        held = []
        for _ in range(4):
            limiter.rejected(await limiter.acquire(0), None, None)
            held.append(limiter.state().held_for_s)
        limiter.observe(await limiter.acquire(0), None, None)
        limiter.rejected(await limiter.acquire(0), None, None)
        return [*held, limiter.state().held_for_s]

    assert run_virtual(scene()) == pytest.approx([1.0, 2.0, 4.0, 8.0, 1.0], abs=0.01)


def test_the_announced_limit_wins_over_a_higher_setting() -> None:
    """Configured 1200, announced 600: paced at 98 % of 600; configured 300: at 300."""

    async def pace(configured: int | None) -> float | None:
        limiter = Limiter(Limits(configured), LoopClock())
        limiter.observe(await limiter.acquire(0), said(600, 9), None)
        return limiter.state().pace_per_min

    assert run_virtual(pace(1200)) == pytest.approx(588.0)
    assert run_virtual(pace(None)) == pytest.approx(588.0)
    assert run_virtual(pace(300)) == pytest.approx(300.0)


def test_an_older_answer_changes_nothing() -> None:
    """Answers come out of order: what an older one says is left is not believed."""

    async def scene() -> list[float]:
        limiter = Limiter(Limits(6000), LoopClock())
        limiter.observe(await limiter.acquire(0), None, None)
        old, new = await limiter.acquire(0), await limiter.acquire(0)
        await asyncio.sleep(1.0)
        limiter.observe(new, said(600, 0), None)
        limiter.observe(old, said(600, 599), None)
        return await starts(limiter, 10)

    begun = run_virtual(scene())
    assert begun[-1] - begun[0] == pytest.approx(9 / 9.8, rel=0.05)


def test_until_the_first_answer_less_than_half_of_a_given_limit_is_paced() -> None:
    """A setting that is twice too high meets no 429 before the server has said so; then all of it is open."""

    async def scene() -> tuple[list[float], list[float]]:
        limiter = Limiter(Limits(600), LoopClock())
        first = await limiter.acquire(0)
        before = await starts(limiter, 10)
        limiter.observe(first, None, None)
        return before, await starts(limiter, 10)

    before, after = run_virtual(scene())
    assert before[-1] - before[0] == pytest.approx(9 * 0.1 / 0.45, rel=0.01)
    assert after[-1] - after[1] == pytest.approx(8 / 9.8, rel=0.03)


def test_starts_are_the_least_distance_apart() -> None:
    """VISION_REQUEST_DELAY_MS: never closer, not even with nothing else to wait for."""

    async def scene() -> list[float]:
        return await starts(Limiter(Limits(6000, min_distance_s=0.5), LoopClock()), 10)

    begun = run_virtual(scene())
    assert all(later >= earlier + 0.5 for earlier, later in pairwise(begun))
    assert begun[-1] == pytest.approx(4.5, abs=0.01)


def test_a_request_larger_than_the_whole_budget_goes_alone() -> None:
    """It starts in an empty window, and the window stays closed until it has left."""

    async def scene() -> list[float]:
        limiter = Limiter(Limits(6000, 1000), LoopClock())
        return [(await limiter.acquire(tokens)).started_s for tokens in (500, 5000, 500)]

    small, large, next_small = run_virtual(scene())
    assert small == pytest.approx(0.0)
    assert large >= small + 60.0
    assert next_small >= large + 60.0


def test_tokens_that_were_not_used_come_back() -> None:
    """Estimates of 1000 that turn out as 100 let ten times as many start."""

    async def count(used: int) -> int:
        limiter = Limiter(Limits(6000, 60_000), LoopClock())
        begun = 0
        while asyncio.get_running_loop().time() < 180.0:
            limiter.observe(await limiter.acquire(1000), None, used)
            begun += 1
        return begun

    assert 1700 <= run_virtual(count(100)) <= 1810
    assert 170 <= run_virtual(count(1000)) <= 181


def test_a_large_request_does_not_starve() -> None:
    """First come, first served: small ones behind it wait."""

    async def scene() -> list[int]:
        limiter = Limiter(Limits(6000, 10_000), LoopClock())
        await limiter.acquire(9000)
        served: list[int] = []

        async def worker(tokens: int) -> None:
            await limiter.acquire(tokens)
            served.append(tokens)

        async with asyncio.TaskGroup() as crew:
            for tokens in (8000, 10, 20, 30):
                crew.create_task(worker(tokens))
        return served

    assert run_virtual(scene()) == [8000, 10, 20, 30]


def test_a_cancelled_waiter_leaves_no_trace() -> None:
    """The head and one in the middle go away: the others get their turns, and none is counted for nothing."""

    async def scene() -> list[float]:
        limiter = Limiter(Limits(60), LoopClock())
        limiter.observe(await limiter.acquire(0), None, None)
        waiting = [asyncio.create_task(limiter.acquire(0)) for _ in range(5)]
        await asyncio.sleep(0.5)
        waiting[0].cancel()
        waiting[2].cancel()
        done = await asyncio.gather(*waiting, return_exceptions=True)
        state = limiter.state()
        assert (state.waiting, state.started, state.started_last_min) == (0, 4, 4)
        return [permit.started_s for permit in done if isinstance(permit, Permit)]

    assert run_virtual(scene()) == pytest.approx([60 / 58.8 * n for n in (1, 2, 3)], abs=0.05)


def test_a_closed_limiter_starts_nothing_more() -> None:
    """The first Ctrl-C: whoever waits and whoever comes later gets LimiterClosed, at once."""

    async def scene() -> None:
        limiter = Limiter(Limits(1), LoopClock())
        await limiter.acquire(0)
        waiting = [asyncio.create_task(limiter.acquire(0)) for _ in range(5)]
        await asyncio.sleep(1.0)
        limiter.close()
        done = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(outcome, LimiterClosed) for outcome in done)
        with pytest.raises(LimiterClosed):
            await limiter.acquire(0)
        assert asyncio.get_running_loop().time() < 1.1
        assert limiter.state().started == 1

    run_virtual(scene())


def test_the_state_tells_where_things_stand() -> None:
    """What the live view shows: limits, pace, the last minute, who waits."""

    async def scene() -> None:
        limiter = Limiter(Limits(600, 100_000), LoopClock())
        permit = await limiter.acquire(1000)
        limiter.observe(permit, Allowance(500, 7, 1.0, 90_000, 80_000, 5.0), 400)
        state = limiter.state()
        assert (state.configured_per_min, state.announced_per_min) == (600, 500)
        assert (state.configured_tokens_per_min, state.announced_tokens_per_min) == (100_000, 90_000)
        assert state.pace_per_min == pytest.approx(490.0)
        assert state.tokens_pace_per_min == pytest.approx(88_200.0)
        assert (state.started_last_min, state.tokens_last_min, state.waiting) == (1, 400, 0)
        await asyncio.sleep(61.0)
        assert (limiter.state().started_last_min, limiter.state().tokens_last_min) == (0, 0)

    run_virtual(scene())


def test_limits_that_make_no_sense_are_refused() -> None:
    """The text says which value, and what would do."""
    for wrong in ({"requests_per_min": 0}, {"tokens_per_min": -1}, {"min_distance_s": -0.1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Limits(**wrong)


def test_the_brake_lingers_near_the_refused_pace() -> None:
    """From 70 % fast to within 2 %, slow around it, then ever faster: 40 s back, double after two minutes."""
    backoff = Backoff()
    backoff.cut(600.0, 0.7, from_s=0.0)
    assert [backoff.per_min(at_s) for at_s in (0.0, 40.0)] == pytest.approx([420.0, 600.0])
    assert backoff.per_min(24.0) > 588.0
    assert backoff.per_min(56.0) < 612.0
    assert backoff.per_min(130.0) > 1200.0


def test_a_meter_without_any_limit_never_waits() -> None:
    """vLLM and Ollama announce nothing: all may start."""
    meter = WindowCounter(None)
    for _ in range(1000):
        assert meter.wait_s(0.0, 1) == 0.0
        meter.start(0.0, 1)
    assert meter.in_window == 1000
