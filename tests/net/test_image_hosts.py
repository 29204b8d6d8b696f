"""Image servers that want to be left alone, that are gone, and names that lead nowhere."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from redzone.clock import LoopClock
from redzone.errors import DownloadsFailing, ErrorCode, FetchFault, Retry
from redzone.net import Fetched, NotModified, Validators
from redzone.net.image_hosts import DownloadBreaker, HostHolds
from redzone.net.name_lookup import REMEMBERED_S, NameLookup
from tests.loopback import Loopback, Request, reply
from tests.net.test_fetcher import IMAGE, HastyClock, fetcher
from tests.virtual_time import run_virtual

FAULT = FetchFault(ErrorCode.FETCH_NETWORK, "connection refused", Retry.TRANSIENT)


class HandedClock:
    """Time that passes only when somebody sleeps."""

    now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        await asyncio.sleep(0)

    now = LoopClock.now


async def test_a_rate_limited_image_server_costs_waits_and_no_poster() -> None:
    """It serves 10 downloads, then asks for a second's wait, again and again: all 100 posters arrive, though
    each may try only once more after other faults."""
    clock = HastyClock()
    served = 0

    async def limited(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        served += 1
        answer = reply(429, retry_after="1") if served % 11 == 0 else reply(body=IMAGE)
        await answer(request, writer)

    async with Loopback({"/p.jpg": limited}) as server, fetcher(clock, retries=1) as fetch:
        got = await asyncio.gather(*(fetch.fetch(server.url(f"/p.jpg?{n}")) for n in range(100)))
    assert all(isinstance(image, Fetched) for image in got)


async def test_a_hold_pauses_the_poster_and_ends_at_its_bound() -> None:
    """The caller's own clock stands still meanwhile; a server that never gives in is a fault."""
    clock, pauses = HastyClock(), []

    @contextmanager
    def paused() -> Any:
        pauses.append(1)
        yield

    async with (
        Loopback({"/p.jpg": reply(503, retry_after="7")}) as server,
        fetcher(clock, hold_max_s=60.0) as fetch,
    ):
        with pytest.raises(FetchFault, match="HTTP 503"):
            await fetch.fetch(server.url("/p.jpg"), None, paused)
    assert 50 <= sum(clock.slept) <= 60
    assert pauses


def test_everybody_waits_for_a_held_host_and_half_of_them_start_again() -> None:
    async def scenario() -> list[float]:
        loop, holds, times = asyncio.get_running_loop(), HostHolds(LoopClock()), list[float]()

        async def download() -> None:
            await holds.wait("cdn")
            holds.began("cdn")
            times.append(loop.time())
            await asyncio.sleep(1)
            holds.ended("cdn", succeeded=True)

        for _ in range(8):
            holds.began("cdn")
        began_s = loop.time()
        holds.hold("cdn", 5.0)
        for _ in range(8):
            holds.ended("cdn", succeeded=False)
        assert holds.may_start("another")
        await asyncio.gather(*(download() for _ in range(8)))
        return [time - began_s for time in times]

    times = run_virtual(scenario())
    assert min(times) >= 5.0
    assert sum(time < 5.5 for time in times) == 4
    assert max(times) < 8


def test_the_breaker_needs_time_and_all_hosts() -> None:
    """A lone host that is gone stops the run; one dead host among live ones does not."""
    clock = HandedClock()
    breaker = DownloadBreaker(3, 5.0, clock)
    for _ in range(3):
        breaker.failed("cdn", FAULT)
    clock.now_s = 6.0
    with pytest.raises(DownloadsFailing, match=r"4 downloads in a row from cdn .* connection refused"):
        breaker.failed("cdn", FAULT)
    mixed = DownloadBreaker(3, 5.0, clock)
    mixed.succeeded("live")
    for _ in range(9):
        mixed.failed("dead", FAULT)
        clock.now_s += 1
    mixed.failed("dead2", FAULT)
    with pytest.raises(DownloadsFailing, match="from 3 hosts"):
        mixed.failed("dead3", FAULT)


async def test_a_dead_image_server_ends_the_run_and_missing_images_do_not() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with fetcher(breaker_failures=5, breaker_s=0.0) as fetch:
            for number in range(4):
                with pytest.raises(FetchFault):
                    await fetch.fetch(f"{gone}/{number}.jpg")
            with pytest.raises(DownloadsFailing, match=r"127\.0\.0\.1.*Connect call failed.*redzone resume"):
                await fetch.fetch(f"{gone}/5.jpg")
    async with Loopback() as server, fetcher(breaker_failures=2, breaker_s=0.0) as fetch:
        for number in range(6):
            with pytest.raises(FetchFault, match="HTTP 404"):
                await fetch.fetch(server.url(f"/{number}.jpg"))


async def test_equal_addresses_in_flight_are_one_download() -> None:
    async with Loopback({"/p.jpg": reply(body=IMAGE)}) as server, fetcher() as fetch:
        got = await asyncio.gather(*(fetch.fetch(server.url("/p.jpg")) for _ in range(50)))
        assert len(server.requests) == 1
        assert {image.sha256 for image in got if isinstance(image, Fetched)} == {got[0].sha256}  # type: ignore[union-attr]
        await fetch.fetch(server.url("/p.jpg"))
    assert len(server.requests) == 2


