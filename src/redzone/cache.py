"""Verdicts remembered by what was shown and asked, so that the same picture is never paid for twice.

SQLite in WAL mode, values as JSON. Every call runs on the cache's own thread. The journal is the truth and
the cache only saves money: once it is open, a failing cache is a miss and a logged warning, never an error
of a poster.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import TypeAdapter

from redzone.errors import UsageError
from redzone.models import Zone, ZoneVerdict

T = TypeVar("T")
log = logging.getLogger(__name__)

WRITE_WITHIN_S = 0.02
BUSY_S = 30.0  # how long another process may hold the file
# SQLite keeps this number in the file's header: whose file it is, and in the last byte the schema's version.
APPLICATION_ID = 0x525A4301  # "RZC", 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS verdicts (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, run_id TEXT NOT NULL, created_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS verdicts_by_age ON verdicts (created_at);
CREATE TABLE IF NOT EXISTS urls (
    url TEXT PRIMARY KEY, etag TEXT, last_modified TEXT, sha256 TEXT NOT NULL, created_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS urls_by_age ON urls (created_at);
"""
_VERDICTS = TypeAdapter(tuple[ZoneVerdict, ...])


@dataclass(frozen=True, slots=True)
class CacheKey:
    """All that a verdict depends on beside the picture."""

    zones: tuple[Zone, ...]
    view: str
    framing_version: str
    prompt_version: str
    provider: str
    model: str

    def key(self, image_sha256: str) -> str:
        """The cache key of a picture under this question: sha256, hex."""
        before, after = _round_the_picture(self)
        return hashlib.sha256((before + json.dumps(image_sha256) + after).encode()).hexdigest()


@lru_cache(maxsize=8)
def _round_the_picture(asked: CacheKey) -> tuple[str, str]:
    """The JSON that is hashed, without the picture: it is the same for a whole run."""
    zones = [zone.model_dump() for zone in asked.zones]
    rest = [zones, asked.view, asked.framing_version, asked.prompt_version, asked.provider, asked.model]
    return "[", f", {json.dumps(rest)[1:]}"


@dataclass(frozen=True, slots=True)
class Remembered:
    """A verdict that was paid for before, by which run, and which models that run could ask."""

    verdicts: tuple[ZoneVerdict, ...]
    strategy: str
    model: str
    run_id: str
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KnownUrl:
    """What a server said about an address when it was last downloaded."""

    etag: str | None
    last_modified: str | None
    sha256: str


@dataclass(frozen=True, slots=True)
class CacheStats:
    """Size of the cache. Ages are seconds; None where it is empty."""

    path: Path
    verdicts: int
    expired: int
    urls: int
    bytes: int


