"""A tiny HTTP server on loopback whose every byte is the test's choice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Request:
    """What the server was asked: the target as sent, and the headers with lower-case names."""

    target: str
    headers: dict[str, str]


Answer = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


def reply(status: int = 200, body: bytes = b"", **headers: str) -> Answer:
    """A well-formed answer; header names are written with `_` for `-`. A given `content_length`
    is sent as it is, true or not."""

    async def answer(_: Request, writer: asyncio.StreamWriter) -> None:
        named = {"content_length": str(len(body)), **headers}
        lines = [f"HTTP/1.1 {status} Said", *(f"{k.replace('_', '-')}: {v}" for k, v in named.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        if named["content_length"] != str(len(body)):
            writer.close()

    return answer


def drip(every_s: float, head: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n") -> Answer:
    """One byte now and then, for ever: no phase of the request ever times out."""

    async def answer(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while not writer.is_closing():
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(every_s)

    return answer


async def hang_up(_: Request, writer: asyncio.StreamWriter) -> None:
    """Close the connection without a word."""
    writer.close()


@dataclass
class Loopback:
    """Serves `routes` by path: one answer for ever, or a list that is used up (its last one stays).

    `requests` is the log, `connections` the number of connections that were ever opened.
    """

    routes: dict[str, Answer | list[Answer]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    async def __aenter__(self) -> Self:
        self._open: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        self.connections += 1
        try:
            while not writer.is_closing():
                request = await _read_request(reader)
                self.requests.append(request)
                await self._answer_to(request.target.partition("?")[0])(request, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            writer.close()

    def _answer_to(self, path: str) -> Answer:
        answer = self.routes.get(path, reply(404, b"no such route"))
        if isinstance(answer, list):
            return answer.pop(0) if len(answer) > 1 else answer[0]
        return answer


async def _read_request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(first.split(" ")[1], headers)
