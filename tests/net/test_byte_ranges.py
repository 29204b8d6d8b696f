"""Fetching the beginning of an image, and the rest: against a server on loopback that may do it or not."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.errors import ErrorCode, FetchFault, Retry
from redzone.net import Fetched, Fetcher, NotModified, PartialFile, Validators
from redzone.net.byte_ranges import START_BYTES, Ask, ContentRange, fit
from tests.loopback import Answer, Loopback, Request, reply
from tests.net.test_fetcher import IMAGE as SMALL
from tests.net.test_fetcher import fetcher

IMAGE = b"\xff\xd8\xff" + bytes(range(251)) * 600
START = IMAGE[:START_BYTES]
SHA256 = hashlib.sha256(IMAGE).hexdigest()
TAGGED = Validators('"v1"')


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as running:
        yield running


def serving(image: bytes = IMAGE, etag: str | None = '"v1"', **more: str) -> Answer:
    """A server that does ranges, and honours If-Range."""

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        headers: dict[str, Any] = more | ({"etag": etag} if etag else {})
        wanted = request.headers.get("range")
        if wanted is None or request.headers.get("if-range", etag) != etag:
            await reply(body=image, **headers)(request, writer)
            return
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        body = image[int(first) : int(last or len(image)) + 1]
        told = f"bytes {first}-{int(first) + len(body) - 1}/{len(image)}"
        await reply(206, body, content_range=told, **headers)(request, writer)

    return answer


def part_of(fetched: Fetched | PartialFile | NotModified) -> PartialFile:
    assert isinstance(fetched, PartialFile)
    return fetched


async def both(fetch: Fetcher, url: str) -> Fetched:
    """The start, then the rest."""
    return await fetch.fetch_rest(url, part_of(await fetch.fetch_start(url)))


def ranges(server: Loopback) -> list[str | None]:
    return [request.headers.get("range") for request in server.requests]


async def test_the_start_of_an_image_comes_alone_and_the_rest_joins_it(server: Loopback) -> None:
    """64 KiB first; then what is missing of the same version, with the hash of the whole. One connection."""
    server.routes["/p.jpg"] = serving()
    async with fetcher() as fetch:
        part = await fetch.fetch_start(server.url("/p.jpg"))
        assert part == PartialFile(START, len(IMAGE), TAGGED)
        assert await fetch.fetch_rest(server.url("/p.jpg"), part_of(part)) == Fetched(IMAGE, SHA256, TAGGED)
    assert ranges(server) == ["bytes=0-65535", "bytes=65536-"]
    assert server.requests[1].headers["if-range"] == '"v1"'
    assert all(request.headers["accept-encoding"] == "identity" for request in server.requests)
    assert server.connections == 1


async def test_an_image_that_fits_into_the_start_is_whole(server: Loopback) -> None:
    """It has the hash of its file, as without ranges."""
    server.routes["/p.jpg"] = serving(SMALL)
    async with fetcher() as fetch:
        got = await fetch.fetch_start(server.url("/p.jpg"))
    assert got == Fetched(SMALL, hashlib.sha256(SMALL).hexdigest(), TAGGED)
    assert len(server.requests) == 1


async def test_a_server_that_knows_no_ranges_sends_the_whole_image(server: Loopback) -> None:
    """200 is simply the whole, read to its end."""
    server.routes["/p.jpg"] = reply(body=IMAGE, etag='"v1"')
    async with fetcher() as fetch:
        for _ in range(3):
            assert await fetch.fetch_start(server.url("/p.jpg")) == Fetched(IMAGE, SHA256, TAGGED)
    assert (len(server.requests), server.connections) == (3, 1)


@pytest.mark.parametrize(
    "odd",
    [
        reply(206, START),
        reply(206, START, content_range="bytes 1-65536/150603"),
        reply(206, START, content_range="bytes 0-65534/150603"),
        reply(206, START, content_range="bytes 0-65535/100"),
        reply(206, START, content_range="pixels 0-65535/150603"),
        reply(206, START, content_type="multipart/byteranges; boundary=x"),
        reply(416, b"no", content_range="bytes */150603"),
    ],
    ids=["no range", "elsewhere", "too short", "beyond its end", "other unit", "multipart", "416"],
)
async def test_an_answer_that_is_not_the_start_costs_one_more_request(server: Loopback, odd: Answer) -> None:
    """What does not fit is thrown away, and the whole is asked for without a range, at once."""
    server.routes["/p.jpg"] = [odd, serving()]
    async with fetcher() as fetch:
        assert await fetch.fetch_start(server.url("/p.jpg")) == Fetched(IMAGE, SHA256, TAGGED)
    assert ranges(server) == ["bytes=0-65535", None]
    assert server.connections == 1


@pytest.mark.parametrize(
    "odd",
    [
        reply(206, IMAGE[65536:], content_range=f"bytes 65536-{len(IMAGE) - 1}/*", etag='"v1"'),
        reply(206, IMAGE[65536:-1], content_range=f"bytes 65536-{len(IMAGE) - 2}/{len(IMAGE)}", etag='"v1"'),
        reply(206, IMAGE[65536:], content_range=f"bytes 65536-{len(IMAGE) - 1}/{len(IMAGE)}", etag='"v2"'),
        reply(206, IMAGE, content_range=f"bytes 0-{len(IMAGE) - 1}/{len(IMAGE)}", etag='"v1"'),
        reply(206, b"\0" + IMAGE[65536:], content_range=f"bytes 65536-{len(IMAGE)}/{len(IMAGE) + 1}"),
        reply(416, b"", content_range="bytes */10"),
    ],
    ids=["end unknown", "not to the end", "another version", "all of it", "grown", "416"],
)
async def test_a_rest_that_may_not_belong_to_the_start_is_not_joined(server: Loopback, odd: Answer) -> None:
    """The whole image is fetched afresh instead."""
    server.routes["/p.jpg"] = [serving(), odd, serving()]
    async with fetcher() as fetch:
        assert await both(fetch, server.url("/p.jpg")) == Fetched(IMAGE, SHA256, TAGGED)
    assert ranges(server) == ["bytes=0-65535", "bytes=65536-", None]


async def test_an_image_that_changes_between_start_and_rest_comes_new_and_whole(server: Loopback) -> None:
    """If-Range makes the server send all of the new version in one answer."""
    new = IMAGE[::-1]
    server.routes["/p.jpg"] = [serving(), serving(new, '"v2"')]
    async with fetcher() as fetch:
        got = await both(fetch, server.url("/p.jpg"))
    assert got == Fetched(new, hashlib.sha256(new).hexdigest(), Validators('"v2"'))
    assert len(server.requests) == 2


@pytest.mark.parametrize("etag", [None, 'W/"v1"', "v1"])
async def test_without_a_strong_etag_nothing_is_joined(server: Loopback, etag: str | None) -> None:
    """Two answers might be of two versions, and nobody would see it."""
    server.routes["/p.jpg"] = serving(etag=etag)
    async with fetcher() as fetch:
        assert (await both(fetch, server.url("/p.jpg"))).data == IMAGE
    assert ranges(server) == ["bytes=0-65535", None]


async def test_a_known_image_is_not_sent_again_in_part_either(server: Loopback) -> None:
    """The validators go along with the range."""
    server.routes["/p.jpg"] = reply(304)
    async with fetcher() as fetch:
        assert await fetch.fetch_start(server.url("/p.jpg"), Validators('"v1"')) == NotModified()
    assert server.requests[0].headers["if-none-match"] == '"v1"'
    assert ranges(server) == ["bytes=0-65535"]


async def test_redirects_and_passing_faults_are_as_ever(server: Loopback) -> None:
    """Both requests follow the redirect, ask again after a 500, and keep to their range."""
    server.routes["/a"] = reply(302, location="/p.jpg")
    server.routes["/p.jpg"] = [reply(500), serving(), reply(503), serving()]
    async with fetcher() as fetch:
        assert (await both(fetch, server.url("/a"))).data == IMAGE
    assert ranges(server) == ["bytes=0-65535"] * 4 + ["bytes=65536-"] * 4


async def fault_of(server: Loopback, **changes: Any) -> FetchFault:
    async with fetcher(**changes) as fetch:
        with pytest.raises(FetchFault) as caught:
            await both(fetch, server.url("/p.jpg"))
    return caught.value


async def test_the_size_of_the_whole_is_bounded_at_its_start(server: Loopback) -> None:
    """What the range says about the whole is enough; the start was read, so the connection lives on."""
    server.routes["/p.jpg"] = serving()
    fault = await fault_of(server, max_bytes=len(IMAGE) - 1)
    assert (fault.code, fault.retry) == (ErrorCode.IMAGE_TOO_LARGE, Retry.NO)
    assert ranges(server) == ["bytes=0-65535"]


async def test_a_rest_that_is_larger_than_it_said_is_given_up(server: Loopback) -> None:
    """Start and rest are counted together."""
    server.routes["/p.jpg"] = [
        reply(206, START, content_range="bytes 0-65535/*", etag='"v1"'),
        reply(206, bytes(65536), content_range="bytes 65536-131071/*", etag='"v1"'),
    ]
    assert (await fault_of(server, max_bytes=100_000)).code is ErrorCode.IMAGE_TOO_LARGE


@pytest.mark.parametrize("at", [0, 1])
async def test_a_compressed_part_is_refused(server: Loopback, at: int) -> None:
    """Neither start nor rest is unpacked."""
    answers = [serving(), serving()]
    answers[at] = serving(content_encoding="gzip")
    server.routes["/p.jpg"] = list(answers)
    assert (await fault_of(server)).code is ErrorCode.FETCH_BLOCKED


async def test_a_part_that_stays_short_is_asked_for_again(server: Loopback) -> None:
    """Fewer bytes than announced are no start."""
    short = reply(206, START[:100], content_length="65536", content_range=f"bytes 0-65535/{len(IMAGE)}")
    server.routes["/p.jpg"] = [short, serving()]
    async with fetcher() as fetch:
        assert part_of(await fetch.fetch_start(server.url("/p.jpg"))).data == START
    assert len(server.requests) == 2


async def test_a_file_on_disk_is_read_whole(tmp_path: Path) -> None:
    """It costs nothing to bring."""
    (tmp_path / "p.jpg").write_bytes(IMAGE)
    async with fetcher() as fetch:
        assert await fetch.fetch_start(str(tmp_path / "p.jpg")) == Fetched(IMAGE, SHA256)


@given(st.text(max_size=60) | st.from_regex(r"bytes \d{0,20}-\d{0,20}/(\d{0,20}|\*)", fullmatch=True))
def test_any_content_range_is_read_or_refused(text: str) -> None:
    """What is read makes sense: in order, and inside the whole."""
    sent = ContentRange.parse(text)
    if sent is not None:
        assert 0 <= sent.first <= sent.last
        assert sent.total is None or sent.last < sent.total


@given(
    st.binary(min_size=2, max_size=30),
    st.integers(1, 30),
    st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(1, 30) | st.none()),
)
def test_joined_parts_are_the_whole_or_nothing(
    image: bytes, cut: int, told: tuple[int, int, int | None]
) -> None:
    """Whatever the server says of a truthful body: only a rest that fits makes a whole."""
    begun = PartialFile(image[:cut], len(image), TAGGED)
    whole = Fetched(image, hashlib.sha256(image).hexdigest(), TAGGED)
    joined = fit(Ask(begun=begun), ContentRange(*told), whole)
    assert joined == (whole if told == (len(begun.data), len(image) - 1, len(image)) else None)
