"""Brings the bytes of one poster, from an http(s) address or a file, and trusts nothing on the way.

It speaks to httpcore2's pool directly. What httpx2's client adds above it has to be off here
(cookies, its own redirects, decoding, proxies from the environment, a log line with the whole
address), and its transport takes no network backend, which the address guard needs.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
import stat
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from random import Random
from types import TracebackType
from typing import Self
from urllib.parse import unquote_to_bytes

import aiofiles
import httpcore2
import httpx2
from aiolimiter import AsyncLimiter

from redzone._version import __version__
from redzone.clock import Clock
from redzone.errors import ErrorCode, FetchFault, Retry
from redzone.net.byte_ranges import Ask, ContentRange, Fetched, NotModified, PartialFile, Validators, fit
from redzone.net.errors import network_fault, status_fault
from redzone.net.ssrf_guard import GuardedBackend, any_address, is_public
from redzone.net.urls import parse_address, redirect_target, shorten_url, url_scheme
from redzone.network import Connections, ShardedPool
from redzone.retry_after import read_retry_after

FILE_PIECE_BYTES = 1 << 20  # hashing a piece holds the event loop for about a millisecond
ERROR_PAGE_BYTES = 16_384  # enough to end most error pages, so that their connection can be used again
ERROR_PAGE_WAIT_S = 2.0
VALIDATOR_LENGTH = 1_000  # a longer etag is not kept: the cache stores it for every poster
REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """Bounds of one fetch, seconds and bytes. `total_timeout_s` takes in all tries and their pauses.

    `pool_maxsize` is the number of connections, `pool_keepalive` how many of them stay open while
    idle. `retry_after_max_s` is the longest pause that a server may ask for. `max_per_s` spaces
    downloads for image servers that want it.
    """

    total_timeout_s: float = 30.0
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 15.0
    pool_timeout_s: float = 30.0
    max_bytes: int = 20_000_000
    retries: int = 3
    backoff_base_s: float = 0.5
    backoff_max_s: float = 8.0
    retry_after_max_s: float = 20.0
    max_redirects: int = 5
    pool_maxsize: int = 100
    pool_keepalive: int = 20
    keepalive_expiry_s: float = 30.0
    max_per_s: float | None = None
    allow_private_hosts: bool = False
    user_agent: str = f"redzone/{__version__}"


class Fetcher:
    """Fetches posters over one pool of connections; use it as an async context manager.

    Without a `network` of its own it takes the guarded one, which connects to public addresses
    only, or to all with `allow_private_hosts`. `received_bytes` counts all that has come of images, of
    those that failed in the end, too.
    """

    def __init__(
        self,
        options: FetchOptions,
        clock: Clock,
        random: Random,
        network: httpcore2.AsyncNetworkBackend | None = None,
    ) -> None:
        self._options = options
        self._clock = clock
        self._random = random
        allows = any_address if options.allow_private_hosts else is_public
        self._network = network or GuardedBackend(allows=allows)
        self.received_bytes = 0
        self._pool: httpcore2.AsyncConnectionPool | None = None
        # one at a time: a bucket of several would let all of them go at once at the start
        self._turns = AsyncLimiter(1, 1 / options.max_per_s) if options.max_per_s else None

    async def __aenter__(self) -> Self:
        # reading the system's certificates takes 60 ms of disk and CPU, or more
        context = await asyncio.to_thread(httpx2.create_ssl_context, trust_env=False)
        options = self._options
        connections = Connections(options.pool_maxsize, options.pool_keepalive, options.keepalive_expiry_s)
        self._pool = ShardedPool(context, connections, self._network)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            await self._pool.aclose()
            self._pool = None

    async def turn(self) -> None:
        """Wait until `max_per_s` allows one more download; not at all where it is unset."""
        if self._turns is not None:
            await self._turns.acquire()

    async def fetch(self, reference: str, known: Validators | None = None) -> Fetched | NotModified:
        """The image's bytes, within `total_timeout_s`; with `known` validators maybe NotModified.

        `reference` is an http(s) address or a local path. Raises FetchFault with the code, the
        retry decision and what the server said; all retries are done by then.
        """
        got = await self._within_time(reference, Ask(known))
        assert not isinstance(got, PartialFile)  # noqa: S101  none was asked for
        return got

    async def fetch_start(
        self, reference: str, known: Validators | None = None
    ) -> Fetched | PartialFile | NotModified:
        """As `fetch`, but no more than the first START_BYTES where the server lets us choose.

        What it sends for that is read to its end, so that the connection stays open.
        """
        return await self._within_time(reference, Ask(known, start=True))

    async def fetch_rest(self, reference: str, part: PartialFile) -> Fetched:
        """The whole of an image that has begun: what is missing, or all of it again where the two might not
        be of one version. Raises FetchFault as `fetch` does."""
        got = await self._within_time(reference, Ask(begun=part if part.etag else None))
        assert isinstance(got, Fetched)  # noqa: S101  nothing else was asked for
        return got

    async def _within_time(self, reference: str, ask: Ask) -> Fetched | PartialFile | NotModified:
        url = parse_address(reference) if url_scheme(reference) else None
        try:
            async with asyncio.timeout(self._options.total_timeout_s):
                if url is None:
                    return await self._read_file(reference)
                return await self._persist(url, ask)
        except TimeoutError as error:
            raise FetchFault(
                ErrorCode.FETCH_TIMEOUT,
                f"{shorten_url(reference)} did not arrive within {self._options.total_timeout_s:g} s",
                Retry.TRANSIENT,
            ) from error

    async def _persist(self, url: httpx2.URL, ask: Ask) -> Fetched | PartialFile | NotModified:
        """Try again by cause, until the retries or the time are used up; without a range where the server
        does not play along."""
        ends = self._clock.monotonic() + self._options.total_timeout_s
        tries = 0
        while True:
            try:
                answer = await self._follow(url, ask)
                if answer is not None:
                    return answer
                ask = Ask(ask.known)
                continue
            except FetchFault as fault:
                pause_s = self._pause_s(tries, fault)
                out_of_time = self._clock.monotonic() + pause_s >= ends
                if fault.retry is Retry.NO or tries >= self._options.retries or out_of_time:
                    raise
            tries += 1
            await self._clock.sleep(pause_s)

    def _pause_s(self, tries: int, fault: FetchFault) -> float:
        """Exponential back-off with full jitter, and never less than the server asks for (capped)."""
        ceiling_s = min(self._options.backoff_max_s, self._options.backoff_base_s * 2.0**tries)
        wish_s = min(self._options.retry_after_max_s, fault.retry_after_s or 0.0)
        return max(wish_s, self._random.uniform(0.0, ceiling_s))

    async def _follow(self, url: httpx2.URL, ask: Ask) -> Fetched | PartialFile | NotModified | None:
        start = url
        for _ in range(self._options.max_redirects + 1):
            answer = await self._get(url, ask)
            if not isinstance(answer, httpx2.URL):
                return answer
            url = answer
        raise FetchFault(
            ErrorCode.FETCH_NETWORK,
            f"{shorten_url(str(start))} redirects more than {self._options.max_redirects} times",
        )

    async def _get(
        self, url: httpx2.URL, ask: Ask
    ) -> Fetched | PartialFile | NotModified | httpx2.URL | None:
        """One request and what came of it; an address is where the server sends us next, None a range that
        it cannot serve."""
        if self._pool is None:
            raise RuntimeError("a Fetcher fetches only inside its `async with`")
        target = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        timeouts = {
            "connect": self._options.connect_timeout_s,
            "read": self._options.read_timeout_s,
            "write": self._options.read_timeout_s,
            "pool": self._options.pool_timeout_s,
        }
        try:
            async with self._pool.stream(
                "GET", target, headers=self._headers(url, ask), extensions={"timeout": timeouts}
            ) as response:
                if response.status == 304 and ask.known is not None:
                    return NotModified()
                if response.status in REDIRECTS:
                    return redirect_target(url, _header(response, b"location"))
                return await self._read_answer(url, response, ask)
        except (
            httpcore2.TimeoutException,
            httpcore2.NetworkError,
            httpcore2.ProtocolError,
            httpcore2.UnsupportedProtocol,
        ) as error:
            raise network_fault(error, shorten_url(str(url))) from error

    def _headers(self, url: httpx2.URL, ask: Ask) -> list[tuple[bytes, bytes]]:
        headers = [
            (b"Host", url.netloc),
            (b"User-Agent", self._options.user_agent.encode("latin-1", errors="replace")),
            (b"Accept", b"image/*,*/*;q=0.5"),
            (b"Accept-Encoding", b"identity"),  # 1 MB of gzip can be 1 GB of "image"
        ]
        if url.userinfo:
            credentials = base64.b64encode(unquote_to_bytes(url.userinfo))
            headers.append((b"Authorization", b"Basic " + credentials))
        return headers + ask.headers()

    async def _read_answer(
        self, url: httpx2.URL, response: httpcore2.Response, ask: Ask
    ) -> Fetched | PartialFile | None:
        where = shorten_url(str(url))
        if response.status == 416 and ask.ranged:
            await _error_page(response)
            return None
        if response.status not in ({200, 203, 206} if ask.ranged else {200, 203}):
            wish_s = read_retry_after(httpx2.Headers(response.headers), self._clock.now())
            raise status_fault(response.status, where, await _error_page(response), wish_s)
        encoding = _header(response, b"content-encoding") or "identity"
        if encoding.strip().lower() != "identity":
            raise FetchFault(
                ErrorCode.FETCH_BLOCKED,
                f"{where} is sent with Content-Encoding {encoding[:40]!r} although none was accepted",
            )
        length = _header(response, b"content-length") or "0"
        if length.isdecimal() and int(length[:20]) > self._options.max_bytes:
            raise self._too_large(where)
        begun = ask.begun.data if ask.begun and response.status == 206 else b""
        data, sha256 = await self._collect(response.aiter_stream(), where, begun)
        got = Fetched(data, sha256, _validators(response))
        if response.status != 206:
            return got
        sent = ContentRange.parse(_header(response, b"content-range"))
        if sent is not None and (sent.total or 0) > self._options.max_bytes:
            raise self._too_large(where)
        return fit(ask, sent, got) if sent is not None else None

    async def _read_file(self, path: str) -> Fetched:
        where = shorten_url(path)
        try:
            async with aiofiles.open(path, "rb", opener=_open_at_once) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise FetchFault(ErrorCode.FETCH_MISSING, f"{where} is a device or a pipe, not a file")

                async def pieces() -> AsyncGenerator[bytes, None]:
                    while piece := await file.read(FILE_PIECE_BYTES):
                        yield piece

                return Fetched(*await self._collect(pieces(), where))
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise FetchFault(ErrorCode.FETCH_MISSING, f"{where} cannot be read: {reason}") from error

    async def _collect(
        self, pieces: AsyncGenerator[bytes, None], where: str, begun: bytes = b""
    ) -> tuple[bytes, str]:
        """The bytes and their hash, what has come before included."""
        digest, held, size = hashlib.sha256(begun), [begun], len(begun)
        async with contextlib.aclosing(pieces):
            async for piece in pieces:
                size += len(piece)
                self.received_bytes += len(piece)
                if size > self._options.max_bytes:
                    raise self._too_large(where)
                digest.update(piece)
                held.append(piece)
        return b"".join(held), digest.hexdigest()

    def _too_large(self, where: str) -> FetchFault:
        return FetchFault(
            ErrorCode.IMAGE_TOO_LARGE, f"{where} is larger than {self._options.max_bytes:,} bytes"
        )


def _header(response: httpcore2.Response, name: bytes) -> str | None:
    for key, value in response.headers:
        if key.lower() == name:
            return value.decode("latin-1")
    return None


def _validators(response: httpcore2.Response) -> Validators | None:
    etag, last_modified = _header(response, b"etag"), _header(response, b"last-modified")
    kept = [value if value and len(value) <= VALIDATOR_LENGTH else None for value in (etag, last_modified)]
    return Validators(*kept) if any(kept) else None


async def _error_page(response: httpcore2.Response) -> bytes:
    """What can be had of an error page quickly; the fault is told with or without it."""
    page = b""
    with contextlib.suppress(
        TimeoutError, httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError
    ):
        async with asyncio.timeout(ERROR_PAGE_WAIT_S), contextlib.aclosing(response.aiter_stream()) as pieces:
            async for piece in pieces:
                page += piece
                if len(page) >= ERROR_PAGE_BYTES:
                    break
    return page


def _open_at_once(path: str, flags: int) -> int:
    """Open without waiting for a pipe's other end and without adopting a terminal."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
