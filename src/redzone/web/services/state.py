"""Application state: the home with its runs, the caches, and how the dashboard was started."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, ClassVar

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import HTTPConnection

from redzone.errors import RunNotFound
from redzone.query import RunIndex
from redzone.runs import RunFolder, RunStore
from redzone.runs.record import RUN_ID
from redzone.web.services.exporter import Exports
from redzone.web.services.launcher import Launcher
from redzone.web.services.metrics_cache import MetricsCache
from redzone.web.services.run_status import Overview, check_regular
from redzone.web.services.totals_cache import TotalsCache

if TYPE_CHECKING:
    from redzone.thumbnails import Thumbnails

MOST_OPEN = 40  # runs whose tables are open: three files each, of the 1,024 that a process often may have


@dataclass(frozen=True, slots=True)
class WebOptions:
    """Access options: `names` are the accepted Host names, with `any_address` every IP address too. Without a
    `token` anyone who reaches the port has access; `cookie` is the cookie that holds it."""

    names: frozenset[str] = frozenset({"localhost", "127.0.0.1", "::1"})
    any_address: bool = False
    token: str | None = field(default=None, repr=False)
    cookie: str = "redzone_token"


@dataclass(slots=True)
class AppState:
    """What the pages share. `closing` is set at shutdown, so that open event streams end; `draining` holds
    the runs that were asked to stop, each with the modification time of its lock."""

    home: Path
    options: WebOptions
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    store: RunStore = field(init=False)
    overview: Overview = field(init=False)
    metrics: MetricsCache = field(default_factory=MetricsCache)
    launcher: Launcher = field(init=False)
    exports: Exports = field(init=False)
    draining: set[tuple[str, int]] = field(default_factory=set)
    totals: TotalsCache = field(default_factory=TotalsCache)
    _thumbnails: Thumbnails | None = None
    _browsers: dict[str, RunIndex] = field(default_factory=dict)
    _readings: dict[str, asyncio.Task[object]] = field(default_factory=dict)
    _turn: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.store = RunStore(self.home)
        self.overview = Overview(self.store)
        self.launcher = Launcher(self.home)
        self.exports = Exports(self.home)

    @property
    def thumbnails(self) -> Thumbnails:
        """The pictures of this home."""
        if self._thumbnails is None:
            # 0.2 s to import: only when a picture is requested
            from redzone.thumbnails import Thumbnails

            self._thumbnails = Thumbnails(self.home)
        return self._thumbnails

    async def aclose(self) -> None:
        """Closes what the pages have opened."""
        if self._thumbnails is not None:
            await self._thumbnails.aclose()
        await asyncio.gather(*self._readings.values(), return_exceptions=True)
        for browser in self._browsers.values():
            await asyncio.to_thread(browser.close)

    def browser(self, folder: RunFolder) -> RunIndex:
        """The open index of a run. Blocking, as its calls are."""
        with self._turn:
            found = self._browsers.pop(folder.id, None) or RunIndex(folder)
            self._browsers[folder.id] = found  # least recently used first
            spare = list(self._browsers)[:-MOST_OPEN]
            closing = [self._browsers.pop(run_id) for run_id in spare]
        for browser in closing:
            browser.close()
        return found

    async def is_read(self, folder: RunFolder, within_s: float) -> bool:
        """Whether a run is indexed. The first call starts to index it: several seconds for 100,000 outcomes,
        once."""
        reading = self._readings.get(folder.id)
        if reading is None:
            first = asyncio.to_thread(lambda: self.browser(folder).get(1))
            reading = self._readings[folder.id] = asyncio.create_task(first)
        await asyncio.wait([reading], timeout=within_s)
        if not reading.done():
            return False
        if reading.exception() is not None:
            del self._readings[folder.id]  # this page shows the error, and the next request tries again
        reading.result()
        return True

    def folder(self, run_id: str) -> RunFolder:
        """The run of exactly this id. Raises RunNotFound, and UsageError for files that are not regular."""
        if RUN_ID.fullmatch(run_id):
            folder = RunFolder(self.store.folder / run_id)
            # a link may lead out of the home: it is no run
            if folder.path.is_dir() and not folder.path.is_symlink():
                check_regular(folder)
                return folder
        raise RunNotFound(f"there is no run {run_id} in {self.home}")


def app_state(connection: HTTPConnection) -> AppState:
    """The application state of a request."""
    state = connection.app.state.state
    assert isinstance(state, AppState)  # noqa: S101  create_app put it there
    return state


class _RunConvertor(Convertor[str]):
    regex: ClassVar[str] = RUN_ID.pattern

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


class _CountConvertor(Convertor[int]):
    # nine digits bound the number before it is parsed
    regex: ClassVar[str] = "[0-9]{1,9}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


class _RowConvertor(_CountConvertor):
    regex: ClassVar[str] = "[1-9][0-9]{0,8}"


# No other part of a URL reaches the file system: routes write {run_id:run} and {row:row}.
register_url_convertor("run", _RunConvertor())
register_url_convertor("row", _RowConvertor())
register_url_convertor("count", _CountConvertor())
