"""The simulator as a server: posters, faults of the socket, the log."""

from __future__ import annotations

import asyncio
import csv
import socket
from collections.abc import AsyncIterator
from io import BytesIO, StringIO

import httpx2
import pytest
from PIL import Image

from redzone.bench.simulator.artwork import MIME, ZoneContent, poster_file, zone_content
from redzone.bench.simulator.request_log import busiest_window
from redzone.bench.simulator.server import Fault, Simulator, SimulatorOptions
from tests.bench.simulator.questions import client_of, response_question
from tests.virtual_time import run_virtual


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(trust_env=False, timeout=5) as client:
        yield client


def failing(fault: Fault, share: float = 1.0) -> Simulator:
    return Simulator(SimulatorOptions(faults={fault: share}, poster_size=(60, 90)))


@pytest.mark.parametrize("extension", MIME)
async def test_a_poster_is_served_as_what_it_is(http: httpx2.AsyncClient, extension: str) -> None:
    """The picture of that number, its type, its validators."""
    async with Simulator(SimulatorOptions(poster_size=(60, 90))) as simulator:
        answer = await http.get(simulator.poster_url(5, extension=extension))
    assert answer.content == poster_file(5, (60, 90), extension)
    assert answer.headers["content-type"] == MIME[extension]
    assert answer.headers["last-modified"].endswith("GMT")
    assert simulator.log[0].poster == 5


async def test_a_known_etag_is_answered_with_304(http: httpx2.AsyncClient) -> None:
    """No body for the etag of this picture, weak or in a list; a body for another one's."""
    async with Simulator() as simulator:
        url = simulator.poster_url(1, size="tiny")
        etag = (await http.get(url)).headers["etag"]
        for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
            answer = await http.get(url, headers={"if-none-match": known})
            assert (answer.status_code, answer.content) == (304, b"")
            assert answer.headers["etag"] == etag
        other = await http.get(simulator.poster_url(1), headers={"if-none-match": etag})
    assert other.status_code == 200


async def test_the_list_leads_to_posters(http: httpx2.AsyncClient) -> None:
    """Every address of the list can be had."""
    async with Simulator() as simulator:
        answer = await http.get(simulator.poster_list_url(3, size="tiny"))
        rows = list(csv.DictReader(StringIO(answer.text)))
        posters = [await http.get(row["poster_img_url"]) for row in rows]
    assert [poster.status_code for poster in posters] == [200] * 3
    assert len({poster.content for poster in posters}) == 3


@pytest.mark.parametrize("query", ["n=0", "n=x", "n=9999999", "size=huge"])
async def test_an_impossible_list_is_refused(http: httpx2.AsyncClient, query: str) -> None:
    """400, with the bounds."""
    async with Simulator() as simulator:
        answer = await http.get(f"{simulator.origin}/posters.csv?{query}")
    assert answer.status_code == 400
    assert "1000000" in answer.text


async def test_a_redirect_leads_where_it_is_told(http: httpx2.AsyncClient) -> None:
    """302 to the address; a line break in it stays in it."""
    async with Simulator() as simulator:
        for target in ("http://169.254.169.254/latest?a=b", simulator.poster_url(1)):
            answer = await http.get(f"{simulator.origin}/redirect", params={"to": target})
            assert (answer.status_code, answer.headers["location"]) == (302, target)
        sly = await http.get(f"{simulator.origin}/redirect", params={"to": "/a\r\nx-sly: 1"})
        assert "x-sly" not in sly.headers


@pytest.mark.parametrize("path", ["/", "//[", "/posters/1.gif", "/posters/x.jpg", "/posters/1.jpg?size=huge"])
async def test_an_unknown_route_is_a_404(http: httpx2.AsyncClient, path: str) -> None:
    """Nothing is guessed."""
    async with Simulator() as simulator:
        assert (await http.get(simulator.origin + path)).status_code == 404
        assert (await http.post(simulator.origin + path)).status_code == 404


async def test_a_dead_poster_stays_dead(http: httpx2.AsyncClient) -> None:
    """404 for the same posters every time, for the others never."""
    async with failing(Fault.DEAD, 0.5) as simulator:
        urls = [simulator.poster_url(number) for number in range(20)]
        first = [(await http.get(url)).status_code for url in urls]
        second = [(await http.get(url)).status_code for url in urls]
    assert first == second
    assert set(first) == {200, 404}


async def test_an_html_page_poses_as_a_poster(http: httpx2.AsyncClient) -> None:
    """200, .jpg in the name, HTML inside."""
    async with failing(Fault.IMAGE_HTML) as simulator:
        answer = await http.get(simulator.poster_url(1))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")


async def test_a_truncated_poster_has_its_length_and_not_its_end(http: httpx2.AsyncClient) -> None:
    """The transfer is sound, the picture is not."""
    async with failing(Fault.IMAGE_TRUNCATED) as simulator:
        answer = await http.get(simulator.poster_url(1))
    assert len(answer.content) == int(answer.headers["content-length"])
    with pytest.raises(OSError, match="truncated"), Image.open(BytesIO(answer.content)) as image:
        image.load()


@pytest.mark.parametrize(
    ("fault", "error", "status"),
    [
        (Fault.IMAGE_RESET, httpx2.ReadError, None),
        (Fault.IMAGE_HALF, httpx2.RemoteProtocolError, 200),
        (Fault.IMAGE_STALL, httpx2.ReadTimeout, None),
    ],
)
def test_a_socket_fault_reaches_the_client(fault: Fault, error: type[Exception], status: int | None) -> None:
    """A reset is a reset, a half body an early end, a stall a timeout."""

    async def fetch() -> Simulator:
        async with failing(fault) as simulator, httpx2.AsyncClient(timeout=5) as http:
            with pytest.raises(error):
                await http.get(simulator.poster_url(1))
            return simulator

    assert [(record.fault, record.status) for record in run_virtual(fetch()).log] == [(fault, status)]


