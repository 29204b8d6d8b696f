from __future__ import annotations

import asyncio
import fcntl
import io
import os
import threading
from datetime import datetime

import pytest
from blockbuster import blockbuster_ctx
from rich.console import Console

from redzone.telemetry.metrics import Snapshot
from redzone.terminal.progress import Progress, resolve, show
from tests.terminal.snapshots import AT, HEADING, snapshot

TERMINAL = {"TERM": "xterm-256color"}


class StridingClock:
    """Time that only sleeping moves."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._moved = asyncio.Event()

    def monotonic(self) -> float:
        return self.now_s

    def now(self) -> datetime:
        return AT

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.now_s += seconds
        self._moved.set()

    async def reach(self, seconds: float) -> None:
        while self.now_s < seconds:
            self._moved.clear()
            await self._moved.wait()

    def read(self) -> Snapshot:
        return snapshot(elapsed_s=self.now_s)


def a_pipe(width: int = 80) -> Console:
    return Console(file=io.StringIO(), width=width, _environ={})


def a_terminal(width: int = 80, height: int = 24) -> Console:
    return Console(
        file=io.StringIO(),
        width=width,
        height=height,
        force_terminal=True,
        color_system=None,
        _environ=TERMINAL,
    )


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


async def test_a_pipe_gets_a_line_every_ten_seconds_and_one_at_the_end() -> None:
    """A log of a long run stays short."""
    clock, console = StridingClock(), a_pipe()
    async with show(Progress.AUTO, clock.read, console, clock, HEADING):
        await clock.reach(35)
    ends = [line.split()[0] for line in written(console).splitlines()]
    assert ends[:3] == ["t=10s", "t=20s", "t=30s"]
    assert len(ends) == 4


async def test_a_new_note_is_told_at_once() -> None:
    """Who pressed Ctrl-C does not wait ten seconds to learn what that did."""
    clock, console = StridingClock(), a_pipe()

    def read() -> Snapshot:
        return snapshot(elapsed_s=clock.now_s, note="stopping" if clock.now_s >= 3 else "")

    async with show(Progress.PLAIN, read, console, clock, HEADING):
        await clock.reach(6)
    first, *others = written(console).splitlines()
    assert first.startswith("t=3.0s ")
    assert first.endswith("note=stopping")
    assert len(others) == 1


async def test_a_program_gets_a_snapshot_every_second() -> None:
    """Every line is a whole Snapshot as JSON; the last one is the final state."""
    clock, console = StridingClock(), a_pipe()
    async with show(Progress.JSON, clock.read, console, clock, HEADING):
        await clock.reach(4.5)
        clock.now_s = 99.0
    states = [Snapshot.model_validate_json(line) for line in written(console).splitlines()]
    assert [state.elapsed_s for state in states][:5] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert states[-1].elapsed_s == 99.0


async def test_none_writes_nothing() -> None:
    """Silence is an option."""
    clock, console = StridingClock(), a_terminal()
    async with show(Progress.NONE, clock.read, console, clock, HEADING):
        await asyncio.sleep(0)
    assert written(console) == ""


async def test_a_terminal_is_painted_over_and_left_in_order() -> None:
    """The last state stays, the cursor is back, and no task is left."""
    clock, console = StridingClock(), a_terminal()
    state = snapshot(done=340)
    async with show(Progress.LIVE, lambda: state, console, clock, HEADING):
        await clock.reach(1)
        state = snapshot(done=1000, passed=940, lanes=())
    text = written(console)
    assert text.count("340") >= 2
    assert text.rindex("1,000/1,000") > text.rindex("340/1,000")
    assert text.endswith("\x1b[?25h")
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_narrower_terminal_is_cleared_before_the_next_frame() -> None:
    """It has broken the old frame's lines, which would leave their upper halves behind."""
    clock, console = StridingClock(), a_terminal(width=100)
    async with show(Progress.LIVE, clock.read, console, clock, HEADING):
        await clock.reach(1)
        assert "\x1b[2J" not in written(console)
        console.width = 60
        await clock.reach(2)
    assert written(console).count("\x1b[2J") == 1


async def test_data_on_stdout_stays_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    """A live view on stderr touches no pipe that takes the results."""
    clock, console = StridingClock(), a_terminal()
    async with show(Progress.LIVE, clock.read, console, clock, HEADING):
        await clock.reach(1)
        print("id,status")  # noqa: T201  # what a command's export does
    assert capsys.readouterr().out == "id,status\n"
    assert "id,status" not in written(console)