async def test_recent_images_are_kept_up_to_a_number_of_bytes() -> None:
    async with (
        Loopback({"/p.jpg": reply(body=IMAGE)}) as server,
        fetcher(recent_bytes=2 * len(IMAGE)) as fetch,
    ):
        for _ in range(200):
            await fetch.fetch(server.url("/p.jpg"))
        assert len(server.requests) == 1
        for number in range(3):
            await fetch.fetch(server.url(f"/p.jpg?{number}"))
        await fetch.fetch(server.url("/p.jpg"))
    assert len(server.requests) == 5


async def test_one_hanging_download_fails_once_for_all_who_wait() -> None:
    """They do not take turns at waiting for it."""
    hung = 0

    async def hang(*_: object) -> None:
        nonlocal hung
        hung += 1
        await asyncio.Event().wait()

    async with Loopback({"/p.jpg": hang}) as server, fetcher(total_timeout_s=0.2, retries=0) as fetch:
        faults = await asyncio.gather(
            *(fetch.fetch(server.url("/p.jpg")) for _ in range(20)), return_exceptions=True
        )
    assert all(isinstance(fault, FetchFault) and fault.code is ErrorCode.FETCH_TIMEOUT for fault in faults)
    assert hung == 1


async def test_a_download_goes_on_when_the_first_to_ask_leaves() -> None:
    reached, go = asyncio.Event(), asyncio.Event()

    async def late(request: Request, writer: asyncio.StreamWriter) -> None:
        reached.set()
        await go.wait()
        await reply(body=IMAGE)(request, writer)

    async with Loopback({"/p.jpg": late}) as server, fetcher() as fetch:
        first, second = (asyncio.create_task(fetch.fetch(server.url("/p.jpg"))) for _ in range(2))
        await reached.wait()
        first.cancel()
        go.set()
        assert isinstance(await second, Fetched)
    assert len(server.requests) == 1


async def test_validators_stay_with_the_address_that_issued_them() -> None:
    """Neither are they sent to the target of a redirect, nor are those of a target kept for the redirecting
    address, nor does a 304 from elsewhere count."""
    async with Loopback() as server, fetcher() as fetch:
        server.routes["/a"] = reply(302, location="/b")
        server.routes["/b"] = reply(body=IMAGE, etag='"b"')
        got = await fetch.fetch(server.url("/a"), Validators('"a"'))
        assert isinstance(got, Fetched)
        assert got.validators is None
        assert [request.headers.get("if-none-match") for request in server.requests] == ['"a"', None]
        server.routes["/b"] = reply(304)
        with pytest.raises(FetchFault, match="304"):
            await fetch.fetch(server.url("/a"), Validators('"a"'))
        server.routes["/a"] = reply(304)
        assert await fetch.fetch(server.url("/a"), Validators('"a"')) == NotModified()


async def test_user_agent_and_referer_are_settings() -> None:
    async with (
        Loopback({"/p.jpg": reply(body=IMAGE)}) as server,
        fetcher(user_agent="Mozilla/5.0", referer="https://shop.example/") as fetch,
    ):
        await fetch.fetch(server.url("/p.jpg"))
    assert server.requests[0].headers["user-agent"] == "Mozilla/5.0"
    assert server.requests[0].headers["referer"] == "https://shop.example/"


async def test_slow_dead_names_do_not_delay_live_ones() -> None:
    """Sixty lookups hang; a live name is found meanwhile, and the default executor has nothing to do."""
    release = threading.Event()

    def resolver(host: str, port: int) -> Sequence[str]:
        if host.startswith("dead"):
            release.wait(10)
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return ["127.0.0.1"]

    lookup = NameLookup(resolver)
    dead = [asyncio.create_task(lookup(f"dead{number}", 80)) for number in range(60)]
    try:
        async with asyncio.timeout(5):
            assert await lookup("live", 80) == ["127.0.0.1"]
    finally:
        release.set()
        await asyncio.gather(*dead, return_exceptions=True)


async def test_a_name_that_failed_is_remembered_for_a_while() -> None:
    now_s, asked = 0.0, []

    def resolver(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    lookup = NameLookup(resolver, lambda: now_s)
    together = await asyncio.gather(*(lookup("dead", 80) for _ in range(9)), return_exceptions=True)
    assert all(isinstance(error, OSError) for error in together)
    with pytest.raises(OSError, match="not known"):
        await lookup("dead", 443)
    assert asked == ["dead"]
    assert lookup.has_failed("dead")
    now_s = REMEMBERED_S + 1
    assert not lookup.has_failed("dead")
    with pytest.raises(OSError, match="not known"):
        await lookup("dead", 80)
    assert asked == ["dead"] * 2


async def test_a_quick_temporary_failure_is_not_remembered() -> None:
    answers: list[Sequence[str]] = [["127.0.0.1"]]
    failures = [socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")]

    def resolver(host: str, port: int) -> Sequence[str]:
        if failures:
            raise failures.pop()
        return answers[0]

    lookup = NameLookup(resolver, lambda: 0.0)
    with pytest.raises(OSError, match="Temporary"):
        await lookup("live", 80)
    assert await lookup("live", 80) == ["127.0.0.1"]
