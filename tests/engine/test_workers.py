"""How many workers, and the one iterator that they pull from."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from redzone.engine.workers import BATCH_ROWS, RowSource
from redzone.errors import InputLost
from redzone.models import Poster, Row


def _rows(count: int) -> Iterator[Row]:
    return (Poster(row=number, id=str(number), image=f"{number}.jpg") for number in range(1, count + 1))


async def _pull(source: RowSource, hands: int) -> list[int]:
    found: list[int] = []

    async def worker() -> None:
        while (row := await source.next()) is not None:
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
    source = RowSource(_rows(count))
    assert sorted(await _pull(source, hands)) == list(range(1, count + 1))
    assert source.exhausted.is_set()
    assert await source.next() is None


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

    source = RowSource(rows())
    await source.next()
    assert read == BATCH_ROWS
    assert threading.current_thread().name not in threads


async def test_an_error_in_reading_reaches_the_worker() -> None:
    """It is not the end of the rows: the run stops with the reason."""

    def rows() -> Iterator[Row]:
        yield from _rows(1)
        raise OSError("the disk is gone")

    with pytest.raises(InputLost, match="the disk is gone"):
        await RowSource(rows()).next()
