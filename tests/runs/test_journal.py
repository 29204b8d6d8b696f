"""Writing the checkpoint, with killed processes, full disks and damaged files."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from redzone.errors import CheckpointUnusable, JournalFailed
from redzone.models import Status
from redzone.runs.checkpoint import render_intent, render_outcome
from redzone.runs.index import CheckpointIndex, check_checkpoint
from redzone.runs.journal import Journal, Recorder
from tests.outcomes import NOON, outcome
from tests.runs.journal_writer import WORKERS
from tests.runs.test_checkpoint import foreign_line, write

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "20261003-120000-abcd"
    folder.mkdir()
    return folder / "checkpoint.jsonl"


def lines(*rows: int) -> list[bytes]:
    return [render_outcome(outcome(row)) for row in rows]


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file of this process may grow beyond `size` bytes: the write that would is short, the next fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_killed_writer_loses_nothing_that_it_reported(path: Path) -> None:
    """kill -9 at any moment, several times over: every row reported as committed is there, whole, and at most
    one request per worker is in doubt."""
    moment = Random(7)  # noqa: S311  a replayable moment
    committed: set[int] = set()
    for _ in range(3):
        first = max(committed, default=0) + WORKERS + 1
        with subprocess.Popen(
            [sys.executable, "-m", "tests.runs.journal_writer", path, str(first)],
            stdout=subprocess.PIPE,
            cwd=PROJECT,
        ) as writer:
            assert writer.stdout is not None
            for _ in range(moment.randint(1, 150)):
                committed.add(int(writer.stdout.readline()))
            writer.send_signal(signal.SIGKILL)
            committed.update(int(line) for line in writer.stdout if line.endswith(b"\n"))
        before = CheckpointIndex.read(path)
        with Journal(path) as journal:
            assert journal.repairs.moved_lines == ()
            assert journal.repairs.cut_bytes == before.torn_bytes
            assert [row for row in committed if journal.index.status(row) is not Status.PASS] == []
    # each of the three lives leaves at most one per worker
    assert len(journal.index.in_doubt) <= 3 * WORKERS
    assert check_checkpoint(path, 0).bad_lines == ()


def test_a_full_disk_stops_the_writer_and_leaves_whole_lines(tmp_path: Path) -> None:
    """On a real file system of 64 KB: the failure says what to do, and every committed row is there."""
    script = (
        "mount -t tmpfs -o size=64k tmpfs $1 && mkdir $1/run-7 && shift && "
        '"$0" -m tests.runs.journal_writer "$2" 1; code=$?; cp "$2" "$1"; exit $code'
    )
    disk, copy = tmp_path / "disk", tmp_path / "copy.jsonl"
    disk.mkdir()
    command: list[str | Path] = [
        "unshare",
        "-rm",
        "sh",
        "-c",
        script,
        sys.executable,
        disk,
        copy,
        disk / "run-7" / "checkpoint.jsonl",
    ]
    try:
        ended = subprocess.run(command, capture_output=True, cwd=PROJECT, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no unshare here")
    if "unshare" in ended.stderr or "mount" in ended.stderr:
        pytest.skip("mounting is not allowed here")
    assert "No space left on device" in ended.stderr
    assert "free space on that disk, then `redzone resume run-7`" in ended.stderr
    committed = [int(row) for row in ended.stdout.split()]
    assert len(committed) > 10
    index = CheckpointIndex.read(copy)
    assert [row for row in committed if index.status(row) is None] == []
    assert index.torn_bytes == 0
    assert index.bad_lines == ()


def test_a_short_write_leaves_only_whole_lines_and_ends_the_journal(path: Path) -> None:
    """The lines before the limit stay, the torn one is cut at once, and the journal refuses from then on."""
    first, second, third = lines(1, 2, 3)
    with Journal(path) as journal:
        journal.append([first])
        with largest_file(len(first + second) + 10), pytest.raises(JournalFailed, match="ulimit -f"):
            journal.append([second, third])
        assert path.read_bytes() == first + second
        with pytest.raises(JournalFailed, match=f"redzone resume {path.parent.name}"):
            journal.append([third])
        assert path.read_bytes() == first + second
    with Journal(path) as journal:
        journal.append([third])
    assert path.read_bytes() == first + second + third


def test_a_torn_last_line_is_cut_before_anything_is_appended(path: Path) -> None:
    """What is left of an unfinished write never joins the next line."""
    first, second, third = lines(1, 2, 3)
    write(path, first, second[:50])
    with Journal(path) as journal:
        assert journal.repairs.cut_bytes == 50
        assert journal.index.status(2) is None
        journal.append([third])
    assert path.read_bytes() == first + third


def test_a_bad_line_in_the_middle_is_moved_and_reported(path: Path) -> None:
    """It is kept beside the checkpoint with its number; the others stay as they are, and their index fits."""
    first, second, third = lines(1, 2, 3)
    rot = second.replace(b"Long", b"Lost")
    write(path, first, rot, third, b"\x00\x00\n", third[:9])
    with Journal(path) as journal:
        assert [bad.number for bad in journal.repairs.moved_lines] == [2, 4]
        assert journal.repairs.cut_bytes == 9
        assert journal.index.status(2) is None
        assert journal.index.load(3) == outcome(3)
        journal.append([second])
    assert path.read_bytes() == first + third + second
    assert path.with_name("checkpoint.bad").read_bytes() == b"2\t" + rot + b"4\t\x00\x00\n"
    with Journal(path) as journal:
        assert journal.repairs.moved_lines == ()


def test_an_unknown_schema_leaves_the_file_untouched(path: Path) -> None:
    """Neither the damage nor the torn line before and after it are touched."""
    content = b"mould\n" + foreign_line(2) + lines(1)[0][:30]
    write(path, content)
    with pytest.raises(CheckpointUnusable, match="schema"):
        Journal(path)
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_files_are_private_whatever_the_umask(path: Path) -> None:
    """0600 for the checkpoint and for what is moved out of it."""
    write(path, b"mould\n")
    path.chmod(0o666)
    before = os.umask(0)
    try:
        Journal(path).close()
    finally:
        os.umask(before)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {"checkpoint.jsonl": 0o600, "checkpoint.bad": 0o600}


def test_a_journal_that_cannot_be_opened_says_what_to_do(path: Path) -> None:
    """A folder that is none: what, where, next step."""
    with pytest.raises(JournalFailed, match=r"Not a directory.*Next: .*redzone resume"):
        Journal(write(path, b"") / "checkpoint.jsonl")


async def test_commits_share_writes(path: Path) -> None:
    """200 tasks with 5 lines each need far fewer syncs than lines, and every line is there once."""
    with Journal(path) as journal:

        async def work(recorder: Recorder, worker: int) -> None:
            for turn in range(5):
                await recorder.commit(render_outcome(outcome(1 + worker * 5 + turn)))

        async with Recorder(journal) as recorder, asyncio.TaskGroup() as group:
            for worker in range(200):
                group.create_task(work(recorder, worker))
        assert journal.syncs < 100
    report = check_checkpoint(path, 1000)
    assert report.ok
    assert (report.pending, report.outcomes) == (0, 1000)


async def test_commit_returns_when_the_line_is_on_disk(path: Path) -> None:
    """The line is in the file at the moment that commit returns."""
    with Journal(path) as journal:
        async with Recorder(journal) as recorder:
            for row in range(1, 6):
                await recorder.commit(lines(row)[0])
                assert CheckpointIndex.read(path).status(row) is Status.PASS


async def test_a_cancelled_commit_is_written_all_the_same(path: Path) -> None:
    """Half of the tasks are cancelled while they wait: no line is lost, and the others are not disturbed."""
    with Journal(path) as journal:
        async with Recorder(journal) as recorder:
            tasks = [asyncio.create_task(recorder.commit(line)) for line in lines(*range(1, 101))]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in ended] == [asyncio.CancelledError, type(None)] * 50
    assert check_checkpoint(path, 100).pending == 0


async def test_a_cancelled_run_writes_what_is_queued_and_leaves_no_task(path: Path) -> None:
    """Cancelled twice over while it drains, the block writes first and is cancelled after."""

    async def run(journal: Journal) -> None:
        async with Recorder(journal) as recorder, asyncio.TaskGroup() as group:
            for line in lines(*range(1, 301)):
                group.create_task(recorder.commit(line))

    with Journal(path) as journal:
        running = asyncio.create_task(run(journal))
        for _ in range(3):
            await asyncio.sleep(0)
        while not running.done():
            running.cancel()
            await asyncio.sleep(0)
        assert running.cancelled()
        assert asyncio.all_tasks() == {asyncio.current_task()}
    assert check_checkpoint(path, 300).pending == 0


async def test_a_failed_batch_fails_its_commits_and_every_later_one(path: Path) -> None:
    """Nobody who heard of success is missing in the file, and nothing is accepted after the failure."""
    rows = range(1, 51)
    size = len(lines(1)[0])

    ended: list[BaseException | None] = []

    async def run(journal: Journal) -> None:
        async with Recorder(journal) as recorder:
            await asyncio.gather(*(recorder.commit(line) for line in lines(51, 52)))
            waiting = [recorder.commit(line) for line in lines(*rows)]
            ended.extend(await asyncio.gather(*waiting, return_exceptions=True))
            with pytest.raises(JournalFailed, match="no further request"):
                await recorder.commit(lines(53)[0])

    with Journal(path) as journal, largest_file(10 * size), pytest.raises(JournalFailed):
        await run(journal)
    assert [type(one) for one in ended] == [JournalFailed] * len(rows)
    index = CheckpointIndex.read(path)
    assert (index.torn_bytes, index.status(51), index.status(52)) == (0, Status.PASS, Status.PASS)


async def test_a_failure_that_only_cancelled_tasks_would_have_heard_of_ends_the_block(path: Path) -> None:
    """A line that could not be written is never silent."""

    async def run(journal: Journal) -> None:
        async with Recorder(journal) as recorder:
            task = asyncio.create_task(recorder.commit(lines(1)[0]))
            await asyncio.sleep(0)
            task.cancel()

    with Journal(path) as journal, largest_file(10), pytest.raises(JournalFailed):
        await run(journal)


async def test_a_recorder_that_is_stopped_from_outside_keeps_nobody_waiting(path: Path) -> None:
    """Its tasks hear JournalFailed instead of waiting for ever."""

    async def run(journal: Journal) -> None:
        async with Recorder(journal) as recorder:
            waiting = asyncio.gather(*(recorder.commit(line) for line in lines(1, 2)), return_exceptions=True)
            await asyncio.sleep(0)
            recorder._writer.cancel()
            assert [str(error) for error in await waiting] == [f"{path}: the recorder was stopped"] * 2
            await recorder.commit(lines(3)[0])

    with Journal(path) as journal, pytest.raises(JournalFailed, match="the recorder was stopped"):
        await run(journal)


async def test_a_commit_after_the_block_is_a_mistake(path: Path) -> None:
    """No line may wait for a writer that is gone."""
    with Journal(path) as journal:
        async with Recorder(journal) as recorder:
            pass
        with pytest.raises(RuntimeError, match="outside"):
            await recorder.commit(render_intent(1, "m", NOON))


def test_a_reserve_is_kept_while_the_journal_is_open(path: Path) -> None:
    """Real blocks, not a hole; gone when it is closed, and renewed after a kill."""
    reserve = path.with_name("checkpoint.reserve")
    reserve.write_bytes(b"of a killed process")
    with Journal(path, reserve_bytes=1 << 16) as journal:
        assert reserve.stat().st_blocks * 512 >= 1 << 16
        assert journal.full is None
    assert not reserve.exists()
    with Journal(path, reserve_bytes=0):
        assert not reserve.exists()
