"""Fetching against a real server on loopback and real files."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import socket
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redzone.clock import LoopClock
from redzone.errors import ErrorCode, FetchFault, Retry
from redzone.net import Fetched, Fetcher, FetchOptions, NotModified, Validators
from redzone.net.errors import excerpt
from redzone.net.ssrf_guard import GuardedBackend, any_address, is_public
from tests.loopback import Answer, Loopback, Request, drip, hang_up, reply
from tests.virtual_time import run_virtual

SEEDED = Random(7)  # noqa: S311 - jitter, not a secret
IMAGE = b"\xff\xd8\xff" + bytes(range(256)) * 40


class HastyClock:
    """Real time, except that a sleep is over at once; `slept` says for how long it would have been."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return time.monotonic() + sum(self.slept)

    def now(self) -> datetime:
        return datetime(2026, 11, 1, 12, 0, tzinfo=UTC)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


TRUSTING = FetchOptions(allow_private_hosts=True)


def fetcher(clock: HastyClock | None = None, **changes: Any) -> Fetcher:
    return Fetcher(replace(TRUSTING, **changes), clock or HastyClock(), SEEDED)


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as running:
        yield running


async def fault_of(reference: str, **changes: Any) -> FetchFault:
    async with fetcher(**changes) as fetch:
        with pytest.raises(FetchFault) as caught:
            await fetch.fetch(reference)
    return caught.value


async def test_an_image_comes_with_its_hash_and_validators(server: Loopback) -> None:
    """The bytes are those of the server; the hash is theirs; etag and date are kept."""
    date = "Sun, 01 Nov 2026 10:00:00 GMT"
    server.routes["/p.jpg"] = reply(body=IMAGE, etag='"v1"', last_modified=date)
    async with fetcher() as fetch:
        got = await fetch.fetch(server.url("/p.jpg"))
    assert got == Fetched(IMAGE, hashlib.sha256(IMAGE).hexdigest(), Validators('"v1"', date))
    headers = server.requests[0].headers
    assert headers["accept-encoding"] == "identity"
    assert headers["user-agent"].startswith("redzone/")
    assert headers["host"] == f"127.0.0.1:{server.port}"
    assert "cookie" not in headers


async def test_a_known_image_is_not_sent_again(server: Loopback) -> None:
    """The validators go back to the server, and its 304 means NotModified."""
    server.routes["/p.jpg"] = reply(304)
    async with fetcher() as fetch:
        assert await fetch.fetch(server.url("/p.jpg"), Validators('"v1"', "yesterday")) == NotModified()
    assert server.requests[0].headers["if-none-match"] == '"v1"'
    assert server.requests[0].headers["if-modified-since"] == "yesterday"


async def test_a_304_to_a_plain_question_is_a_fault(server: Loopback) -> None:
    """Without validators sent there is nothing that could be unchanged."""
    server.routes["/p.jpg"] = reply(304)
    assert (await fault_of(server.url("/p.jpg"))).code is ErrorCode.FETCH_NETWORK


async def test_connections_are_used_again_even_after_error_pages(server: Loopback) -> None:
    """Ten posters, half of them missing, take one connection."""
    server.routes["/p.jpg"] = reply(body=IMAGE)
    async with fetcher() as fetch:
        for _ in range(5):
            assert isinstance(await fetch.fetch(server.url("/p.jpg")), Fetched)
            with pytest.raises(FetchFault, match="HTTP 404"):
                await fetch.fetch(server.url("/gone.jpg"))
    assert server.connections == 1


@pytest.mark.parametrize(
    ("status", "code", "retry", "asked"),
    [
        (401, ErrorCode.FETCH_HTTP_401, Retry.NO, 1),
        (403, ErrorCode.FETCH_HTTP_403, Retry.NO, 1),
        (404, ErrorCode.FETCH_HTTP_404, Retry.NO, 1),
        (408, ErrorCode.FETCH_HTTP_4XX, Retry.TRANSIENT, 4),
        (410, ErrorCode.FETCH_HTTP_410, Retry.NO, 1),
        (418, ErrorCode.FETCH_HTTP_4XX, Retry.NO, 1),
        (429, ErrorCode.FETCH_HTTP_429, Retry.RATE_LIMIT, 4),
        (500, ErrorCode.FETCH_HTTP_5XX, Retry.TRANSIENT, 4),
        (503, ErrorCode.FETCH_HTTP_5XX, Retry.TRANSIENT, 4),
        (206, ErrorCode.FETCH_NETWORK, Retry.NO, 1),
    ],
)
async def test_a_status_decides_about_another_try(
    server: Loopback, status: int, code: ErrorCode, retry: Retry, asked: int
) -> None:
    """Overload and server errors are asked again, up to the retries; refusals are final."""
    server.routes["/p.jpg"] = reply(
        status, b"<html><title>Sorry</title><script>x()</script>  not <b>now</b>\x1b[2J"
    )
    fault = await fault_of(server.url("/p.jpg"))
    assert (fault.code, fault.retry) == (code, retry)
    assert f"HTTP {status}" in fault.message
    assert fault.message.endswith("/p.jpg: Sorry not now [2J")
    assert len(server.requests) == asked


