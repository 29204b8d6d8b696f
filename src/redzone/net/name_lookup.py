"""Looks up host names in threads of its own, so that dead names delay nobody else.

A lookup of one name runs once however many downloads wait for it, it goes on when they give up, and a name
that failed is remembered for a while. The threads are daemons: a slow resolver does not delay the exit.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Sequence

REMEMBERED_S = 60.0
QUICK_S = 1.0  # a temporary failure that came sooner is not remembered: the next try may succeed
MOST_AT_ONCE = 256

_Found = asyncio.Future[Sequence[str]]


class NameLookup:
    """Resolves host names. Call it with a host and a port; raises OSError or UnicodeError."""

    def __init__(
        self,
        getaddrinfo: Callable[[str, int], Sequence[str]] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._getaddrinfo = getaddrinfo or system_addresses
        self._monotonic = monotonic
        self._running: dict[tuple[str, int], _Found] = {}
        self._failed: dict[str, tuple[OSError, float]] = {}
        self._free = asyncio.Semaphore(MOST_AT_ONCE)

    def has_failed(self, host: str) -> bool:
        """Whether a lookup of the name failed less than REMEMBERED_S seconds ago."""
        return self._failure(host) is not None

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """All addresses of a host, in the system's order, each once."""
        failure = self._failure(host)
        if failure is not None:
            raise OSError(failure.errno, failure.strerror)
        key = (host, port)
        if key not in self._running:
            self._running[key] = asyncio.get_running_loop().create_future()
            self._running[key].add_done_callback(_retrieved)
            await self._start(key)
        return await asyncio.shield(self._running[key])

    def _failure(self, host: str) -> OSError | None:
        error, until_s = self._failed.get(host, (None, 0.0))
        return error if self._monotonic() < until_s else None

    async def _start(self, key: tuple[str, int]) -> None:
        loop, began_s, found = asyncio.get_running_loop(), self._monotonic(), self._running[key]
        try:
            await self._free.acquire()
        except asyncio.CancelledError:
            found.cancel()
            del self._running[key]
            raise

        def end(addresses: Sequence[str], error: Exception | None) -> None:
            self._free.release()
            del self._running[key]
            if isinstance(error, OSError):
                self._remember(key[0], error, self._monotonic() - began_s)
            if found.done():
                return
            if error is None:
                found.set_result(addresses)
            else:
                found.set_exception(error)

        def look_up() -> None:
            addresses, failure = [], None
            try:
                addresses = list(self._getaddrinfo(*key))
            except Exception as error:  # noqa: BLE001 - goes to those who wait
                failure = error
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(end, addresses, failure)

        threading.Thread(target=look_up, name=f"lookup {key[0][:40]}", daemon=True).start()

    def _remember(self, host: str, error: OSError, took_s: float) -> None:
        if error.errno != socket.EAI_AGAIN or took_s > QUICK_S:
            now_s = self._monotonic()
            self._failed = {name: kept for name, kept in self._failed.items() if kept[1] > now_s}
            self._failed[host] = (error, now_s + REMEMBERED_S)


def system_addresses(host: str, port: int) -> Sequence[str]:
    """What the system's resolver says. Blocks. Raises OSError or UnicodeError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _retrieved(found: _Found) -> None:
    """Nobody may be left to read a failure; that is no reason for a warning."""
    if not found.cancelled():
        found.exception()
