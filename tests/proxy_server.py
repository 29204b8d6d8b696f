"""A small HTTP proxy on loopback: absolute-form requests and CONNECT, with or without a password."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self


@dataclass
class ProxyServer:
    """Sends every request to `target_port`, whatever host it names. `seen` holds their first lines."""

    target_port: int
    credentials: str | None = None
    seen: list[str] = field(default_factory=list)
    port: int = 0

    async def __aenter__(self) -> Self:
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        writers = [writer]
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first = head.partition("\r\n")[0]
            self.seen.append(first)
            if self.credentials and base64.b64encode(self.credentials.encode()).decode() not in head:
                headers = b"Content-Length: 0\r\nConnection: close\r\n\r\n"
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n" + headers)
                return
            method, target, _ = first.split(" ")
            behind_reader, behind = await asyncio.open_connection("127.0.0.1", self.target_port)
            writers.append(behind)
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            else:
                path = "/" + target.split("/", 3)[3]
                behind.write(head.replace(target, path, 1).encode("latin-1"))
            await asyncio.gather(_copy(reader, behind), _copy(behind_reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            for each in writers:
                each.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()