@pytest.mark.parametrize(
    "first", [reply(500), reply(429, retry_after="3"), hang_up, reply(body=b"x", content_length="9")]
)
async def test_a_passing_fault_costs_a_pause_and_nothing_else(server: Loopback, first: Answer) -> None:
    """Error, rate limit, hung-up connection and cut-off body are followed by the image."""
    server.routes["/p.jpg"] = [first, reply(body=IMAGE)]
    clock = HastyClock()
    async with fetcher(clock) as fetch:
        got = await fetch.fetch(server.url("/p.jpg"))
    assert isinstance(got, Fetched)
    assert got.data == IMAGE
    assert len(clock.slept) == 1


async def test_the_server_decides_the_pause_within_bounds(server: Loopback) -> None:
    """Retry-After is honoured; an hour is not waited for, since the time is up before."""
    clock = HastyClock()
    server.routes["/p.jpg"] = [
        reply(429, retry_after="3"),
        reply(503, retry_after="Sun, 01 Nov 2026 12:00:05 GMT"),
        reply(body=IMAGE),
    ]
    async with fetcher(clock) as fetch:
        await fetch.fetch(server.url("/p.jpg"))
    assert clock.slept == [3.0, 5.0]

    server.routes["/q.jpg"] = reply(429, retry_after="3600")
    clock = HastyClock()
    async with fetcher(clock, retry_after_max_s=20.0, total_timeout_s=30.0) as fetch:
        with pytest.raises(FetchFault) as caught:
            await fetch.fetch(server.url("/q.jpg"))
    assert caught.value.retry_after_s == 3600.0
    assert clock.slept == [20.0]


async def test_pauses_grow_and_never_exceed_their_ceiling(server: Loopback) -> None:
    """Full jitter: between nothing and base * 2^n, at most the maximum."""
    clock = HastyClock()
    server.routes["/p.jpg"] = reply(500)
    async with fetcher(
        clock, retries=6, backoff_base_s=1.0, backoff_max_s=4.0, total_timeout_s=60.0
    ) as fetch:
        with pytest.raises(FetchFault):
            await fetch.fetch(server.url("/p.jpg"))
    assert len(clock.slept) == 6
    assert all(
        0.0 <= pause <= ceiling for pause, ceiling in zip(clock.slept, [1, 2, 4, 4, 4, 4], strict=True)
    )


async def test_a_slow_drip_ends_with_the_total_timeout(server: Loopback) -> None:
    """A byte every 10 ms never trips a phase timeout, and still the fetch ends in time."""
    server.routes["/p.jpg"] = drip(0.01)
    began = time.monotonic()
    fault = await fault_of(server.url("/p.jpg"), total_timeout_s=0.2)
    assert (fault.code, fault.retry) == (ErrorCode.FETCH_TIMEOUT, Retry.TRANSIENT)
    assert "within 0.2 s" in fault.message
    assert time.monotonic() - began < 2.0


async def test_a_silent_server_is_a_timeout_that_is_tried_again(server: Loopback) -> None:
    """The read timeout is a phase of one try."""

    async def silence(*_: object) -> None:
        await asyncio.Event().wait()

    server.routes["/p.jpg"] = [silence, reply(body=IMAGE)]
    async with fetcher(read_timeout_s=0.05) as fetch:
        assert isinstance(await fetch.fetch(server.url("/p.jpg")), Fetched)


