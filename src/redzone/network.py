"""httpcore2's network on asyncio alone, and pools of connections that stay quick when they are large.

What comes with httpcore2 goes through anyio: scopes and look-ups around every read and write, and to learn
whether an idle connection was closed it asks the socket, which its pool wants to know of every connection
whenever a request starts or ends. Here the event loop reads ahead and so knows already.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import httpcore2

READ_AHEAD_BYTES = 1 << 18
# The pool looks at each of its connections whenever a request starts or ends: with 200 in one pool that
# took a third of a run's CPU time.
SHARD_CONNECTIONS = 16


class _Wire(asyncio.Protocol):
    """One connection's bytes as the loop reads them, held until asked for; a pause when they are many."""

    def __init__(self) -> None:
        self.held = bytearray()
        self.ended = False
        self.error: Exception | None = None
        self._transport: asyncio.Transport | None = None
        self._paused = False
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  TCP and TLS
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.held += data
        if len(self.held) > READ_AHEAD_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._tell(self._reader)

    def eof_received(self) -> bool:
        self.ended = True
        self._tell(self._reader)
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self.ended, self.error = True, error
        self._tell(self._reader)
        self._tell(self._writer)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._tell(self._writer)

    async def wait(self) -> None:
        """Until there is something to take: bytes, or the end."""
        while not self.held and not self.ended:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None

    def take(self, max_bytes: int) -> bytes:
        """What has come; nothing at the end. Raises OSError where the connection broke."""
        if not self.held and self.error is not None:
            raise self.error
        if len(self.held) <= max_bytes:
            data, self.held = bytes(self.held), bytearray()
        else:
            data = bytes(self.held[:max_bytes])
            del self.held[:max_bytes]
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return data

    def send(self, data: bytes) -> bool:
        """Hand the bytes over; False where there are too many on their way now. Raises OSError."""
        if self.ended or self._transport is None or self._transport.is_closing():
            raise self.error or ConnectionResetError("the server closed the connection")
        self._transport.write(data)
        return not self._full

    async def drain(self) -> None:
        """Until there is room for more. Raises OSError."""
        while self._full and not self.ended:
            self._writer = asyncio.get_running_loop().create_future()
            try:
                await self._writer
            finally:
                self._writer = None
        if self.error is not None:
            raise self.error

    @staticmethod
    def _tell(waiter: asyncio.Future[None] | None) -> None:
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


class QuickStream(httpcore2.AsyncNetworkStream):
    """One connection. `timeout` is seconds, None for ever."""

    def __init__(self, transport: asyncio.Transport, wire: _Wire) -> None:
        self._transport = transport
        self._wire = wire

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """At least a byte, nothing at the end. Raises ReadTimeout, ReadError."""
        try:
            if not self._wire.held:  # else nobody has to wait, nor to mind the time
                async with asyncio.timeout(timeout):
                    await self._wire.wait()
            return self._wire.take(max_bytes)
        except TimeoutError as error:
            raise httpcore2.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpcore2.ReadError(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """All of it. Raises WriteTimeout, WriteError."""
        try:
            if buffer and not self._wire.send(buffer):
                async with asyncio.timeout(timeout):
                    await self._wire.drain()
        except TimeoutError as error:
            raise httpcore2.WriteTimeout(str(error)) from error
        except OSError as error:
            raise httpcore2.WriteError(str(error)) from error

    async def aclose(self) -> None:
        """Close at once; what is on its way is lost."""
        self._transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore2.AsyncNetworkStream:
        """The same connection, encrypted. Raises ConnectTimeout, ConnectError."""
        loop = asyncio.get_running_loop()
        wire = _Wire()
        try:
            with _connecting():
                async with asyncio.timeout(timeout):
                    transport = await loop.start_tls(
                        self._transport, wire, ssl_context, server_hostname=server_hostname
                    )
        except BaseException:
            self._transport.abort()
            raise
        assert transport is not None  # noqa: S101  typeshed: only where the connection was lost
        wire.connection_made(transport)
        return QuickStream(transport, wire)

    def get_extra_info(self, info: str) -> Any:
        """`is_readable` is True where the server has closed the connection or said something unasked."""
        if info == "is_readable":
            return bool(self._wire.ended or self._wire.held or self._transport.is_closing())
        names = {"client_addr": "sockname", "server_addr": "peername"}
        return self._transport.get_extra_info(names.get(info, info))


class QuickBackend(httpcore2.AsyncNetworkBackend):
    """Connections over asyncio."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect, within `timeout` seconds. Raises ConnectTimeout, ConnectError."""
        loop = asyncio.get_running_loop()
        with _connecting():
            async with asyncio.timeout(timeout):
                transport, wire = await loop.create_connection(
                    _Wire, host, port, local_addr=(local_address, 0) if local_address else None
                )
        for option in ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), *(socket_options or ())):
            transport.get_extra_info("socket").setsockopt(*option)
        return QuickStream(transport, wire)

    async def sleep(self, seconds: float) -> None:
        """Give way, for the pool's own retries."""
        await asyncio.sleep(seconds)


@contextlib.contextmanager
def _connecting() -> Iterator[None]:
    """httpcore2's errors for asyncio's."""
    try:
        yield
    except TimeoutError as error:
        raise httpcore2.ConnectTimeout(str(error)) from error
    except OSError as error:  # those of TLS among them
        raise httpcore2.ConnectError(str(error)) from error


@dataclass(frozen=True, slots=True)
class Connections:
    """How many connections there may be, how many of them idle, and how long these stay open."""

    most: int
    idle: int
    idle_s: float = 30.0


class ShardedPool(httpcore2.AsyncConnectionPool):
    """One pool made of several small ones; a request goes to the one with the least to do."""

    def __init__(
        self,
        ssl_context: ssl.SSLContext,
        connections: Connections,
        network: httpcore2.AsyncNetworkBackend,
        proxy: httpcore2.Proxy | None = None,
    ) -> None:
        count = -(-connections.most // SHARD_CONNECTIONS)
        self._shards = [
            httpcore2.AsyncConnectionPool(
                ssl_context=ssl_context,
                max_connections=_share(connections.most, count, number),
                max_keepalive_connections=_share(connections.idle, count, number),
                keepalive_expiry=connections.idle_s,
                network_backend=network,
                proxy=proxy,
            )
            for number in range(count)
        ]
        self._in_flight = [0] * count

    async def handle_async_request(self, request: httpcore2.Request) -> httpcore2.Response:
        """Send it over the least busy part. Raises httpcore2's errors."""
        number = self._in_flight.index(min(self._in_flight))
        self._in_flight[number] += 1
        try:
            response = await self._shards[number].handle_async_request(request)
        except BaseException:
            self._in_flight[number] -= 1
            raise
        body = _Body(response.stream, self._in_flight, number)
        return httpcore2.Response(
            response.status, headers=response.headers, content=body, extensions=response.extensions
        )

    async def aclose(self) -> None:
        """Close all connections."""
        for shard in self._shards:
            await shard.aclose()


class _Body:
    """A response's body that says when it is done with."""

    def __init__(self, stream: Any, in_flight: list[int], number: int) -> None:
        self._stream = stream
        self._in_flight = in_flight
        self._number: int | None = number

    def __aiter__(self) -> AsyncIterator[bytes]:
        parts: AsyncIterator[bytes] = aiter(self._stream)
        return parts

    async def aclose(self) -> None:
        if self._number is not None:
            self._in_flight[self._number] -= 1
            self._number = None
            await self._stream.aclose()


def _share(total: int, count: int, number: int) -> int:
    return total // count + (number < total % count)
