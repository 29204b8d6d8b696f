"""A part of a poster, as RFC 9110 has it: asked over HTTP, answered by the simulator."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.bench.simulator.artwork import poster_file
from redzone.bench.simulator.faults import Fault
from redzone.bench.simulator.http_server import HttpReply, HttpRequest
from redzone.bench.simulator.image_api import LAST_MODIFIED, apply_range
from redzone.bench.simulator.server import Simulator, SimulatorOptions

SMALL = (60, 90)
FILE = poster_file(1, SMALL, ".jpg")
SIZE = len(FILE)


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(SimulatorOptions(poster_size=SMALL)) as running:
        yield running


async def answer_to(simulator: Simulator, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx2.AsyncClient(trust_env=False, timeout=5) as http:
        return await http.get(simulator.poster_url(1), headers=named)


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-99", 0, 99),
        ("bytes=100-", 100, SIZE - 1),
        ("BYTES=7-8", 7, 8),
        ("bytes=5-999999", 5, SIZE - 1),
        ("bytes=-10", SIZE - 10, SIZE - 1),
        ("bytes=-999999", 0, SIZE - 1),
    ],
)
async def test_a_range_is_answered_with_just_these_bytes(
    simulator: Simulator, asked: str, first: int, last: int
) -> None:
    """206, where the bytes lie in the file, and the version that they are of."""
    answer = await answer_to(simulator, range=asked)
    assert answer.status_code == 206
    assert answer.content == FILE[first : last + 1]
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{SIZE}"
    assert answer.headers["content-length"] == str(last + 1 - first)
    assert answer.headers["etag"].startswith('"1-')
    assert simulator.log[0].sent_bytes == last + 1 - first


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={SIZE + 5}-{SIZE + 9}", "bytes=-0"])
async def test_a_range_behind_the_end_is_a_416_that_says_where_the_end_is(
    simulator: Simulator, asked: str
) -> None:
    """No bytes, and their number."""
    answer = await answer_to(simulator, range=asked)
    assert (answer.status_code, answer.content) == (416, b"")
    assert answer.headers["content-range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize(
    "asked", ["bytes=9-3", "bytes=-", "bytes=0-1,5-6", "pixels=0-9", "bytes 0-9", "0-9", "bytes=a-b"]
)
async def test_what_is_no_single_byte_range_gets_the_whole_file(simulator: Simulator, asked: str) -> None:
    """As the standard asks for nonsense and allows for several ranges."""
    answer = await answer_to(simulator, range=asked)
    assert (answer.status_code, answer.content) == (200, FILE)
    assert answer.headers["accept-ranges"] == "bytes"
    assert "content-range" not in answer.headers


async def test_if_range_lets_through_this_version_only(simulator: Simulator) -> None:
    """By the very etag or date; by no weak etag, by no other's, by no other date."""
    etag = (await answer_to(simulator)).headers["etag"]
    for same in (etag, LAST_MODIFIED):
        assert (await answer_to(simulator, range="bytes=5-9", if_range=same)).status_code == 206
    for other in (f"W/{etag}", '"other"', "Thu, 01 Jan 2026 00:00:01 GMT", ""):
        answer = await answer_to(simulator, range="bytes=5-9", if_range=other)
        assert (answer.status_code, answer.content) == (200, FILE)


async def test_an_unchanged_poster_is_not_sent_in_part_either(simulator: Simulator) -> None:
    """If-None-Match goes before Range."""
    etag = (await answer_to(simulator)).headers["etag"]
    assert (await answer_to(simulator, range="bytes=0-9", if_none_match=etag)).status_code == 304
    assert (await answer_to(simulator, range="bytes=0-9", if_none_match='"old"')).status_code == 206


async def test_a_page_that_is_no_poster_has_no_parts() -> None:
    """A sign-in page comes whole, as from most servers."""
    options = SimulatorOptions(faults={Fault.IMAGE_HTML: 1.0})
    async with Simulator(options) as simulator:
        answer = await answer_to(simulator, range="bytes=0-9")
    assert answer.status_code == 200
    assert answer.content.startswith(b"<!doctype html>")


@given(st.binary(max_size=40), st.integers(0, 50), st.integers(0, 50) | st.none())
def test_parts_that_follow_one_another_are_the_file(body: bytes, first: int, length: int | None) -> None:
    """Whatever is cut where: before, part and after, put together, or an honest refusal."""
    last = None if length is None else first + length
    wanted = f"bytes={first}-{'' if last is None else last}"
    request = HttpRequest("GET", "/posters/1.jpg", {}, {"range": wanted}, b"")
    part = apply_range(HttpReply(200, body, "image/jpeg", [("etag", '"1"')]), request)
    if first >= len(body):
        assert (part.status, part.body) == (416, b"")
        return
    assert part.status == 206
    end = len(body) if last is None else min(last + 1, len(body))
    assert body[:first] + part.body + body[end:] == body
    assert dict(part.headers)["content-range"] == f"bytes {first}-{end - 1}/{len(body)}"
