"""Thumbnails on demand: what is fetched, what is kept, what is said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from redzone.clock import LoopClock
from redzone.imaging.render import frame
from redzone.models import BadRow, Poster, Status, ViewKind
from redzone.thumbnails import (
    FetchPolicy,
    Missing,
    Picture,
    Scaled,
    Seen,
    Thumbnail,
    Thumbnails,
    ZoneOnly,
    collected,
    poster_picture,
)
from redzone.thumbnails.service import DOWNLOADS, FAILED_S, FRESH_S
from tests.loopback import Answer, Loopback, Request, reply
from tests.outcomes import outcome
from tests.thumbnails.samples import LOOPBACK, OTHER, POSTER, RED, opened, sha256

GRID = Scaled(400)


@dataclass
class ShiftedClock(LoopClock):
    """The loop's time and what a test adds to it."""

    ahead_s: float = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as running:
        running.routes["/p.jpg"] = reply(body=POSTER)
        yield running


@pytest.fixture
async def thumbnails(tmp_path: Path) -> AsyncIterator[Thumbnails]:
    async with Thumbnails(tmp_path) as made:
        yield made


async def made_by(thumbnails: Thumbnails, picture: Picture, policy: FetchPolicy = LOOPBACK) -> Thumbnail:
    got = await thumbnails.get(picture, GRID, policy)
    assert isinstance(got, Thumbnail)
    return got


async def test_a_picture_is_fetched_once_and_kept_for_later_processes(
    server: Loopback, tmp_path: Path
) -> None:
    """The second dashboard finds the content that was judged, and asks nobody."""
    picture = Picture(server.url("/p.jpg"), sha256(POSTER))
    for _ in range(2):
        async with Thumbnails(tmp_path) as thumbnails:
            got = await made_by(thumbnails, picture)
            assert (got.sha256, got.changed) == (sha256(POSTER), False)
            assert opened(got.data).size == (400, 600)
    assert len(server.requests) == 1


async def test_a_smaller_picture_is_made_of_a_larger_one(server: Loopback, tmp_path: Path) -> None:
    """Not of another download."""
    picture = Picture(server.url("/p.jpg"), sha256(POSTER))
    async with Thumbnails(tmp_path) as thumbnails:
        await made_by(thumbnails, picture)
    async with Thumbnails(tmp_path) as thumbnails:
        got = await thumbnails.get(picture, Scaled(160), LOOPBACK)
        assert isinstance(got, Thumbnail)
        assert opened(got.data).size == (160, 240)
    assert len(server.requests) == 1


async def test_the_pictures_of_a_posters_page_share_one_download(
    server: Loopback, thumbnails: Thumbnails
) -> None:
    """The poster, what the model saw, and the zone alone."""
    picture = Picture(server.url("/p.jpg"))
    recipes = (Scaled(1000), Seen((RED,), ViewKind.CROP), ZoneOnly(RED))
    got = await asyncio.gather(*(thumbnails.get(picture, spec, LOOPBACK) for spec in recipes))
    assert all(isinstance(one, Thumbnail) for one in got)
    assert len(server.requests) == 1


async def test_equal_wishes_in_flight_share_one_fetch_even_if_the_first_gives_up(
    server: Loopback, thumbnails: Thumbnails
) -> None:
    """The first visitor closes the tab while the picture is on its way."""
    arrived, go = asyncio.Event(), asyncio.Event()
    server.routes["/p.jpg"] = _held(arrived, go, reply(body=POSTER))
    picture = Picture(server.url("/p.jpg"))
    first = asyncio.create_task(made_by(thumbnails, picture))
    others = [asyncio.create_task(made_by(thumbnails, picture)) for _ in range(5)]
    await arrived.wait()
    first.cancel()
    go.set()
    assert {one.sha256 for one in await asyncio.gather(*others)} == {sha256(POSTER)}
    assert len(server.requests) == 1


