"""The cache: real SQLite files, other processes, and files that are no cache."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import sqlite3
import stat
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from redzone.cache import Cache, CacheKey, KnownUrl, Remembered
from redzone.errors import UsageError
from redzone.models import Box, Element, ElementKind, Zone, ZoneVerdict
from tests.cache_writer import fill, remembered

WEEK_S = 168 * 3600.0
RED = Zone(name="red", x=0.0, y=0.0, w=0.6, h=0.1)
ASKED = CacheKey((RED,), "crop", "1", "1", "openai", "gpt-6-luna")
FULL = Remembered(
    (
        ZoneVerdict(
            name="red",
            contains_key_elements=True,
            confidence_pct=87.5,
            elements=(
                Element(kind=ElementKind.TEXT, label="Ünï — 題", box=Box(x=0.1, y=0.2, w=0.3, h=0.4)),
                Element(kind=ElementKind.FACE),
            ),
            justification="the title's first line",
        ),
        ZoneVerdict(name="logo", contains_key_elements=False, confidence_pct=99.0),
    ),
    "poster/full",
    "gpt-6-luna",
    "20261003-120000-k7wd",
)


class Days:
    """A clock that is set by hand: seconds since the epoch."""

    now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def days() -> Days:
    return Days()


@pytest.fixture
def cache(tmp_path: Path, days: Days) -> Iterator[Cache]:
    found = Cache(tmp_path / "home" / "cache.sqlite", WEEK_S, days)
    yield found
    found.close()


async def test_a_verdict_comes_back_as_it_was(cache: Cache) -> None:
    """Cached and fresh verdicts are equal, elements, boxes and letters included."""
    await cache.remember("k", FULL)
    assert await cache.verdict("k") == FULL
    assert await cache.verdict("other") is None


async def test_an_address_comes_back_with_its_validators(cache: Cache) -> None:
    """Either may be missing; the newest word stands."""
    await cache.remember_url("https://posters.example/1.jpg", KnownUrl(None, "yesterday", "aa"))
    await cache.remember_url("https://posters.example/1.jpg", KnownUrl('W/"1"', None, "bb"))
    assert await cache.known_url("https://posters.example/1.jpg") == KnownUrl('W/"1"', None, "bb")
    assert await cache.known_url("https://posters.example/2.jpg") is None


async def test_a_verdict_expires_when_its_time_is_over(cache: Cache, days: Days) -> None:
    """To the second, counted from when it was remembered last; addresses likewise."""
    await cache.remember("k", FULL)
    await cache.remember_url("u", KnownUrl("e", None, "ab"))
    days.now_s += WEEK_S - 1
    assert await cache.verdict("k") == FULL
    assert await cache.known_url("u") is not None
    await cache.remember("again", FULL)
    days.now_s += 1
    assert await cache.verdict("k") is None
    assert await cache.known_url("u") is None
    assert await cache.verdict("again") == FULL


async def test_a_shorter_expiry_forgets_what_a_longer_one_kept(tmp_path: Path, days: Days) -> None:
    """The age is stored, not the end: CACHE_EXPIRY_HOURS means what it says today."""
    path = tmp_path / "c.sqlite"
    long = Cache(path, WEEK_S, days)
    await long.remember("k", FULL)
    long.close()
    days.now_s += 7200
    for max_age_s, expected in ((3600.0, None), (WEEK_S, FULL)):
        cache = Cache(path, max_age_s, days)
        assert await cache.verdict("k") == expected
        cache.close()


async def test_prune_takes_the_expired_and_clear_takes_all(cache: Cache, days: Days) -> None:
    """Both say how many; stats agree."""
    await cache.remember("old", FULL)
    await cache.remember_url("old", KnownUrl("e", None, "ab"))
    days.now_s += WEEK_S
    await cache.remember("new", FULL)
    before = cache.stats()
    assert (before.verdicts, before.expired, before.urls) == (2, 1, 1)
    assert before.bytes > 0
    assert cache.prune() == 2
    assert await cache.verdict("new") == FULL
    assert cache.clear() == 1
    after = cache.stats()
    assert (after.verdicts, after.expired, after.urls) == (0, 0, 0)


def test_the_key_depends_on_everything_that_the_verdict_does() -> None:
    """And on nothing else: equal questions, equal keys, in every process."""
    key = ASKED.key("ab")
    # written down: a release that computes another key pays for everything again
    assert key == "afe2441ddbd6c4c4e98a536f755052f0ab3ba8f47b2293b3de890697da46b981"
    others = [
        ASKED.key("ac"),
        *(
            CacheKey((RED,), *parts).key("ab")
            for parts in (
                ("poster", "1", "1", "openai", "gpt-6-luna"),
                ("crop", "2", "1", "openai", "gpt-6-luna"),
                ("crop", "1", "2", "openai", "gpt-6-luna"),
                ("crop", "1", "1", "local", "gpt-6-luna"),
                ("crop", "1", "1", "openai", "other"),
            )
        ),
        dataclasses.replace(ASKED, zones=(RED.model_copy(update={"h": 0.2}),)).key("ab"),
        dataclasses.replace(ASKED, zones=(RED.model_copy(update={"name": "blue"}),)).key("ab"),
        dataclasses.replace(ASKED, zones=(RED, RED.model_copy(update={"name": "blue"}))).key("ab"),
    ]
    assert len({key, *others}) == len(others) + 1


def test_the_file_is_the_owners_alone(cache: Cache, tmp_path: Path) -> None:
    """Verdicts may be about pictures that nobody has published yet."""
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "home" / "cache.sqlite").stat().st_mode) == 0o600


async def test_the_file_outlives_the_process(tmp_path: Path, days: Days) -> None:
    """Closed and opened again."""
    path = tmp_path / "c.sqlite"
    first = Cache(path, WEEK_S, days)
    await first.remember("k", FULL)
    first.close()
    second = Cache(path, WEEK_S, days)
    assert await second.verdict("k") == FULL
    second.close()


async def test_processes_share_one_file(tmp_path: Path) -> None:
    """Three at once, all of which may be the one that makes it: nothing is lost and nobody fails."""
    path, count = tmp_path / "home" / "c.sqlite", 40
    command = (sys.executable, "-m", "tests.cache_writer", str(path))
    root = Path(__file__).parent.parent
    others = [
        await asyncio.create_subprocess_exec(
            *command, name, str(count), cwd=root, stderr=asyncio.subprocess.PIPE
        )
        for name in ("one", "two")
    ]
    await fill(path, "three", count)
    for process in others:
        _, errors = await process.communicate()
        assert (process.returncode, errors) == (0, b"")
    cache = Cache(path, 3600.0, lambda: 1_000_000.0)
    for name in ("one", "two", "three"):
        for number in range(count):
            assert await cache.verdict(f"{name}-{number}") == remembered(name)
    stats = cache.stats()
    assert (stats.verdicts, stats.urls) == (3 * count, 3 * count)
    cache.close()


def _foreign(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()


def _garbage(path: Path) -> None:
    path.write_bytes(b"these are no pages of a database\n" * 200)


def _torn(path: Path) -> None:
    Cache(path, WEEK_S, Days()).close()
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * 5000)


def _of_another_program(path: Path) -> None:
    _foreign(path, "CREATE TABLE verdicts (a)", "PRAGMA application_id = 7")


def _of_nobody(path: Path) -> None:
    _foreign(path, "CREATE TABLE photos (a)")


def _of_a_later_version(path: Path) -> None:
    Cache(path, WEEK_S, Days()).close()
    _foreign(path, f"PRAGMA application_id = {0x525A4302}")


def _folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    "make", [_garbage, _torn, _of_another_program, _of_nobody, _of_a_later_version, _folder]
)
def test_a_file_that_is_no_cache_is_named_and_left_alone(make: object, tmp_path: Path) -> None:
    """A UsageError that says which file and that deleting it loses no results."""
    path = tmp_path / "cache.sqlite"
    assert callable(make)
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(UsageError, match="delete the file") as caught:
        Cache(path, WEEK_S, Days())
    assert str(path) in str(caught.value)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_an_empty_file_becomes_a_cache(tmp_path: Path) -> None:
    """What a crash between making and filling it leaves."""
    path = tmp_path / "cache.sqlite"
    path.touch()
    Cache(path, WEEK_S, Days()).close()
    cache = Cache(path, WEEK_S, Days())
    assert cache.stats().verdicts == 0
    cache.close()


async def test_a_cache_that_fails_while_a_run_goes_on_is_a_miss_and_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The journal is the truth and the cache only saves money: no poster dies of it."""
    path = tmp_path / "cache.sqlite"
    cache = Cache(path, WEEK_S, Days())
    await cache.remember("k", FULL)
    _foreign(path, "DROP TABLE verdicts", "DROP TABLE urls")
    with caplog.at_level(logging.WARNING, logger="redzone.cache"):
        assert await cache.verdict("k") is None
        await cache.remember("k", FULL)
        assert await cache.known_url("u") is None
        await cache.remember_url("u", KnownUrl("e", None, "ab"))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert str(path) in caplog.text
    with pytest.raises(UsageError, match="no such table"):
        cache.clear()
    cache.close()


async def test_a_full_disk_costs_nothing_but_the_cache(tmp_path: Path, days: Days) -> None:
    """SQLite says SQLITE_FULL; what was there can still be read."""
    path = tmp_path / "cache.sqlite"
    cache = Cache(path, WEEK_S, days)
    await cache.remember("k", FULL)
    pages = await cache._call(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
    await cache._call(lambda db: db.execute(f"PRAGMA max_page_count = {pages}"))
    for number in range(200):
        await cache.remember(f"k{number}", FULL)
    assert await cache.verdict("k") == FULL
    assert await cache.verdict("k199") is None
    cache.close()


@pytest.mark.parametrize("value", ["not json", "{}", "[]", '{"zones": [{}], "strategy": "s", "model": "m"}'])
async def test_a_value_that_cannot_be_read_is_a_miss(value: str, tmp_path: Path, days: Days) -> None:
    """And is replaced by the next answer."""
    path = tmp_path / "cache.sqlite"
    cache = Cache(path, WEEK_S, days)
    with closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO verdicts VALUES ('k', ?, 'r', ?)", (value, days.now_s))
        db.commit()
    assert await cache.verdict("k") is None
    await cache.remember("k", FULL)
    assert await cache.verdict("k") == FULL
    cache.close()
