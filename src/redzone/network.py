"""httpcore2's network, with a quick answer to the one question that its pool asks all the time.

Whenever a request starts or ends, the pool asks every idle connection whether the server has hung up.
anyio answers that by gathering every attribute of the socket, 47 us each time: with 50 workers that was
a third of all CPU time of a run. Asking the kernel takes a few, and every 50 ms is often enough: a request
may always meet a connection that was closed a moment ago, and is then tried again.
"""

from __future__ import annotations

import select
import ssl
import time
from collections.abc import Iterable
from typing import Any

import httpcore2

ASK_EVERY_S = 0.05


class QuickStream(httpcore2.AsyncNetworkStream):
    """A stream that remembers its socket."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream
        self._socket = stream.get_extra_info("socket")
        self._poll = select.poll()
        self._poll.register(self._socket.fileno(), select.POLLIN)
        self._quiet_until_s = 0.0

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """As the stream does."""
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """As the stream does."""
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """As the stream does."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore2.AsyncNetworkStream:
        """As the stream does; what comes back is quick, too."""
        return QuickStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """As the stream does, but `is_readable` by asking the kernel about the socket."""
        if info == "is_readable":
            now_s = time.monotonic()
            if now_s < self._quiet_until_s:
                return False
            # closed counts as readable, as in httpcore2; its number may be somebody else's by now
            if self._socket.fileno() < 0 or self._poll.poll(0):
                return True
            self._quiet_until_s = now_s + ASK_EVERY_S
            return False
        return self._stream.get_extra_info(info)


class QuickBackend(httpcore2.AsyncNetworkBackend):
    """anyio's network with quick streams."""

    def __init__(self) -> None:
        self._network = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect, within `timeout` seconds."""
        return QuickStream(
            await self._network.connect_tcp(host, port, timeout, local_address, socket_options)
        )

    async def sleep(self, seconds: float) -> None:
        """Give way, for the pool's own retries."""
        await self._network.sleep(seconds)
