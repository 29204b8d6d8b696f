"""Thumbnails on demand: from the disk cache, or fetched with the same SSRF guard as a run and rendered."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self, TypeVar

from redzone.clock import Clock, LoopClock
from redzone.errors import PosterFault
from redzone.lru import LruCache
from redzone.models import VIEW_PREFIX, BadRow, Outcome, Row
from redzone.net import Fetched, Fetcher, FetchOptions
from redzone.single_flight import SingleFlight
from redzone.thumbnails.disk_cache import SHA256, DiskCache
from redzone.thumbnails.fetch_policy import FetchPolicy
from redzone.thumbnails.render import SIZES, RenderSpec, Scaled, Seen

T = TypeVar("T")

MAX_DISK_BYTES = 500_000_000
ORIGINALS_BYTES = 48_000_000  # a poster page needs three pictures of the same bytes
DOWNLOADS = 8
FETCH_TIMEOUT_S = 15.0
FETCH_RETRIES = 1
FRESH_S = 600.0  # how long a URL is assumed to return the same bytes
FAILED_S = 60.0  # how long a failure is remembered, so that reloading a page of dead URLs sends no requests
REMEMBERED = 20_000  # URLs
AHEAD = 16  # pictures that `collect` prepares in advance


@dataclass(frozen=True, slots=True)
class Picture:
    """A poster's image: an http(s) URL or an absolute path.

    What was judged, if known, is identified by the file's `sha256`, or after a partial download by the view's
    `fingerprint`.
    """

    image: str
    sha256: str | None = None
    view: Seen | None = None
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A rendered picture. `sha256` is the hash of its source; `changed`: other content was judged."""

    data: bytes
    sha256: str
    changed: bool = False
    content_type: str = "image/jpeg"


@dataclass(frozen=True, slots=True)
class Missing:
    """Why there is no picture."""

    reason: str


def poster_picture(row: Row, outcome: Outcome | None, first_view: Seen | None = None) -> Picture | Missing:
    """Where to get a row's picture, or why it has none.

    With the run's first view, a changed picture is detected even if the run downloaded only a part of it.
    """
    if isinstance(row, BadRow):
        return Missing(row.reason)
    if not row.image:
        # an outcome that outlived its input
        fault = outcome.error if outcome is not None else None
        return Missing(fault.message if fault is not None else "the row names no image")
    judged = outcome.image_sha256 if outcome is not None else None
    if judged is None:
        return Picture(row.image)
    if judged.startswith(VIEW_PREFIX):
        return Picture(row.image, view=first_view, fingerprint=judged)
    # a checkpoint can come from anywhere, and the hash becomes part of a file name
    return Picture(row.image, judged if SHA256.fullmatch(judged) else None)


