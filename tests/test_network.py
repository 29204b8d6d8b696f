"""The network under both pools, against servers on loopback that close, stall, flood and encrypt."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpcore2
import pytest

from redzone.network import READ_AHEAD_BYTES, SHARD_CONNECTIONS, Connections, QuickBackend, ShardedPool
from tests.loopback import Answer, Loopback, Request, hang_up, reply

# self-made, for the name posters.test, with its key
CERTIFICATE = Path(__file__).with_name("posters.test.pem")


def pool(most: int = 10) -> ShardedPool:
    trust = ssl.create_default_context(cafile=str(CERTIFICATE))
    return ShardedPool(trust, Connections(most, most), QuickBackend())


@asynccontextmanager
async def served(answer: Answer) -> AsyncIterator[tuple[Loopback, str]]:
    async with Loopback({"/": answer}) as server:
        yield server, server.url("/")


async def test_a_connection_serves_many_requests() -> None:
    async with served(reply(200, b"poster")) as (server, url), pool() as connections:
        for _ in range(5):
            assert (await connections.request("GET", url)).content == b"poster"
    assert server.connections == 1


async def test_a_connection_that_the_server_closed_meanwhile_is_not_used_again() -> None:
    """The event loop has seen the end, so that the pool learns of it without asking the socket."""

    async def once(request: Request, writer: asyncio.StreamWriter) -> None:
        await reply(200, b"poster")(request, writer)
        await writer.drain()
        writer.close()

    async with served(once) as (server, url), pool() as connections:
        for _ in range(3):
            assert (await connections.request("GET", url)).content == b"poster"
            await asyncio.sleep(0.01)  # the end arrives
    assert server.connections == 3


async def test_what_a_server_says_unasked_ends_its_connection() -> None:
    """Else it would be taken for the answer to the next request."""

    async def chatty(request: Request, writer: asyncio.StreamWriter) -> None:
        await reply(200, b"poster")(request, writer)
        await writer.drain()
        await asyncio.sleep(0.005)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong")

    async with served(chatty) as (server, url), pool() as connections:
        for _ in range(3):
            assert (await connections.request("GET", url)).content == b"poster"
            await asyncio.sleep(0.02)
    assert server.connections == 3


async def test_a_flood_waits_at_the_server() -> None:
    """What nobody has asked for yet is not read without bound."""
    sent = 0

    async def flood(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
        for _ in range(500):
            writer.write(bytes(100_000))
            await writer.drain()
            sent += 100_000

    async with (
        served(flood) as (_, url),
        pool() as connections,
        connections.stream("GET", url) as response,
    ):
        while True:
            before = sent
            await asyncio.sleep(0.05)
            if sent == before > 0:
                break
        # what the kernel's buffers hold on both sides comes on top of ours
        assert sent < READ_AHEAD_BYTES + 15_000_000
        got = 0
        async for piece in response.aiter_stream():
            got += len(piece)
    assert got == 50_000_000


async def test_a_long_request_arrives_whole() -> None:
    """Also where the server reads slower than we write."""
    body = bytes(range(256)) * 80_000
    received = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        while len(received) < len(body):
            received.extend(await reader.read(50_000))
            await asyncio.sleep(0)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1000)
    async with server, pool() as connections:
        port = server.sockets[0].getsockname()[1]
        response = await connections.request("POST", f"http://127.0.0.1:{port}/", content=body)
    assert response.status == 200
    assert received == body


async def test_each_phase_has_its_own_error() -> None:
    async def silent(_: Request, __: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    soon = {"timeout": {"read": 0.05, "connect": 1.0}}
    async with pool() as connections:
        async with served(silent) as (_, url):
            with pytest.raises(httpcore2.ReadTimeout):
                await connections.request("GET", url, extensions=soon)
        with pytest.raises(httpcore2.ConnectError):
            await connections.request("GET", url, extensions=soon)  # nobody listens there any more
        async with served(hang_up) as (_, url):
            with pytest.raises(httpcore2.RemoteProtocolError):
                await connections.request("GET", url, extensions=soon)


async def test_a_reset_connection_is_a_read_error() -> None:
    async def reset(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        await writer.drain()
        writer.transport.abort()

    async with served(reset) as (_, url), pool() as connections:
        with pytest.raises((httpcore2.ReadError, httpcore2.RemoteProtocolError)):
            await connections.request("GET", url)


@pytest.mark.parametrize("name", ["posters.test", "someone-else.test"])
async def test_tls_asks_for_the_name_of_the_address(name: str) -> None:
    """The connection goes where the backend says; the certificate must be the name's."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nencrypted")
        await writer.drain()
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]

    class Loop(QuickBackend):
        async def connect_tcp(self, host: str, *rest: object, **more: object) -> httpcore2.AsyncNetworkStream:
            del host, rest, more
            return await super().connect_tcp("127.0.0.1", port)

    trust = ssl.create_default_context(cafile=str(CERTIFICATE))
    async with server, ShardedPool(trust, Connections(1, 1), Loop()) as connections:
        if name == "posters.test":
            assert (await connections.request("GET", f"https://{name}/")).content == b"encrypted"
        else:
            with pytest.raises(httpcore2.ConnectError, match="certificate"):
                await connections.request("GET", f"https://{name}/")


async def test_all_connections_can_be_used_at_once_and_no_more() -> None:
    """However they are split: a request waits only where all of them are busy."""
    most = 2 * SHARD_CONNECTIONS + 3
    open_now = peak = 0
    go = asyncio.Event()

    async def slow(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now, peak
        open_now += 1
        peak = max(peak, open_now)
        if open_now == most:
            go.set()
        await go.wait()
        await asyncio.sleep(0)
        open_now -= 1
        await reply(200, b"poster")(request, writer)

    async with served(slow) as (server, url), pool(most) as connections:
        answers = await asyncio.gather(*(connections.request("GET", url) for _ in range(3 * most)))
    assert all(answer.content == b"poster" for answer in answers)
    assert peak == server.connections == most


async def test_a_cancelled_request_gives_its_place_back() -> None:
    arrived = asyncio.Semaphore(0)

    async def silent(_: Request, __: asyncio.StreamWriter) -> None:
        arrived.release()
        await asyncio.Event().wait()

    async with served(silent) as (server, url), pool(3) as connections:
        for _ in range(10):
            task = asyncio.create_task(connections.request("GET", url))
            await arrived.acquire()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        server.routes["/"] = reply(200, b"poster")
        assert (await connections.request("GET", url)).content == b"poster"