async def test_only_a_handful_of_pictures_are_fetched_at_a_time(
    server: Loopback, thumbnails: Thumbnails
) -> None:
    """A page of 60 posters is no storm on their server."""
    at_once: list[int] = []
    open_now = 0
    full = asyncio.Event()

    async def counted(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now
        open_now += 1
        at_once.append(open_now)
        if open_now == DOWNLOADS:
            full.set()
        await full.wait()
        open_now -= 1
        await reply(body=POSTER)(request, writer)

    paths = [f"/{number}.jpg" for number in range(30)]
    server.routes |= dict.fromkeys(paths, counted)
    await asyncio.gather(*(made_by(thumbnails, Picture(server.url(path))) for path in paths))
    assert max(at_once) == DOWNLOADS


async def test_a_picture_that_is_no_longer_the_judged_one_says_so(
    server: Loopback, thumbnails: Thumbnails
) -> None:
    """Now and when it comes from disk."""
    picture = Picture(server.url("/p.jpg"), sha256(OTHER))
    for _ in range(2):
        got = await made_by(thumbnails, picture)
        assert (got.sha256, got.changed) == (sha256(POSTER), True)
    assert len(server.requests) == 1


async def test_the_judged_content_is_shown_although_its_address_leads_elsewhere_now(
    server: Loopback, thumbnails: Thumbnails
) -> None:
    """What was looked at before the change is what the verdict is about."""
    picture = Picture(server.url("/p.jpg"), sha256(POSTER))
    await made_by(thumbnails, picture)
    server.routes["/p.jpg"] = reply(body=OTHER)
    got = await made_by(thumbnails, picture)
    assert (got.sha256, got.changed) == (sha256(POSTER), False)


@pytest.mark.parametrize("judged", [POSTER, OTHER])
async def test_where_only_a_part_was_downloaded_the_view_tells_whether_the_picture_is_the_judged_one(
    server: Loopback, tmp_path: Path, judged: bytes
) -> None:
    """The run kept no hash of the file, but of the crop that it made of the file's beginning."""
    row = Poster(1, "1", server.url("/p.jpg"))
    crop = Seen((RED,), ViewKind.CROP)
    fingerprint = frame(judged, (RED,), ViewKind.CROP).fingerprint
    picture = poster_picture(row, outcome(1, image_sha256=fingerprint), crop)
    assert isinstance(picture, Picture)
    for _ in range(2):
        async with Thumbnails(tmp_path) as thumbnails:
            for _ in range(2):
                got = await made_by(thumbnails, picture)
                assert (got.sha256, got.changed) == (sha256(POSTER), judged != POSTER)
    assert len(server.requests) == 2


async def test_an_address_is_believed_for_a_while_and_asked_again_after(
    server: Loopback, tmp_path: Path
) -> None:
    """A row without a judged content follows its address."""
    clock = ShiftedClock()
    async with Thumbnails(tmp_path, clock) as thumbnails:
        picture = Picture(server.url("/p.jpg"))
        await made_by(thumbnails, picture)
        server.routes["/p.jpg"] = reply(body=OTHER)
        assert (await made_by(thumbnails, picture)).sha256 == sha256(POSTER)
        clock.ahead_s = FRESH_S + 1
        assert (await made_by(thumbnails, picture)).sha256 == sha256(OTHER)
    assert len(server.requests) == 2


async def test_a_failure_is_a_value_with_a_reason_and_stands_for_a_while(
    server: Loopback, tmp_path: Path
) -> None:
    """A page full of dead addresses that is loaded again asks nobody; a minute later it asks."""
    clock = ShiftedClock()
    async with Thumbnails(tmp_path, clock) as thumbnails:
        picture = Picture(server.url("/gone.jpg"))
        for _ in range(2):
            got = await thumbnails.get(picture, GRID, LOOPBACK)
            assert isinstance(got, Missing)
            assert "HTTP 404" in got.reason
        assert len(server.requests) == 1
        clock.ahead_s = FAILED_S + 1
        server.routes["/gone.jpg"] = reply(body=POSTER)
        assert (await made_by(thumbnails, picture)).sha256 == sha256(POSTER)


async def test_what_is_no_picture_is_a_failure_and_is_not_fetched_again_at_once(
    server: Loopback, thumbnails: Thumbnails
) -> None:
    """Nothing but a re-encoded picture comes out, whatever the server sends."""
    server.routes["/p.jpg"] = reply(body=b"<svg onload='alert(1)'>", content_type="image/svg+xml")
    for spec in (GRID, Scaled(160)):
        got = await thumbnails.get(Picture(server.url("/p.jpg")), spec, LOOPBACK)
        assert isinstance(got, Missing)
        assert "this is an SVG drawing" in got.reason
    assert len(server.requests) == 1


async def test_private_addresses_are_open_to_those_runs_only_that_allowed_them(
    server: Loopback, thumbnails: Thumbnails
) -> None:
    """The guard is that of judging; one run's permission is not another's."""
    picture = Picture(server.url("/p.jpg"))
    got = await thumbnails.get(picture, GRID, FetchPolicy())
    assert isinstance(got, Missing)
    assert "not a public address" in got.reason
    assert server.connections == 0
    assert (await made_by(thumbnails, picture)).sha256 == sha256(POSTER)


async def test_a_runs_bounds_for_bytes_and_pixels_hold(server: Loopback, thumbnails: Thumbnails) -> None:
    """As they did when it judged."""
    for policy, reason in (
        (FetchPolicy(allow_private_hosts=True, max_image_bytes=100), "larger than 100 bytes"),
        (FetchPolicy(allow_private_hosts=True, max_image_pixels=100), "the limit is 100 pixels"),
    ):
        got = await thumbnails.get(Picture(server.url("/p.jpg")), GRID, policy)
        assert isinstance(got, Missing)
        assert reason in got.reason


async def test_a_file_beside_the_list_is_shown_too(thumbnails: Thumbnails, tmp_path: Path) -> None:
    """Rows name it by its absolute path; a file that is gone is said to be."""
    file = tmp_path / "poster.jpg"
    file.write_bytes(POSTER)
    assert (await made_by(thumbnails, Picture(str(file)))).sha256 == sha256(POSTER)
    got = await thumbnails.get(Picture(str(tmp_path / "gone.jpg")), GRID, LOOPBACK)
    assert got == Missing(f"{tmp_path}/gone.jpg cannot be read: No such file or directory")


async def test_a_damaged_larger_file_in_our_folder_costs_a_download_no_error(
    server: Loopback, tmp_path: Path
) -> None:
    """Somebody wrote into the folder."""
    picture = Picture(server.url("/p.jpg"), sha256(POSTER))
    async with Thumbnails(tmp_path) as thumbnails:
        await made_by(thumbnails, picture)
    (kept,) = (tmp_path / "thumbnails").rglob("*.jpg")
    kept.write_bytes(b"\xff\xd8\xff and then nothing \xff\xd9")
    async with Thumbnails(tmp_path) as thumbnails:
        assert isinstance(await thumbnails.get(picture, Scaled(160), LOOPBACK), Thumbnail)
    assert len(server.requests) == 2


async def test_closing_gives_up_what_is_on_its_way(server: Loopback, tmp_path: Path) -> None:
    """A server that hangs does not hold up the end of the dashboard."""
    arrived = asyncio.Event()
    server.routes["/p.jpg"] = _held(arrived, asyncio.Event(), reply())
    async with Thumbnails(tmp_path) as thumbnails:
        waiting = asyncio.create_task(made_by(thumbnails, Picture(server.url("/p.jpg"))))
        await arrived.wait()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_many_pictures_come_in_the_order_of_the_question(
    server: Loopback, thumbnails: Thumbnails
) -> None:
    """Each result belongs to its row; a row without a picture keeps its reason."""
    server.routes |= {f"/{number}.jpg": reply(body=POSTER) for number in range(0, 60, 2)}
    wanted = [Picture(server.url(f"/{number}.jpg")) for number in range(60)]
    no_image = Missing("the row names no image")
    got = [one async for one in thumbnails.collect([no_image, *wanted], Scaled(160), LOOPBACK)]
    assert got[0] is no_image
    assert [isinstance(one, Thumbnail) for one in got[1:]] == [number % 2 == 0 for number in range(60)]


def test_many_pictures_can_be_had_without_an_event_loop(tmp_path: Path) -> None:
    """As the writer of a report wants them; one that stops early closes everything."""
    (tmp_path / "poster.jpg").write_bytes(POSTER)
    pictures = [Picture(str(tmp_path / "poster.jpg")), Picture(str(tmp_path / "gone.jpg"))] * 20
    got = list(collected(tmp_path, pictures, Scaled(160), FetchPolicy()))
    assert [isinstance(one, Thumbnail) for one in got] == [True, False] * 20
    early = collected(tmp_path, pictures, Scaled(160), FetchPolicy())
    assert isinstance(next(early), Thumbnail)


def test_a_rows_picture_is_the_one_that_was_judged() -> None:
    """A row that cannot be used, or names nothing, says why instead."""
    row = Poster(1, "0001", "https://posters.example/1.jpg")
    judged = outcome(1, image_sha256="ab" * 32)
    assert poster_picture(row, judged) == Picture(row.image, "ab" * 32)
    assert poster_picture(row, None) == Picture(row.image)
    assert poster_picture(row, outcome(1, image_sha256="../../x")) == Picture(row.image)
    assert poster_picture(BadRow(2, "p.csv line 3: url is empty"), None) == Missing(
        "p.csv line 3: url is empty"
    )
    assert poster_picture(Poster(3, "3", ""), outcome(3, Status.ERROR, image="")) == Missing("not there")
    assert poster_picture(Poster(4, "4", ""), None) == Missing("the row names no image")


def _held(arrived: asyncio.Event, go: asyncio.Event, answer: Answer) -> Answer:
    """An answer that comes when the test says so."""

    async def hold(request: Request, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await go.wait()
        await answer(request, writer)

    return hold