class Thumbnails:
    """Renders and caches the thumbnails of one home; use it as an async context manager.

    Concurrent equal requests share one task, at most 8 images are downloaded at a time, and a failure is a
    `Missing`. A cached picture of the judged content is preferred; otherwise the URL is fetched, and may by
    now return another picture.
    """

    def __init__(
        self, home: Path, clock: Clock | None = None, *, max_disk_bytes: int = MAX_DISK_BYTES
    ) -> None:
        self._clock = clock or LoopClock()
        self._disk = DiskCache(home, max_disk_bytes)
        # decoding a poster of 50 megapixels takes 200 MB, so not many at once
        workers = min(4, os.cpu_count() or 1)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="thumbnails")
        self._stack = AsyncExitStack()
        self._fetchers: dict[FetchOptions, Fetcher] = {}
        self._opening = asyncio.Lock()
        self._downloads = asyncio.Semaphore(DOWNLOADS)
        self._renders: SingleFlight[Thumbnail | Missing] = SingleFlight()
        self._fetches: SingleFlight[Fetched | Missing] = SingleFlight()
        self._recent_hashes: LruCache[str, tuple[str, float]] = LruCache(REMEMBERED)
        self._failed: LruCache[tuple[str, FetchPolicy], tuple[Missing, float]] = LruCache(REMEMBERED)
        self._originals: LruCache[str, Fetched] = LruCache(
            ORIGINALS_BYTES, lambda original: len(original.data)
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Cancel running work and close all connections."""
        await self._renders.aclose()
        await self._fetches.aclose()
        await self._stack.aclose()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def get(self, picture: Picture, spec: RenderSpec, policy: FetchPolicy) -> Thumbnail | Missing:
        """The picture rendered to the spec, or why it cannot be rendered."""
        key = (picture, spec, policy)
        return await self._renders.run(key, lambda: self._thumbnail(picture, spec, policy))

    async def collect(
        self, pictures: Iterable[Picture | Missing], spec: RenderSpec, policy: FetchPolicy
    ) -> AsyncIterator[Thumbnail | Missing]:
        """One result per picture, in order, prepared a few in advance. A `Missing` is passed through."""
        window: deque[asyncio.Task[Thumbnail | Missing]] = deque()
        try:
            for picture in pictures:
                window.append(asyncio.create_task(self._get_or_pass(picture, spec, policy)))
                if len(window) > AHEAD:
                    yield await window.popleft()
            while window:
                yield await window.popleft()
        finally:
            for task in window:
                task.cancel()

    async def _get_or_pass(
        self, picture: Picture | Missing, spec: RenderSpec, policy: FetchPolicy
    ) -> Thumbnail | Missing:
        return picture if isinstance(picture, Missing) else await self.get(picture, spec, policy)

    async def _thumbnail(
        self, picture: Picture, spec: RenderSpec, policy: FetchPolicy
    ) -> Thumbnail | Missing:
        for sha256 in dict.fromkeys((picture.sha256, self._recent_hash(picture.image))):
            data = await self._cached(sha256, spec) if sha256 is not None else None
            changed = await self._changed(picture, sha256) if sha256 is not None else None
            if sha256 is not None and data is not None and changed is not None:
                return Thumbnail(data, sha256, changed)
        original = await self._original(picture, policy)
        if isinstance(original, Missing):
            return original
        try:
            data = await self._render(original, spec, policy)
            if picture.view is not None:
                await self._render(original, picture.view, policy)
        except PosterFault as fault:
            return self._fail(picture.image, policy, fault)
        return Thumbnail(data, original.sha256, await self._changed(picture, original.sha256) or False)

    async def _render(self, original: Fetched, spec: RenderSpec, policy: FetchPolicy) -> bytes:
        def make() -> bytes:
            data = spec.make(original.data, policy.max_image_pixels)
            self._disk.put(original.sha256, spec.key, data)
            return data

        return await self._in_thread(make)

    async def _changed(self, picture: Picture, sha256: str) -> bool | None:
        """Whether other content was judged; None if the view that would show it is not cached."""
        if picture.view is None:
            return picture.sha256 not in (None, sha256)
        view = await self._cached(sha256, picture.view)
        return None if view is None else VIEW_PREFIX + hashlib.sha256(view).hexdigest() != picture.fingerprint

    async def _cached(self, sha256: str, spec: RenderSpec) -> bytes | None:
        """From the disk cache: the picture, or one scaled down from a larger size of the same content."""
        larger = [Scaled(px) for px in SIZES if isinstance(spec, Scaled) and px > spec.width_px]

        def find() -> bytes | None:
            data = self._disk.get(sha256, spec.key)
            if data is not None:
                return data
            for other in larger:
                if (source := self._disk.get(sha256, other.key)) is not None:
                    data = spec.make(source, FetchPolicy().max_image_pixels)
                    self._disk.put(sha256, spec.key, data)
                    return data
            return None

        try:
            return await self._in_thread(find)
        except PosterFault:
            return None  # a damaged file in the cache folder

    async def _original(self, picture: Picture, policy: FetchPolicy) -> Fetched | Missing:
        """The poster's bytes: the judged ones if they are in memory, else fetched from its URL."""
        for sha256 in (picture.sha256, self._recent_hash(picture.image)):
            if sha256 is not None and (original := self._originals.get(sha256)) is not None:
                return original
        key = (picture.image, policy)
        failed = self._failed.get(key)
        if failed is not None and failed[1] > self._clock.monotonic():
            return failed[0]
        return await self._fetches.run(key, lambda: self._fetch(picture.image, policy))

    async def _fetch(self, image: str, policy: FetchPolicy) -> Fetched | Missing:
        async with self._downloads:
            fetcher = await self._fetcher(policy)
            await fetcher.turn()
            try:
                got = await fetcher.fetch(image)
            except PosterFault as fault:
                return self._fail(image, policy, fault)
        assert isinstance(got, Fetched)  # noqa: S101  no validators were sent
        self._originals.put(got.sha256, got)
        self._recent_hashes.put(image, (got.sha256, self._clock.monotonic() + FRESH_S))
        return got

    async def _fetcher(self, policy: FetchPolicy) -> Fetcher:
        options = FetchOptions(
            total_timeout_s=FETCH_TIMEOUT_S,
            max_bytes=policy.max_image_bytes,
            retries=FETCH_RETRIES,
            max_per_s=policy.images_per_s,
            pool_maxsize=DOWNLOADS,
            pool_keepalive=DOWNLOADS,
            allow_private_hosts=policy.allow_private_hosts,
        )
        async with self._opening:
            if options not in self._fetchers:
                fetcher = Fetcher(options, self._clock, Random())  # noqa: S311  jitter
                self._fetchers[options] = await self._stack.enter_async_context(fetcher)
        return self._fetchers[options]

    def _recent_hash(self, image: str) -> str | None:
        """The hash of the content that a URL returned recently."""
        known = self._recent_hashes.get(image)
        return known[0] if known is not None and known[1] > self._clock.monotonic() else None

    def _fail(self, image: str, policy: FetchPolicy, fault: PosterFault) -> Missing:
        missing = Missing(fault.message)
        self._failed.put((image, policy), (missing, self._clock.monotonic() + FAILED_S))
        return missing

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def collected(
    home: Path, pictures: Iterable[Picture | Missing], spec: RenderSpec, policy: FetchPolicy
) -> Iterator[Thumbnail | Missing]:
    """`Thumbnails.collect` for code without an event loop, such as a report writer."""
    with asyncio.Runner() as runner:
        thumbnails = Thumbnails(home)
        stream = thumbnails.collect(pictures, spec, policy)
        try:
            while (result := runner.run(_next(stream))) is not None:
                yield result
        finally:
            runner.run(thumbnails.aclose())


async def _next(stream: AsyncIterator[Thumbnail | Missing]) -> Thumbnail | Missing | None:
    return await anext(stream, None)