@pytest.mark.parametrize("progress", [Progress.LIVE, Progress.PLAIN, Progress.JSON, Progress.NONE])
async def test_an_error_in_the_block_comes_out_as_it_was(progress: Progress) -> None:
    """The display wraps nothing and swallows nothing."""
    clock, console = StridingClock(), a_terminal()
    with pytest.raises(KeyError, match="the run's own"):
        async with show(progress, clock.read, console, clock, HEADING):
            raise KeyError("the run's own")
    assert progress is Progress.NONE or "340" in written(console)


async def test_a_cancelled_run_still_gets_its_last_state_painted() -> None:
    """Ctrl-C leaves the cursor visible and the figures true."""
    clock, console = StridingClock(), a_terminal()

    async def run() -> None:
        async with show(Progress.LIVE, clock.read, console, clock, HEADING):
            await asyncio.Event().wait()

    task = asyncio.create_task(run())
    await clock.reach(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert written(console).endswith("\x1b[?25h")


async def test_a_terminal_that_takes_nothing_holds_up_nobody() -> None:
    """While a full pipe blocks the display, the loop goes on; the last line comes when there is room."""
    reader, writer = os.pipe()
    size = fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ)
    os.write(writer, b"." * size)
    clock = StridingClock()
    with os.fdopen(writer, "w", encoding="utf-8") as file, os.fdopen(reader, "rb") as source:
        console = Console(file=file, width=80, _environ={})
        async with show(Progress.JSON, clock.read, console, clock, HEADING):
            steps = 0
            while steps < 1000:
                await asyncio.sleep(0)
                steps += 1
            assert clock.now_s == 0.0  # the first line is not out yet
            drained: list[bytes] = []
            thread = threading.Thread(target=lambda: drained.append(source.read()))
            thread.start()
        file.close()
        thread.join()
    lines = drained[0].lstrip(b".").splitlines()
    assert Snapshot.model_validate_json(lines[-1]).done == 340


async def test_a_closed_pipe_does_not_stop_the_run(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody reads the progress any more: the run goes on and the log says so."""
    reader, writer = os.pipe()
    os.close(reader)
    clock = StridingClock()
    with io.TextIOWrapper(os.fdopen(writer, "wb", buffering=0), write_through=True) as file:
        async with show(Progress.JSON, clock.read, Console(file=file, _environ={}), clock, HEADING):
            current = asyncio.current_task()
            await asyncio.wait([task for task in asyncio.all_tasks() if task is not current])
    assert "the progress display failed" in caplog.text
    assert "BrokenPipeError" in caplog.text


@pytest.mark.parametrize("progress", [Progress.LIVE, Progress.PLAIN, Progress.JSON])
async def test_the_display_blocks_the_loop_nowhere(progress: Progress) -> None:
    """Writing is left to a thread."""
    reader, writer = os.pipe()
    clock = StridingClock()
    with os.fdopen(writer, "w", encoding="utf-8") as file, os.fdopen(reader, "rb"):
        console = Console(file=file, width=80, height=24, force_terminal=True, _environ=TERMINAL)
        with blockbuster_ctx():
            async with show(progress, clock.read, console, clock, HEADING):
                await clock.reach(0.5)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (TERMINAL, Progress.LIVE),
        ({"TERM": "dumb"}, Progress.PLAIN),
        ({**TERMINAL, "NO_COLOR": "1"}, Progress.LIVE),
    ],
)
def test_a_terminal_gets_the_live_view_unless_it_is_dumb(environ: dict[str, str], expected: Progress) -> None:
    """Auto asks the stream itself; a dumb terminal has no cursor to move."""
    main, side = os.openpty()
    with os.fdopen(main, "rb"), os.fdopen(side, "w", encoding="utf-8") as file:
        assert resolve(Progress.AUTO, Console(file=file, _environ=environ)) is expected


def test_a_pipe_gets_lines_even_where_colours_are_forced() -> None:
    """FORCE_COLOR in a build server asks for colours, not for a moving cursor."""
    console = Console(file=io.StringIO(), _environ={**TERMINAL, "FORCE_COLOR": "1"})
    assert console.is_terminal
    assert resolve(Progress.AUTO, console) is Progress.PLAIN
    assert resolve(Progress.LIVE, console) is Progress.LIVE
