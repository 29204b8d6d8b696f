"""Downloads the bytes of one poster, from an http(s) address or a file, and trusts nothing on the way.

What httpx2's client does for browsers is off here: cookies, redirects (each hop is checked), decoding, and
the log line with the whole address.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import stat
from collections import OrderedDict
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from http.cookiejar import CookieJar, DefaultCookiePolicy
from random import Random
from types import TracebackType
from typing import Self

import aiofiles
import httpcore2
import httpx2
from aiolimiter import AsyncLimiter

from redzone._version import __version__
from redzone.clock import Clock
from redzone.errors import ErrorCode, FetchFault, Retry
from redzone.net.byte_ranges import Ask, ContentRange, Fetched, NotModified, PartialFile, Validators, fit
from redzone.net.errors import network_fault, status_fault
from redzone.net.image_hosts import DownloadBreaker, HostHolds, Paused, not_paused
from redzone.net.image_transport import ImageTransport
from redzone.net.name_lookup import NameLookup
from redzone.net.ssrf_guard import GuardedBackend, any_address, is_public
from redzone.net.urls import parse_address, redirect_target, shorten_url, url_scheme
from redzone.outbound import pool_limits, trust_store
from redzone.retry_after import read_retry_after
from redzone.single_flight import SingleFlight

FILE_PIECE_BYTES = 1 << 20  # hashing a piece holds the event loop for about a millisecond
ERROR_PAGE_BYTES = 16_384  # enough to end most error pages, so that their connection can be used again
ERROR_PAGE_WAIT_S = 2.0
VALIDATOR_LENGTH = 1_000  # a longer etag is not kept: the cache stores it for every poster
REDIRECTS = frozenset({301, 302, 303, 307, 308})
UNREACHABLE = frozenset(
    {
        ErrorCode.FETCH_NETWORK,
        ErrorCode.FETCH_TIMEOUT,
        ErrorCode.FETCH_HTTP_5XX,
        ErrorCode.FETCH_HTTP_429,
    }
)


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """Bounds of one fetch, seconds and bytes. `total_timeout_s` covers all tries and their pauses.

    `pool_maxsize` is the number of connections, `pool_keepalive` how many of them stay open while idle.
    A `Retry-After` of at most `retry_after_max_s` makes everybody wait who wants the same host, without
    using up tries or `total_timeout_s`, each for `hold_max_s` at most. `max_per_s` spaces downloads.
    With `breaker_failures` set, that many failures in a row over `breaker_s` seconds end the run.
    `recent_bytes` of images are kept for rows that have the same address.
    """

    total_timeout_s: float = 30.0
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 15.0
    pool_timeout_s: float = 30.0
    max_bytes: int = 20_000_000
    retries: int = 3
    backoff_base_s: float = 0.5
    backoff_max_s: float = 8.0
    retry_after_max_s: float = 120.0
    hold_max_s: float = 600.0
    breaker_failures: int | None = None
    breaker_s: float = 5.0
    recent_bytes: int = 0
    max_redirects: int = 5
    pool_maxsize: int = 100
    pool_keepalive: int = 20
    keepalive_expiry_s: float = 30.0
    max_per_s: float | None = None
    allow_private_hosts: bool = False
    user_agent: str | None = None
    referer: str | None = None


_Got = Fetched | PartialFile | NotModified


class Fetcher:
    """Fetches posters over one set of connections; use it as an async context manager.

    Without a `network` of its own it takes the guarded one, which connects to public addresses
    only, or to all with `allow_private_hosts`. `received_bytes` counts all image bytes received, also
    those of downloads that failed in the end.
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
        self._lookup = NameLookup(monotonic=clock.monotonic)
        self._network = network or GuardedBackend(self._lookup, allows)
        self.received_bytes = 0
        self._client: httpx2.AsyncClient | None = None
        # one at a time: a bucket of several would let all of them go at once at the start
        self._turns = AsyncLimiter(1, 1 / options.max_per_s) if options.max_per_s else None
        self._holds = HostHolds(clock)
        self._breaker = (
            DownloadBreaker(options.breaker_failures, options.breaker_s, clock)
            if options.breaker_failures
            else None
        )
        self._flights: SingleFlight[_Got] = SingleFlight(finish_abandoned=False)
        self._recent: OrderedDict[tuple[str, bool], Fetched | PartialFile] = OrderedDict()

    async def __aenter__(self) -> Self:
        # reading the system's certificates takes 60 ms of disk and CPU, or more
        context = await asyncio.to_thread(trust_store)
        options = self._options
        limits = pool_limits(options.pool_maxsize, options.pool_keepalive, options.keepalive_expiry_s)
        headers = {
            "User-Agent": options.user_agent or f"redzone/{__version__}",
            "Accept": "image/*,*/*;q=0.5",
            "Accept-Encoding": "identity",  # 1 MB of gzip can be 1 GB of "image"
        }
        self._client = httpx2.AsyncClient(
            transport=ImageTransport(context, limits, self._network),
            headers={**headers, "Referer": options.referer} if options.referer else headers,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=httpx2.Timeout(
                options.read_timeout_s, connect=options.connect_timeout_s, pool=options.pool_timeout_s
            ),
            follow_redirects=False,
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def turn(self) -> None:
        """Wait until `max_per_s` allows one more download; not at all where it is unset."""
        if self._turns is not None:
            await self._turns.acquire()

    async def fetch(
        self, reference: str, known: Validators | None = None, paused: Paused = not_paused
    ) -> Fetched | NotModified:
        """The image's bytes, within `total_timeout_s`; with `known` validators maybe NotModified.

        `reference` is an http(s) address or a local path. `paused` is entered while a server makes everybody
        wait. Raises FetchFault with the code, the retry decision and the server's own words when all
        retries are done, and DownloadsFailing where every download fails.
        """
        got = await self._shared(reference, Ask(known), paused)
        assert not isinstance(got, PartialFile)  # noqa: S101  none was asked for
        return got

    async def fetch_start(
        self, reference: str, known: Validators | None = None, paused: Paused = not_paused
    ) -> Fetched | PartialFile | NotModified:
        """As `fetch`, but no more than the first START_BYTES if the server supports ranges.

        Everything that it sends is read to the end, so that the connection stays open.
        """
        return await self._shared(reference, Ask(known, start=True), paused)

    async def fetch_rest(self, reference: str, part: PartialFile, paused: Paused = not_paused) -> Fetched:
        """The whole of an image of which a part is known: the missing bytes, or all of it where the two might
        not be of one version. Raises as `fetch` does."""
        got = await self._shared(reference, Ask(begun=part if part.etag else None), paused)
        assert isinstance(got, Fetched)  # noqa: S101  nothing else was asked for
        return got

    async def _shared(self, reference: str, ask: Ask, paused: Paused) -> _Got:
        """One download for all who want the same at once, and a wait where the host asks for one."""
        if not url_scheme(reference):
            return await self._within_time(reference, None, ask)
        if (recent := self._kept(reference, ask)) is not None:
            return recent
        url = parse_address(reference)
        began_s = self._clock.monotonic()
        while True:
            if not self._holds.may_start(url.host):
                with paused():
                    await self._holds.wait(url.host)
            self._holds.began(url.host)
            got: _Got | None = None
            try:
                got = await self._flights.run(
                    (reference, ask), lambda: self._within_time(reference, url, ask)
                )
            except FetchFault as fault:
                held_s = self._clock.monotonic() - began_s
                if not self._is_hold(fault) or held_s + (fault.retry_after_s or 0) > self._options.hold_max_s:
                    self._note_failure(url.host, fault)
                    raise
                pause_s = self._pause_s(0, fault)
                self._holds.hold(url.host, pause_s)
            finally:
                self._holds.ended(url.host, succeeded=got is not None)
            if got is not None:
                if self._breaker is not None:
                    self._breaker.succeeded(url.host)
                self._keep(reference, ask, got)
                return got
            with paused():
                await self._clock.sleep(pause_s)

    def _is_hold(self, fault: FetchFault) -> bool:
        """Whether the server names a time after which it can be asked again, and that is soon enough."""
        wish_s = fault.retry_after_s or 0.0
        return fault.retry is not Retry.NO and 0.0 < wish_s <= self._options.retry_after_max_s

    def _note_failure(self, host: str, fault: FetchFault) -> None:
        if self._breaker is None:
            return
        if fault.code in UNREACHABLE:
            self._breaker.failed(host, fault)
        elif fault.code.startswith("fetch-http"):
            self._breaker.succeeded(host)  # it answered

    def _kept(self, reference: str, ask: Ask) -> Fetched | PartialFile | None:
        return None if ask.begun is not None else self._recent.get((reference, ask.start))

    def _keep(self, reference: str, ask: Ask, got: _Got) -> None:
        if isinstance(got, NotModified) or ask.begun is not None or not self._options.recent_bytes:
            return
        self._recent[reference, ask.start] = got
        while sum(len(each.data) for each in self._recent.values()) > self._options.recent_bytes:
            self._recent.popitem(last=False)

    async def _within_time(self, reference: str, url: httpx2.URL | None, ask: Ask) -> _Got:
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

    async def _persist(self, url: httpx2.URL, ask: Ask) -> _Got:
        """Try again after passing faults until the retries or the time are used up; without a range where the
        server does not support one."""
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
                final = fault.retry is Retry.NO or self._is_hold(fault) or self._lookup.has_failed(url.host)
                if final or tries >= self._options.retries or out_of_time:
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
                return _from(url, answer, moved=url != start)
            url = answer
            ask = ask.elsewhere()
        raise FetchFault(
            ErrorCode.FETCH_NETWORK,
            f"{shorten_url(str(start))} redirects more than {self._options.max_redirects} times",
        )

    async def _get(
        self, url: httpx2.URL, ask: Ask
    ) -> Fetched | PartialFile | NotModified | httpx2.URL | None:
        """One request and what came of it; an address is where the server sends us next, None a range that
        it cannot serve."""
        if self._client is None:
            raise RuntimeError("a Fetcher fetches only inside its `async with`")
        request = self._client.build_request("GET", url, headers=ask.headers(str(url)))
        try:
            response = await self._client.send(request, stream=True)
            try:
                if response.status_code == 304 and ask.known is not None:
                    return NotModified()
                if response.status_code in REDIRECTS:
                    return redirect_target(url, response.headers.get("location"))
                return await self._read_answer(url, response, ask)
            finally:
                await response.aclose()
        except httpx2.TransportError as error:
            raise network_fault(error, shorten_url(str(url))) from error

    async def _read_answer(
        self, url: httpx2.URL, response: httpx2.Response, ask: Ask
    ) -> Fetched | PartialFile | None:
        where = shorten_url(str(url))
        if response.status_code == 416 and ask.ranged:
            await _error_page(response)
            return None
        if response.status_code not in ({200, 203, 206} if ask.ranged else {200, 203}):
            wish_s = read_retry_after(response.headers, self._clock.now())
            raise status_fault(response.status_code, where, await _error_page(response), wish_s)
        encoding = response.headers.get("content-encoding") or "identity"
        if encoding.strip().lower() != "identity":
            raise FetchFault(
                ErrorCode.FETCH_BLOCKED,
                f"{where} is sent with Content-Encoding {encoding[:40]!r} although none was accepted",
            )
        length = response.headers.get("content-length") or "0"
        if length.isdecimal() and int(length[:20]) > self._options.max_bytes:
            raise self._too_large(where)
        begun = ask.begun.data if ask.begun and response.status_code == 206 else b""
        data, sha256 = await self._collect(response.aiter_raw(), where, begun)
        got = Fetched(data, sha256, _validators(response))
        if response.status_code != 206:
            return got
        sent = ContentRange.parse(response.headers.get("content-range"))
        if sent is not None and (sent.total or 0) > self._options.max_bytes:
            raise self._too_large(where)
        if sent is None or (ask.begun is not None and not ask.issued_by(str(url))):
            return None
        return fit(ask, sent, got)

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


def _from(url: httpx2.URL, answer: _Got | None, *, moved: bool) -> _Got | None:
    """What came from an address. After a redirect without its validators: they hold for the address that
    issued them, and the cache knows only the first one."""
    if isinstance(answer, PartialFile):
        return replace(
            answer,
            address=str(url),
            validators=None if moved else answer.validators,
            moved_etag=answer.etag if moved else None,
        )
    return replace(answer, validators=None) if moved and isinstance(answer, Fetched) else answer


def _validators(response: httpx2.Response) -> Validators | None:
    etag, last_modified = response.headers.get("etag"), response.headers.get("last-modified")
    kept = [value if value and len(value) <= VALIDATOR_LENGTH else None for value in (etag, last_modified)]
    return Validators(*kept) if any(kept) else None


async def _error_page(response: httpx2.Response) -> bytes:
    """The start of an error page, if it comes quickly."""
    page = b""
    with contextlib.suppress(TimeoutError, httpx2.TransportError):
        async with asyncio.timeout(ERROR_PAGE_WAIT_S), contextlib.aclosing(response.aiter_raw()) as pieces:
            async for piece in pieces:
                page += piece
                if len(page) >= ERROR_PAGE_BYTES:
                    break
    return page


def _open_at_once(path: str, flags: int) -> int:
    """Open without waiting for a pipe's other end and without adopting a terminal."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
