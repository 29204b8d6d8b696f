"""Tells a terminal, a pipe or a program how a run goes, on stderr, while a block is running."""

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
PLAIN_LOOK_S = 0.5  # how soon a line follows a new note


class Progress(StrEnum):
    """How a run tells of itself on stderr."""

    AUTO = "auto"
    LIVE = "live"
    PLAIN = "plain"
    JSON = "json"
    NONE = "none"


class Painter(Protocol):
    """One way to show Snapshots. Painters run in a thread of their own, one call at a time."""

    every_s: ClassVar[float]

    def paint(self, snapshot: Snapshot) -> None:
        """Show the state. Raises OSError where the stream is gone."""

    def finish(self, snapshot: Snapshot) -> None:
        """Show the last state and leave the stream as it was found."""


@asynccontextmanager
async def show(
    progress: Progress, read: Callable[[], Snapshot], console: Console, clock: Clock, heading: Heading
) -> AsyncIterator[None]:
    """Show the run while the block runs, and its last state at the end. A display that breaks is logged
    and never stops the run.

    A painter has its own thread: a terminal that takes nothing (Ctrl-S, a full pipe) holds up nobody, and
    one call at a time means that the last state is painted last, even where this task is cancelled.
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
                log.error("the display broke", exc_info=fault)


def resolve(progress: Progress, console: Console) -> Progress:
    """What `auto` means for this console: live on a terminal with a cursor, plain elsewhere."""
    if progress is not Progress.AUTO:
        return progress
    # FORCE_COLOR makes Rich call a pipe a terminal; it asks for colour, not for a moving cursor
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
    """A view that is painted over itself."""

    every_s: ClassVar[float] = LIVE_EVERY_S

    def __init__(self, console: Console, heading: Heading) -> None:
        self._console = console
        self._heading = heading
        self._width = 0
        # What others write to the terminal goes above the view; a stdout that leads elsewhere carries data
        # and stays as it is.
        self._live = Live(
            console=console,
            auto_refresh=False,
            redirect_stdout=sys.stdout.isatty(),
            vertical_overflow="crop",
        )

    def paint(self, snapshot: Snapshot) -> None:
        """Paint over the last state."""
        self._live.start()
        width, height = self._console.size
        if width < self._width:
            # the terminal has broken the old frame's lines, so that painting over it would miss its top
            self._console.clear()
        self._width = width
        self._live.update(render(snapshot, self._heading, width, height), refresh=True)

    def finish(self, snapshot: Snapshot) -> None:
        """Paint the last state and give the cursor back."""
        try:
            self.paint(snapshot)
        finally:
            self._live.stop()


@dataclass(slots=True)
class _PlainPainter:
    """A line every 10 s, one at the end, and one at once when there is something new to know."""

    every_s: ClassVar[float] = PLAIN_LOOK_S

    console: Console
    _told_s: float = 0.0
    _note: str = field(default="")

    def paint(self, snapshot: Snapshot) -> None:
        """Write a line if one is due."""
        if snapshot.elapsed_s - self._told_s < PLAIN_EVERY_S and snapshot.note == self._note:
            return
        self.finish(snapshot)

    def finish(self, snapshot: Snapshot) -> None:
        """Write a line."""
        self._told_s, self._note = snapshot.elapsed_s, snapshot.note
        _write(self.console, plain_line(snapshot))


@dataclass(slots=True)
class _JsonPainter:
    """A Snapshot as one line of JSON, every second and at the end."""

    every_s: ClassVar[float] = JSON_EVERY_S

    console: Console

    def paint(self, snapshot: Snapshot) -> None:
        """Write the line."""
        _write(self.console, snapshot.model_dump_json())

    def finish(self, snapshot: Snapshot) -> None:
        """Write the line."""
        self.paint(snapshot)


def _write(console: Console, line: str) -> None:
    """Write past Rich: nothing is wrapped or highlighted, and a closed pipe raises OSError, where Rich
    would end the process and point stdout at nothing."""
    console.file.write(f"{line}\n")
    console.file.flush()