async def test_a_dripping_error_page_does_not_hide_its_status(
    server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is waited for briefly; the fault is the status all the same."""
    monkeypatch.setattr("redzone.net.fetcher.ERROR_PAGE_WAIT_S", 0.05)
    server.routes["/p.jpg"] = drip(
        0.01, head=b"HTTP/1.1 404 Gone\r\nContent-Length: 999\r\n\r\nno such poster"
    )
    fault = await fault_of(server.url("/p.jpg"))
    assert fault.code is ErrorCode.FETCH_HTTP_404
    assert "no such poster" in fault.message


async def test_an_endless_error_page_is_cut_off(server: Loopback) -> None:
    """The start is enough for the message."""
    server.routes["/p.jpg"] = drip(0.0, head=b"HTTP/1.1 403 No\r\n\r\n" + b"keep out " * 9_000)
    fault = await fault_of(server.url("/p.jpg"))
    assert fault.code is ErrorCode.FETCH_HTTP_403
    assert "keep out" in fault.message


async def test_a_body_over_the_limit_is_given_up_early(server: Loopback) -> None:
    """By its announced length before the first byte, and without one as soon as the count is over."""
    server.routes["/announced"] = reply(body=b"x", content_length="99999999999")
    server.routes["/endless"] = drip(0.0, head=b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 50_000)
    for path in ("/announced", "/endless"):
        fault = await fault_of(server.url(path), max_bytes=10_000)
        assert (fault.code, fault.retry) == (ErrorCode.IMAGE_TOO_LARGE, Retry.NO)
        assert "10,000 bytes" in fault.message
    assert len(server.requests) == 2


async def test_exactly_the_limit_is_allowed(server: Loopback) -> None:
    """The limit itself still fits."""
    server.routes["/p.jpg"] = reply(body=IMAGE)
    async with fetcher(max_bytes=len(IMAGE)) as fetch:
        assert isinstance(await fetch.fetch(server.url("/p.jpg")), Fetched)


async def test_a_body_that_stays_short_is_a_passing_fault_to_the_end(server: Loopback) -> None:
    """Fewer bytes than announced are never handed on as an image."""
    server.routes["/p.jpg"] = reply(body=IMAGE[:100], content_length=str(len(IMAGE)))
    fault = await fault_of(server.url("/p.jpg"))
    assert (fault.code, fault.retry) == (ErrorCode.FETCH_NETWORK, Retry.TRANSIENT)
    assert len(server.requests) == 4


async def test_a_compressed_body_is_refused(server: Loopback) -> None:
    """What was not accepted is not unpacked: 10 MB in 10 kB are never seen."""
    bomb = gzip.compress(bytes(10_000_000))
    server.routes["/p.jpg"] = reply(body=bomb, content_encoding="gzip")
    fault = await fault_of(server.url("/p.jpg"))
    assert (fault.code, fault.retry) == (ErrorCode.FETCH_BLOCKED, Retry.NO)
    assert "gzip" in fault.message


async def test_an_html_page_is_handed_on_as_it_is(server: Loopback) -> None:
    """What kind of bytes these are is decided when they are decoded, never by a header."""
    page = b"<!doctype html><title>Log in</title>"
    server.routes["/p.jpg"] = reply(body=page, content_type="image/jpeg")
    async with fetcher() as fetch:
        got = await fetch.fetch(server.url("/p.jpg"))
    assert isinstance(got, Fetched)
    assert got.data == page


async def test_redirects_are_followed_with_the_query_and_the_relative_path(server: Loopback) -> None:
    """Relative, absolute and permanent redirects lead to the image."""
    server.routes["/a/one"] = reply(302, location="two?w=500")
    server.routes["/a/two"] = reply(308, location=server.url("/three#x"))
    server.routes["/three"] = reply(body=IMAGE)
    async with fetcher() as fetch:
        assert isinstance(await fetch.fetch(server.url("/a/one")), Fetched)
    assert [request.target for request in server.requests] == ["/a/one", "/a/two?w=500", "/three"]


async def test_a_redirect_loop_ends(server: Loopback) -> None:
    """One request and five redirects are followed, and then no more."""
    server.routes["/p.jpg"] = reply(302, location="/p.jpg")
    fault = await fault_of(server.url("/p.jpg"))
    assert (fault.code, fault.retry) == (ErrorCode.FETCH_NETWORK, Retry.NO)
    assert len(server.requests) == 6


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:image/png;base64,AA"])
async def test_a_redirect_leaves_http_never(server: Loopback, location: str) -> None:
    """A server cannot make us read a file."""
    server.routes["/p.jpg"] = reply(302, location=location)
    assert (await fault_of(server.url("/p.jpg"))).code is ErrorCode.FETCH_BLOCKED


@pytest.mark.parametrize(
    "inside", ["127.0.0.2", "10.0.0.7", "169.254.169.254", "[::ffff:127.0.0.2]", "2130706434"]
)
async def test_every_hop_of_a_redirect_is_checked_again(server: Loopback, inside: str) -> None:
    """A public host that redirects inside is as blocked as an inside address itself."""
    server.routes["/p.jpg"] = reply(302, location=f"http://{inside}:{server.port}/secret")
    # the guard takes 127.0.0.1 for a public address, so that there is a public server to begin with
    network = GuardedBackend(allows=lambda address: address == "127.0.0.1" or is_public(address))
    async with Fetcher(FetchOptions(), HastyClock(), SEEDED, network) as fetch:
        with pytest.raises(FetchFault) as caught:
            await fetch.fetch(server.url("/p.jpg"))
    assert caught.value.code is ErrorCode.FETCH_BLOCKED
    assert [request.target for request in server.requests] == ["/p.jpg"]


@pytest.mark.parametrize(
    "reference",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://[::1]/",
        "http://[::ffff:7f00:1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[fe80::1%25lo]/",
        "http://localhost/",
        "file:///etc/passwd",
        "FILE:/etc/passwd",
        "ftp://1.1.1.1/x",
        "data:image/png;base64,AAAA",
    ],
)
async def test_an_inside_address_is_never_asked(reference: str) -> None:
    """With the default options the answer is a final fault, before any connection."""
    fault = await fault_of(reference, allow_private_hosts=False, total_timeout_s=5.0)
    assert fault.code in {ErrorCode.FETCH_BLOCKED, ErrorCode.FETCH_NETWORK}
    assert fault.code is ErrorCode.FETCH_BLOCKED or "resolved" in fault.message


async def test_a_name_is_sent_to_the_server_whose_address_was_checked(server: Loopback) -> None:
    """The request names the host of the address, although the connection goes to a number."""
    server.routes["/p.jpg"] = reply(body=IMAGE)

    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    network = GuardedBackend(resolve, any_address)
    async with Fetcher(FetchOptions(), HastyClock(), SEEDED, network) as fetch:
        await fetch.fetch(server.url("/p.jpg", host="posters.example"))
    assert server.requests[0].headers["host"] == f"posters.example:{server.port}"


async def test_a_host_without_a_server_is_a_passing_network_fault() -> None:
    """A refused connection is tried again, and told with its cause."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        fault = await fault_of(f"http://127.0.0.1:{taken.getsockname()[1]}/p.jpg")
    assert "Connect call failed" in fault.message
    assert (fault.code, fault.retry) == (ErrorCode.FETCH_NETWORK, Retry.TRANSIENT)


async def test_credentials_go_to_the_server_and_not_into_the_message(server: Loopback) -> None:
    """`user:password@` becomes a header for that host only, and a message has neither."""
    server.routes["/p.jpg"] = reply(302, location=server.url("/q.jpg"))
    address = server.url("/p.jpg?sig=abcdef", host="user:p%40ss@127.0.0.1")
    fault = await fault_of(address)
    assert server.requests[0].headers["authorization"] == "Basic dXNlcjpwQHNz"
    assert "authorization" not in server.requests[1].headers
    assert fault.code is ErrorCode.FETCH_HTTP_404
    server.routes["/p.jpg"] = reply(403)
    fault = await fault_of(address)
    assert not any(secret in fault.message for secret in ("p%40ss", "p@ss", "abcdef"))


async def test_cookies_are_not_kept(server: Loopback) -> None:
    """Thousands of posters do not fill a jar, and no host learns of another."""
    server.routes["/p.jpg"] = reply(body=IMAGE, set_cookie="a=b; Path=/")
    async with fetcher() as fetch:
        await fetch.fetch(server.url("/p.jpg"))
        await fetch.fetch(server.url("/p.jpg"))
    assert "cookie" not in server.requests[1].headers


async def test_cancelled_fetches_leave_the_pool_whole(server: Loopback) -> None:
    """200 fetches cancelled while they wait for one of 2 connections or for bytes, and all slots are free."""
    server.routes["/slow"] = drip(0.01)
    server.routes["/p.jpg"] = reply(body=IMAGE)
    async with fetcher(pool_maxsize=2, pool_keepalive=2, pool_timeout_s=5.0) as fetch:
        for _ in range(5):
            waiting = [asyncio.create_task(fetch.fetch(server.url(f"/slow?{n}"))) for n in range(40)]
            await asyncio.sleep(0.01)
            for task in waiting:
                task.cancel()
            gone = await asyncio.gather(*waiting, return_exceptions=True)
            assert all(isinstance(result, asyncio.CancelledError) for result in gone)
        images = await asyncio.gather(*(fetch.fetch(server.url(f"/p.jpg?{n}")) for n in range(20)))
    assert all(isinstance(image, Fetched) for image in images)


async def test_a_full_pool_is_told_as_a_timeout(server: Loopback) -> None:
    """Whoever waits too long for a connection learns what was missing."""
    reached = asyncio.Event()

    async def hold(*_: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    server.routes["/slow"] = hold
    async with fetcher(pool_maxsize=1, pool_timeout_s=0.05, retries=0) as fetch:
        first = asyncio.create_task(fetch.fetch(server.url("/slow")))
        await reached.wait()
        with pytest.raises(FetchFault, match="PoolTimeout") as caught:
            await fetch.fetch(server.url("/slow?another"))
        assert caught.value.code is ErrorCode.FETCH_TIMEOUT
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


async def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    """Any name, also one with a colon; no validators, since reading is as cheap as asking."""
    file = tmp_path / "Alien: Romulus #1?.jpg"
    file.write_bytes(IMAGE * 200)
    async with fetcher() as fetch:
        got = await fetch.fetch(str(file))
    assert got == Fetched(IMAGE * 200, hashlib.sha256(IMAGE * 200).hexdigest(), None)


async def test_what_is_no_file_is_missing(tmp_path: Path) -> None:
    """Nothing there, a folder, a pipe without a writer, a device, a socket and an impossible name: no
    hang, no image."""
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
    places = [
        tmp_path / "none.jpg",
        tmp_path,
        tmp_path / "pipe",
        tmp_path / "socket",
        "/dev/zero",
        "a\0b",
        "",
    ]
    for place in places:
        fault = await fault_of(str(place), total_timeout_s=5.0)
        assert (fault.code, fault.retry) == (ErrorCode.FETCH_MISSING, Retry.NO)


async def test_a_file_over_the_limit_is_too_large(tmp_path: Path) -> None:
    """The same limit as for bodies."""
    (tmp_path / "p.jpg").write_bytes(IMAGE)
    fault = await fault_of(str(tmp_path / "p.jpg"), max_bytes=100)
    assert fault.code is ErrorCode.IMAGE_TOO_LARGE


async def test_a_fetcher_works_only_while_it_is_open() -> None:
    """Using it outside its block is a mistake of ours, not a fault of the poster."""
    with pytest.raises(RuntimeError, match="async with"):
        await fetcher().fetch("http://127.0.0.1/p.jpg")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=400))