class Cache:
    """One cache file. `now` gives seconds since the epoch, `max_age_s` is how long a verdict is used.

    A file that cannot be opened, or that is no cache of this version, raises UsageError, which names it and
    says what to do; nothing is repaired silently. Several processes may share a file.
    """

    def __init__(self, path: Path, max_age_s: float, now: Callable[[], float]) -> None:
        self._path = path
        self._max_age_s = max_age_s
        self._now = now
        self._warned = False
        self._waiting: list[_Call] = []
        self._serving: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cache")
        try:
            self._db = self._thread.submit(self._open).result()
        except BaseException:
            self._thread.shutdown()
            raise

    async def verdict(self, key: str) -> Remembered | None:
        """The verdict under a key; None where there is none, it has expired or cannot be read."""

        def read(db: sqlite3.Connection) -> Remembered | None:
            row = db.execute(
                "SELECT value, run_id FROM verdicts WHERE key = ? AND created_at > ?", (key, self._oldest())
            ).fetchone()
            if row is None:
                return None
            value = json.loads(row[0])
            verdicts = _VERDICTS.validate_python(value["zones"])
            return Remembered(
                verdicts, value["strategy"], value["model"], row[1], tuple(value.get("models", ()))
            )

        return await self._call(read)

    async def remember(self, key: str, remembered: Remembered) -> None:
        """Keep a verdict, if the file lets us; every later look-up of this process finds it."""
        value = {
            "zones": _VERDICTS.dump_python(remembered.verdicts, mode="json"),
            "strategy": remembered.strategy,
            "model": remembered.model,
            "models": remembered.models,
        }
        row = (key, json.dumps(value), remembered.run_id, self._now())
        self._later(lambda db: _write(db, "INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?, ?)", row))

    async def known_url(self, url: str) -> KnownUrl | None:
        """The validators of an address and the picture that it had; None where not known or expired."""

        def read(db: sqlite3.Connection) -> KnownUrl | None:
            row = db.execute(
                "SELECT etag, last_modified, sha256 FROM urls WHERE url = ? AND created_at > ?",
                (url, self._oldest()),
            ).fetchone()
            return KnownUrl(*row) if row else None

        return await self._call(read)

    async def remember_url(self, url: str, known: KnownUrl) -> None:
        """Keep what a server said about an address, if the file lets us."""
        row = (url, known.etag, known.last_modified, known.sha256, self._now())
        self._later(lambda db: _write(db, "INSERT OR REPLACE INTO urls VALUES (?, ?, ?, ?, ?)", row))

    def stats(self) -> CacheStats:
        """Counts and size on disk, bytes. Raises UsageError where the file cannot be read."""

        def read(db: sqlite3.Connection) -> CacheStats:
            verdicts, expired = db.execute(
                "SELECT count(*), count(*) FILTER (WHERE created_at <= ?) FROM verdicts", (self._oldest(),)
            ).fetchone()
            urls = db.execute("SELECT count(*) FROM urls").fetchone()[0]
            size = sum(p.stat().st_size for p in self._path.parent.glob(self._path.name + "*"))
            return CacheStats(self._path, verdicts, expired, urls, size)

        return self._now_or_never(read)

    def prune(self) -> int:
        """Forget what has expired; the number of verdicts and addresses forgotten. Raises UsageError."""
        return self._delete("WHERE created_at <= ?", (self._oldest(),))

    def clear(self) -> int:
        """Forget everything; the number of verdicts and addresses forgotten. Raises UsageError."""
        return self._delete("", ())

    def close(self) -> None:
        """Write what is still to be written and close the file."""
        self._catch_up()
        self._thread.submit(self._db.close).result()
        self._thread.shutdown()

    def _catch_up(self) -> None:
        calls, self._waiting = self._waiting, []
        self._thread.submit(self._answer, [call.action for call in calls if call.done is None]).result()

    def _oldest(self) -> float:
        return self._now() - self._max_age_s

    def _open(self) -> sqlite3.Connection:
        with self._explained():
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._path.touch(mode=0o600)
            db = sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None)
            try:
                self._prepare(db)  # first: a file of somebody else is left as it is
                with suppress(sqlite3.OperationalError):
                    # refused at once, without BUSY_S, while another process opens the file: then it switches
                    db.execute("PRAGMA journal_mode = WAL")
                # a verdict lost in a power cut costs one request; a fsync per verdict would cost every run
                db.execute("PRAGMA synchronous = NORMAL")
            except BaseException:
                db.close()
                raise
            return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        """Make the tables in an empty file; refuse a file of somebody else. One process at a time."""
        db.execute("BEGIN IMMEDIATE")
        owner = db.execute("PRAGMA application_id").fetchone()[0]
        if owner != APPLICATION_ID:
            if owner or db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise sqlite3.DatabaseError("it belongs to another program or another version")
            for statement in _SCHEMA.split(";"):  # executescript would end the transaction first
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute("COMMIT")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """A file that cannot be used is the user's to remove: say which one and what that costs."""
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise UsageError(
                f"{self._path}: cannot be used as the cache of verdicts: {error}; if no other program has "
                "it open, move or delete the file: remembered verdicts are lost, results are not"
            ) from error

    def _delete(self, where: str, values: Sequence[float]) -> int:
        def run(db: sqlite3.Connection) -> int:
            gone = db.execute(f"DELETE FROM verdicts {where}", values).rowcount  # noqa: S608  ours
            gone += db.execute(f"DELETE FROM urls {where}", values).rowcount  # noqa: S608
            db.execute("VACUUM")
            return gone

        return self._now_or_never(run)

    def _now_or_never(self, action: Callable[[sqlite3.Connection], T]) -> T:
        """For commands about the cache itself, where a failure is the answer."""
        self._catch_up()
        with self._explained():
            return self._thread.submit(action, self._db).result()

    async def _call(self, action: Callable[[sqlite3.Connection], T]) -> T | None:
        """For a run, which goes on without: None where the file or a value in it cannot be used."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T | None] = loop.create_future()
        self._waiting.append(_Call(action, done))
        self._set_out()
        return await done

    def _later(self, action: Callable[[sqlite3.Connection], None]) -> None:
        """Nobody waits for what is written: it comes along with the next look-up, or soon."""
        self._waiting.append(_Call(action, None))
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_later(WRITE_WITHIN_S, self._set_out)

    def _set_out(self) -> None:
        if self._waiting and self._serving is None:
            self._serving = asyncio.get_running_loop().create_task(self._serve(), name="redzone-cache")

    async def _serve(self) -> None:
        """One trip to the thread for all that wait: the trip costs more than what is done there."""
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                await asyncio.sleep(0)  # whoever is ready now comes along
                calls, self._waiting = self._waiting, []
                actions = [call.action for call in calls]
                answers = await loop.run_in_executor(self._thread, self._answer, actions)
                for call, answer in zip(calls, answers, strict=True):
                    if call.done is not None and not call.done.done():  # done: its task was cancelled
                        call.done.set_result(answer)
        finally:
            self._serving = None

    def _answer(self, actions: Sequence[Callable[[sqlite3.Connection], Any]]) -> list[Any]:
        answers: list[Any] = []
        for action in actions:
            try:
                answers.append(action(self._db))
            except (sqlite3.Error, ValueError, KeyError, TypeError) as error:
                answers.append(None)
                if not self._warned:
                    self._warned = True
                    log.warning(
                        "%s: the cache fails, pictures may be asked about again: %s", self._path, error
                    )
        return answers


class _Call(NamedTuple):
    action: Callable[[sqlite3.Connection], Any]
    done: asyncio.Future[Any] | None


def _write(db: sqlite3.Connection, statement: str, row: Sequence[object]) -> None:
    db.execute(statement, row)
