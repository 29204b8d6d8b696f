"""An HTTP/1.1 server that controls its sockets, because many faults are faults of the connection."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from http.client import responses
from itertools import cycle
from typing import cast
from urllib.parse import parse_qsl

import h11

from redzone.clock import Clock

DRIP_INTERVAL_S = 0.5
# Of a request line and its headers. Bodies are unbounded: clients run on this machine.
MAX_HEAD_BYTES = 64 * 1024


class ReplyEnd(StrEnum):
    """How the connection sends a reply."""

    WHOLE = "whole"
    HALF = "half"
    RESET = "reset"
    STALL = "stall"
    DRIP = "drip"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A complete request. Header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A reply. RESET and STALL send nothing, so `sent_status` is None."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: list[tuple[str, str]] = field(default_factory=list)
    ending: ReplyEnd = ReplyEnd.WHOLE

    @property
    def sent_status(self) -> int | None:
        """The status that the client receives."""
        return None if self.ending in (ReplyEnd.RESET, ReplyEnd.STALL) else self.status


Handler = Callable[[HttpRequest], Awaitable[HttpReply]]


class Connection(asyncio.Protocol):
    """A keep-alive connection; `handle` answers one request after another.

    A disconnect cancels the pending reply.
    """

    def __init__(self, handle: Handler, clock: Clock, connections: set[Connection]) -> None:
        self._handle = handle
        self._clock = clock
        self._connections = connections
        self._parser = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._head: h11.Request | None = None
        self._body = bytearray()
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Add this connection to the open ones."""
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio names it
        """Remove this connection from the open ones and cancel the pending reply."""
        self._connections.discard(self)
        if self._task:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse received bytes."""
        self._parser.receive_data(data)
        self._advance()

    def abort(self) -> None:
        """Close at once; the client sees a connection reset."""
        if not self._transport.is_closing():
            connected = self._transport.get_extra_info("socket")
            # SO_LINGER of 0 s: the kernel drops unsent data and sends RST instead of FIN
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    async def wait_closed(self) -> None:
        """Wait until the pending reply, if any, has ended."""
        if self._task:
            await asyncio.wait([self._task])

    def _advance(self) -> None:
        try:
            while self._step():
                pass
        except h11.RemoteProtocolError as error:
            if self._parser.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                self._send(HttpReply(error.error_status_hint, str(error).encode(), "text/plain"))
            self._transport.close()

    def _step(self) -> bool:
        """Process one event of the parser; False if there is none yet."""
        event = self._parser.next_event()
        match event:
            case h11.Request():
                self._head = event
                self._body = bytearray()
                if self._parser.they_are_waiting_for_100_continue:
                    self._write(h11.InformationalResponse(status_code=100, headers=[]))
            case h11.Data():
                self._body += event.data
            case h11.EndOfMessage():
                self._start_reply()
            case _:
                return False
        return True

    def _start_reply(self) -> None:
        assert self._head is not None  # noqa: S101 - h11 sends no end before a head
        path, _, query = self._head.target.decode("latin-1").partition("?")
        request = HttpRequest(
            method=self._head.method.decode("ascii"),
            path=path,
            query=dict(parse_qsl(query)),
            headers={name.decode("ascii"): value.decode("latin-1") for name, value in self._head.headers},
            body=bytes(self._body),
        )
        self._body = bytearray()
        self._task = asyncio.get_running_loop().create_task(self._exchange(request))
        self._task.add_done_callback(self._finish)

    async def _exchange(self, request: HttpRequest) -> None:
        reply = await self._handle(request)
        match reply.ending:
            case ReplyEnd.WHOLE:
                self._send(reply)
            case ReplyEnd.HALF:
                self._send_half(reply)
            case ReplyEnd.RESET:
                self.abort()
            case ReplyEnd.STALL:
                await asyncio.get_running_loop().create_future()
            case ReplyEnd.DRIP:
                await self._drip(reply)

    def _finish(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "the simulator failed to reply", "exception": error, "task": task}
            )
            self.abort()
        elif self._parser.states == {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}:
            self._parser.start_next_cycle()
            self._advance()
        else:
            self._transport.close()

    def _send(self, reply: HttpReply) -> None:
        self._write(self._response(reply), h11.Data(data=reply.body), h11.EndOfMessage())

    def _send_half(self, reply: HttpReply) -> None:
        self._write(self._response(reply), h11.Data(data=reply.body[: len(reply.body) // 2]))

    async def _drip(self, reply: HttpReply) -> None:
        self._write(self._response(reply, chunked=True))
        for byte in cycle(reply.body):
            self._write(h11.Data(data=bytes([byte])))
            await self._clock.sleep(DRIP_INTERVAL_S)

    def _response(self, reply: HttpReply, *, chunked: bool = False) -> h11.Response:
        length = ("transfer-encoding", "chunked") if chunked else ("content-length", str(len(reply.body)))
        headers = [*reply.headers, ("content-type", reply.content_type), length]
        if reply.status == HTTPStatus.NOT_MODIFIED:
            headers = reply.headers
        phrase = responses.get(reply.status, "")
        return h11.Response(status_code=reply.status, headers=headers, reason=phrase)

    def _write(self, *events: h11.Event) -> None:
        self._transport.write(b"".join(self._parser.send(event) or b"" for event in events))