async def test_any_answer_is_bytes_or_a_fault(data: bytes) -> None:
    """Whatever a server writes, alone or after a status line: bytes or a FetchFault, nothing else."""

    async def answer(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(data if len(data) % 2 else b"HTTP/1.1 200 OK\r\n" + data)
        writer.close()

    async with Loopback({"/p.jpg": answer}) as server, fetcher(retries=0, total_timeout_s=5.0) as fetch:
        try:
            got = await fetch.fetch(server.url("/p.jpg"))
        except FetchFault:
            return
        assert isinstance(got, Fetched)


@given(st.binary(max_size=3000))
def test_an_excerpt_is_short_and_printable(body: bytes) -> None:
    """Nothing of an error page can steer a terminal or flood a log."""
    words = excerpt(body)
    assert len(words) <= 120
    assert words.isprintable()
    assert excerpt(b"<script>" + body) == "" or b"</script" in body.lower()


def test_downloads_can_be_spaced() -> None:
    """At 4 a second the ninth turn comes two seconds after the first, with nobody let through early."""

    async def scenario() -> list[float]:
        loop = asyncio.get_running_loop()
        async with Fetcher(FetchOptions(max_per_s=4), LoopClock(), Random(1)) as fetcher:  # noqa: S311
            times = []
            for _ in range(9):
                await fetcher.turn()
                times.append(loop.time())
            return times

    times = run_virtual(scenario())
    assert [round(time - times[0], 2) for time in times] == [0.25 * number for number in range(9)]
