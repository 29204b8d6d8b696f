"""Results to take away, written by `redzone export` or `redzone report` as a process of its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from redzone.errors import UsageError
from redzone.query import Filter
from redzone.reports import REPORTS, Format
from redzone.web.services.child_process import run_to_end

AT_ONCE = 2
LONGEST_S = 1800.0  # 400 pictures of a slow server
_LATE = "writing it took longer than half an hour; try `redzone export` or `redzone report` in a terminal"
_PIECE_BYTES = 2**18
_TRUTHS = {
    "reviewed": {"yes": "--reviewed", "no": "--unreviewed"},
    "disagreed": {"yes": "--disagreed", "no": "--agreed"},
}


@dataclass(frozen=True, slots=True)
class Written:
    """A file that has no name any more: it is gone when it is closed, or with this process. `said` is what
    the command told about it."""

    file: BinaryIO
    size: int
    said: str


class Exports:
    """Writes the results of a home's runs, two at a time; more wait for their turn."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def write(self, run_id: str, form: Format, wanted: Filter) -> Written:
        """What the command makes of the wanted findings. Raises UsageError with its complaint. Whatever
        happens, cancelling included, the process ends and its files go."""
        async with self._turns:
            scratch = await asyncio.to_thread(
                partial(TemporaryDirectory, prefix="redzone-", ignore_cleanup_errors=True)
            )
            try:
                return await self._write(Path(scratch.name), run_id, form, wanted)
            finally:
                await asyncio.to_thread(scratch.cleanup)

    async def _write(self, folder: Path, run_id: str, form: Format, wanted: Filter) -> Written:
        path = folder / f"results.{form}"
        command = "report" if form in REPORTS else "export"
        arguments = [command, run_id, f"--home={self._home}", f"--output={path}", *export_options(wanted)]
        try:
            # what it spools lies beside its file, and goes with it when it is killed
            ended = await run_to_end(
                arguments, within_s=LONGEST_S, late=_LATE, environment={"TMPDIR": str(folder)}
            )
        except UsageError as error:
            raise UsageError(str(error).replace(str(path), path.name)) from error
        file = await asyncio.to_thread(path.open, "rb")
        return Written(file, os.fstat(file.fileno()).st_size, ended.said)


def export_options(wanted: Filter) -> list[str]:
    """The filter as the commands' options."""
    return list(_options(wanted))


def _options(wanted: Filter) -> Iterator[str]:
    for name, value in wanted.to_query():
        if name in _TRUTHS:
            yield _TRUTHS[name][value]
        elif name == "ungrouped":
            yield "--group="
        else:
            # one word: a value that begins with a dash is no option
            yield f"--{name.replace('_', '-')}={value}"


class Handover(StreamingResponse):
    """Sends a written file in pieces, and lets go of it when it was sent or nobody wants it any more."""

    def __init__(self, written: Written, headers: dict[str, str]) -> None:
        self._file = written.file
        super().__init__(self._pieces(), headers={**headers, "Content-Length": str(written.size)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await asyncio.to_thread(self._file.close)

    async def _pieces(self) -> AsyncIterator[bytes]:
        while piece := await asyncio.to_thread(self._file.read, _PIECE_BYTES):
            yield piece
