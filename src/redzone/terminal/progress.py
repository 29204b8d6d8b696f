"""Shows the progress of a run on stderr, for a terminal, a pipe or a program."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Protocol

from rich.console import Console
from rich.live import Live

from redzone.clock import Clock
from redzone.telemetry.metrics import Snapshot
from redzone.terminal.live import render
from redzone.terminal.panels import Heading
from redzone.terminal.plain import plain_line

log = logging.getLogger(__name__)

LIVE_EVERY_S = 0.2  # 2.5 ms a frame at 80x24, 9 ms at 160x50 with 200 workers: under 5 % of a core
JSON_EVERY_S = 1.0
PLAIN_EVERY_S = 10.0
PLAIN_CHECK_S = 0.5  # a new notice is printed within this time


class Progress(StrEnum):
    """How progress is shown on stderr."""

    AUTO = "auto"
    LIVE = "live"
    PLAIN = "plain"
    JSON = "json"
    NONE = "none"


class Painter(Protocol):
    """One way to show Snapshots. Painters run in their own thread, one call at a time."""

    every_s: ClassVar[float]

    def paint(self, snapshot: Snapshot) -> None:
        """Shows the state. Raises OSError if the stream is closed."""

    def finish(self, snapshot: Snapshot) -> None:
        """Shows the last state and restores the terminal."""


@asynccontextmanager
async def show(
    progress: Progress, read: Callable[[], Snapshot], console: Console, clock: Clock, heading: Heading
) -> AsyncIterator[None]:
    """Shows the run while the block runs, and its last state at the end.

    An error of the display is logged and never stops the run. The painter has its own thread, so a terminal
    that blocks (Ctrl-S, a full pipe) does not block the run; calls do not overlap, so the last state is
    painted last, even if this task is cancelled.
    """
    painter = _painter(resolve(progress, console), console, heading)
    if painter is None:
        yield
        return
    loop = asyncio.get_running_loop()
    thread = ThreadPoolExecutor(1, thread_name_prefix="display")
    painting = asyncio.create_task(_repaint(painter, read, clock, thread))
    try:
        yield
    finally:
        painting.cancel()
        finishing = loop.run_in_executor(thread, painter.finish, read())
        thread.shutdown(wait=False)
        await asyncio.wait([painting, finishing])
        for end in (painting, finishing):
            if not end.cancelled() and (fault := end.exception()) is not None:
                log.error("the progress display failed", exc_info=fault)


def resolve(progress: Progress, console: Console) -> Progress:
    """Resolves `auto` for this console: live on a terminal with a cursor, else plain."""
    if progress is not Progress.AUTO:
        return progress
    # with FORCE_COLOR Rich takes a pipe for a terminal, but it has no cursor to move
    live = console.is_interactive and console.file.isatty()
    return Progress.LIVE if live else Progress.PLAIN


async def _repaint(
    painter: Painter, read: Callable[[], Snapshot], clock: Clock, thread: ThreadPoolExecutor
) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await loop.run_in_executor(thread, painter.paint, read())
        await clock.sleep(painter.every_s)


def _painter(progress: Progress, console: Console, heading: Heading) -> Painter | None:
    match progress:
        case Progress.LIVE:
            return _LivePainter(console, heading)
        case Progress.PLAIN:
            return _PlainPainter(console)
        case Progress.JSON:
            return _JsonPainter(console)
        case _:
            return None


class _LivePainter:
    """The live view, repainted in place."""

    every_s: ClassVar[float] = LIVE_EVERY_S

    def __init__(self, console: Console, heading: Heading) -> None:
        self._console = console
        self._heading = heading
        self._width = 0
        # Other output to the terminal goes above the view. A stdout that is not a terminal carries data and
        # is not touched.
        self._live = Live(
            console=console,
            auto_refresh=False,
            redirect_stdout=sys.stdout.isatty(),
            vertical_overflow="crop",
        )

    def paint(self, snapshot: Snapshot) -> None:
        """Repaints the view."""
        self._live.start()
        width, height = self._console.size
        if width < self._width:
            # the terminal has wrapped the old lines, so repainting in place would miss the top
            self._console.clear()
        self._width = width
        self._live.update(render(snapshot, self._heading, width, height), refresh=True)

    def finish(self, snapshot: Snapshot) -> None:
        """Paints the last state and restores the cursor."""
        try:
            self.paint(snapshot)
        finally:
            self._live.stop()


@dataclass(slots=True)
class _PlainPainter:
    """A line every 10 s, one for each new notice, and one at the end."""

    every_s: ClassVar[float] = PLAIN_CHECK_S

    console: Console
    _printed_s: float = 0.0
    _note: str = field(default="")

    def paint(self, snapshot: Snapshot) -> None:
        """Writes a line if one is due."""
        if snapshot.elapsed_s - self._printed_s < PLAIN_EVERY_S and snapshot.note == self._note:
            return
        self.finish(snapshot)

    def finish(self, snapshot: Snapshot) -> None:
        """Writes a line."""
        self._printed_s, self._note = snapshot.elapsed_s, snapshot.note
        _write(self.console, plain_line(snapshot))


@dataclass(slots=True)
class _JsonPainter:
    """A Snapshot as a line of JSON, every second and at the end."""

    every_s: ClassVar[float] = JSON_EVERY_S

    console: Console

    def paint(self, snapshot: Snapshot) -> None:
        """Writes the line."""
        _write(self.console, snapshot.model_dump_json())

    def finish(self, snapshot: Snapshot) -> None:
        """Writes the line."""
        self.paint(snapshot)


def _write(console: Console, line: str) -> None:
    """Writes without Rich, which would wrap and highlight, and on a closed pipe exit the process.

    Raises OSError if the stream is closed.
    """
    console.file.write(f"{line}\n")
    console.file.flush()
