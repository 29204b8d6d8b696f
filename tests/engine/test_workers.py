"""How many workers, and the one iterator that they pull from."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.engine.workers import BATCH_ROWS, GUESSED_WORKING_S, WITHOUT_A_LIMIT, RowSource, workers_needed
from redzone.errors import InputLost
from redzone.models import Poster, Row


def _rows(count: int) -> Iterator[Row]:
    return (Poster(row=number, id=str(number), image=f"{number}.jpg") for number in range(1, count + 1))


def test_workers_follow_littles_law_with_headroom() -> None:
    """600 a minute are 10 a second; at 3 s each that is 30 in hand, with 30 % more and 2 spare."""
    assert workers_needed(600, 3.0, 200) == 41


def test_without_a_measured_time_it_is_guessed() -> None:
    """The first posters of a run."""
    assert workers_needed(600, None, 200) == workers_needed(600, GUESSED_WORKING_S, 200)


def test_without_a_known_rate_there_is_a_fixed_crew() -> None:
    """A server that announces no limit."""
    assert workers_needed(None, 3.0, 200) == WITHOUT_A_LIMIT
    assert workers_needed(None, None, 8) == 8


@given(st.none() | st.floats(0.1, 1e6), st.none() | st.floats(0.0, 1e4), st.integers(1, 2000))
def test_there_is_always_a_worker_and_never_too_many(
    rate: float | None, working_s: float | None, most: int
) -> None:
    """1 to `most`; and, within that, enough for the rate."""
    workers = workers_needed(rate, working_s, most)
    assert 1 <= workers <= most
    if rate is not None and working_s is not None:
        assert workers >= min(most, rate / 60 * working_s)


async def _pull(feed: RowSource, hands: int) -> list[int]:
    found: list[int] = []

    async def worker() -> None:
        while (row := await feed.next()) is not None:
            found.append(row.row)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for _ in range(hands):
            group.create_task(worker())
    return found


@pytest.mark.parametrize("count", [0, 1, BATCH_ROWS - 1, BATCH_ROWS, BATCH_ROWS + 1, 3 * BATCH_ROWS + 7])
@pytest.mark.parametrize("hands", [1, 7])
async def test_every_row_is_handed_out_once(count: int, hands: int) -> None:
    """Whatever the number of rows and of workers; then everybody gets None."""
    feed = RowSource(_rows(count))
    assert sorted(await _pull(feed, hands)) == list(range(1, count + 1))
    assert feed.exhausted.is_set()
    assert await feed.next() is None


async def test_more_workers_than_rows_all_come_to_an_end() -> None:
    """Nobody waits for a row that never comes."""
    async with asyncio.timeout(5):
        assert await _pull(RowSource(_rows(3)), 300) == [1, 2, 3]


async def test_rows_are_read_in_a_thread_and_only_some_ahead() -> None:
    """The loop never waits for a disk, and memory stays constant."""
    threads: set[str] = set()
    read = 0

    def rows() -> Iterator[Row]:
        nonlocal read
        for row in _rows(10 * BATCH_ROWS):
            threads.add(threading.current_thread().name)
            read += 1
            yield row

    feed = RowSource(rows())
    await feed.next()
    assert read == BATCH_ROWS
    assert threading.current_thread().name not in threads


async def test_an_error_in_reading_reaches_the_worker() -> None:
    """It is not the end of the rows: the run stops with the reason."""

    def rows() -> Iterator[Row]:
        yield from _rows(1)
        raise OSError("the disk is gone")

    with pytest.raises(InputLost, match="the disk is gone"):
        await RowSource(rows()).next()
