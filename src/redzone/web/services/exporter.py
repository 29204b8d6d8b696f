"""Exports results: runs `redzone export` or `redzone report` as a child process and sends the file."""

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
_LATE = "the export took longer than 30 minutes; run `redzone export` or `redzone report` in a terminal"
_PIECE_BYTES = 2**18
_TRUTHS = {
    "reviewed": {"yes": "--reviewed", "no": "--unreviewed"},
    "disagreed": {"yes": "--disagreed", "no": "--agreed"},
}


@dataclass(frozen=True, slots=True)
class Written:
    """An exported file that is already unlinked: it disappears when it is closed. `messages` is what the
    command printed to standard error."""

    file: BinaryIO
    size: int
    messages: str


class Exports:
    """Exports the results of a home's runs, two at a time; others wait."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def write(self, run_id: str, form: Format, wanted: Filter) -> Written:
        """Exports the selected posters. Raises UsageError with the command's error. Whatever happens,
        cancellation included, the process is ended and its files are removed."""
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
            # its temporary files are in the same folder, and removed with it when it is killed
            ended = await run_to_end(
                arguments, within_s=LONGEST_S, late=_LATE, environment={"TMPDIR": str(folder)}
            )
        except UsageError as error:
            raise UsageError(str(error).replace(str(path), path.name)) from error
        file = await asyncio.to_thread(path.open, "rb")
        return Written(file, os.fstat(file.fileno()).st_size, ended.messages)


def export_options(wanted: Filter) -> list[str]:
    """The filter as command-line options."""
    return list(_options(wanted))


def _options(wanted: Filter) -> Iterator[str]:
    for name, value in wanted.to_query():
        if name in _TRUTHS:
            yield _TRUTHS[name][value]
        elif name == "ungrouped":
            yield "--group="
        else:
            # one argument: a value that begins with a dash is not an option
            yield f"--{name.replace('_', '-')}={value}"


class ExportResponse(StreamingResponse):
    """Sends an exported file in pieces and closes it when it is sent or the client leaves."""

    def __init__(self, written: Written, headers: dict[str, str]) -> None:
        self._file = written.file
        super().__init__(self._pieces(), headers={**headers, "Content-Length": str(written.size)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the file."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await asyncio.to_thread(self._file.close)

    async def _pieces(self) -> AsyncIterator[bytes]:
        while piece := await asyncio.to_thread(self._file.read, _PIECE_BYTES):
            yield piece