async def test_a_reset_is_a_reset_on_the_wire() -> None:
    """The peer gets RST, not an orderly end."""
    async with failing(Fault.IMAGE_RESET) as simulator:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(simulator.origin.rsplit(":")[-1]))
        writer.write(b"GET /posters/1.jpg HTTP/1.1\r\nhost: x\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


def test_a_dripping_poster_defeats_a_read_timeout() -> None:
    """Bytes keep coming, one by one: a timeout for each read never fires, one for the whole does."""

    async def fetch() -> float:
        async with failing(Fault.IMAGE_DRIP) as simulator, httpx2.AsyncClient(timeout=1) as http:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(120):
                    await http.get(simulator.poster_url(1))
            return asyncio.get_running_loop().time()

    assert run_virtual(fetch()) >= 120


async def test_a_connection_serves_many_requests(http: httpx2.AsyncClient) -> None:
    """Keep-alive: one connection, in turn posters, a POST with a body and a 304."""
    async with Simulator() as simulator:
        for _ in range(3):
            await http.get(simulator.poster_url(1, size="tiny"))
            await http.post(f"{simulator.base_url}/responses", json={"model": "m", "input": "Hello?"})
            await http.get(simulator.poster_url(1), headers={"if-none-match": "*"})
            assert len(simulator._connections) == 1
    assert [record.status for record in simulator.log] == [200, 200, 304] * 3


async def test_pipelined_requests_are_answered_in_their_order() -> None:
    """Requests that arrive in one piece get their answers one after the other."""
    async with Simulator(SimulatorOptions(image_latency_s=0.01)) as simulator:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(simulator.origin.rsplit(":")[-1]))
        for path, close in (("/posters/1.jpg?size=tiny", ""), ("/healthz", "connection: close\r\n")):
            writer.write(f"GET {path} HTTP/1.1\r\nhost: x\r\n{close}\r\n".encode())
        answers = await reader.read()
        writer.close()
    assert answers.index(poster_file(1, None, ".jpg")) < answers.index(b"\r\n\r\nok")


async def test_what_is_no_http_gets_a_400() -> None:
    """The connection is told and closed; the simulator goes on."""
    async with Simulator() as simulator:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(simulator.origin.rsplit(":")[-1]))
        writer.write(b"\x16\x03\x01 hello\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 400")
        writer.close()


def test_a_client_that_leaves_is_forgotten() -> None:
    """The request is in the log without a status, and nothing goes on for it."""

    async def leave() -> Simulator:
        async with Simulator(SimulatorOptions(image_latency_s=30)) as simulator:
            async with httpx2.AsyncClient(timeout=5) as http:
                with pytest.raises(httpx2.ReadTimeout):
                    await http.get(simulator.poster_url(1))
            await asyncio.sleep(1)
            assert not simulator._connections
            return simulator

    record = run_virtual(leave()).log[0]
    assert (record.status, record.answered_at_s) == (None, None)


async def test_log_and_stats_tell_another_process_what_was_seen(http: httpx2.AsyncClient) -> None:
    """/log has what `log` has, /stats its sums; asking for them leaves no trace."""
    options = SimulatorOptions(rpm=2, faults={Fault.IMAGE_HTTP500: 1.0})
    async with Simulator(options) as simulator:
        await http.get(simulator.poster_url(1))
        async with client_of(simulator) as client:
            for number in range(3):
                url = f"{simulator.base_url}/responses"
                await http.post(url, json=response_question(number))
            await client.models.list()
        log = (await http.get(f"{simulator.origin}/log")).json()
        stats = (await http.get(f"{simulator.origin}/stats")).json()
        assert (await http.get(f"{simulator.origin}/healthz")).text == "ok"
    assert log == [record.as_json() for record in simulator.log]
    assert stats["requests"] == 5
    assert (stats["model_requests"], stats["model_answers"], stats["model_rejections"]) == (3, 2, 1)
    assert (stats["poster_statuses"], stats["faults"]) == ({"500": 1}, {"image_http500": 1})
    assert stats["busiest_minute"] == 3
    assert stats["input_tokens"] == sum(record.input_tokens for record in simulator.log) > 0


def test_the_busiest_minute_is_half_open() -> None:
    """Two starts exactly 60 s apart are not in one window."""
    assert busiest_window([0, 1, 59.9, 60, 61, 200]) == 3
    assert busiest_window([]) == 0


def test_a_simulator_leaves_nothing_behind() -> None:
    """Leaving ends what stalls, closes the port and every task."""

    async def leave() -> str:
        async with httpx2.AsyncClient(timeout=5) as http:
            async with failing(Fault.IMAGE_STALL) as simulator:
                pending = asyncio.create_task(http.get(simulator.poster_url(1)))
                await asyncio.sleep(1)
                assert len(simulator.log) == 1
            with pytest.raises(httpx2.ReadError):
                await pending
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return simulator.origin

    host, port = run_virtual(leave()).removeprefix("http://").split(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


async def test_posters_are_free_as_often_as_their_artwork_says(http: httpx2.AsyncClient) -> None:
    """What is served is the artwork of that number."""
    free = next(number for number in range(50) if zone_content(number) is ZoneContent.FREE)
    async with Simulator() as simulator:
        answer = await http.get(simulator.poster_url(free, extension=".png"))
    with Image.open(BytesIO(answer.content)) as image:
        assert image.convert("RGB").getpixel((5, 5)) == image.convert("RGB").getpixel((170, 5))
