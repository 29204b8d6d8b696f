"""Starts and estimates runs: `redzone` as a process that continues when the dashboard stops.

The API key stays in the inherited environment; the command line holds no secret. The output goes to
`console.log` in the run's folder.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import threading
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from pydantic import ConfigDict

from redzone.errors import UsageError
from redzone.models import RunEstimate
from redzone.runs import RunFolder, make_home
from redzone.runs.files import open_private
from redzone.runs.record import RUN_ID
from redzone.web.services.child_process import REDZONE, complaint, run_to_end

Pairs = Sequence[tuple[str, str]]
CONSOLE_LOG = "console.log"
_BEGUN = re.compile(rf"^run ({RUN_ID.pattern}): ", re.MULTILINE)
_POLL_S = 0.05
_REMEMBERED = 100
_ESTIMATE_S = 300.0
_LATE = "the estimate took longer than 5 minutes; run `redzone analyze --dry-run` in a terminal"
_ESTIMATES_AT_ONCE = 2
_TAIL_BYTES = 16_384


class EstimateResult(RunEstimate):
    """The estimate, provider and model that `analyze --dry-run --json` prints."""

    model_config = ConfigDict(extra="ignore")

    provider: str
    model: str


class NotStarted(UsageError):
    """The command exited before a run began; the message is its own."""


@dataclass(slots=True)
class StartedRun:
    """A started command, its log, and the form fields that it was started with."""

    process: subprocess.Popen[bytes]
    log: Path
    runs: Path
    form_fields: Pairs = ()

    async def run_id(self, within_s: float) -> str | None:
        """The run's id; None while the command still reads its list. Raises NotStarted."""
        end_s = asyncio.get_running_loop().time() + within_s
        while True:
            found, ended = await asyncio.to_thread(self._look)
            if found is not None:
                return found
            if ended:
                raise NotStarted(await asyncio.to_thread(self._complaint))
            if asyncio.get_running_loop().time() >= end_s:
                return None
            await asyncio.sleep(_POLL_S)

    def _look(self) -> tuple[str | None, bool]:
        # in this order: output printed just before the exit is seen too
        ended = self.process.poll() is not None
        match = _BEGUN.search(_text(self.log))
        if match is None:
            return None, ended
        place = self.runs / match[1] / CONSOLE_LOG
        if place != self.log:
            with suppress(OSError):
                self.log.rename(place)
                self.log = place
        # it prints the id, then takes the lock: in between the run would look interrupted
        at_work = RunFolder(place.parent).worker_pid() == self.process.pid
        return match[1] if at_work or ended else None, ended

    def _complaint(self) -> str:
        text = _text(self.log)
        if self.log.name != CONSOLE_LOG:
            self.log.unlink(missing_ok=True)
        return complaint(text)


class Launcher:
    """Starts and estimates the runs of one home."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._started: OrderedDict[str, StartedRun] = OrderedDict()
        self._turn = threading.Lock()
        self._estimates = asyncio.Semaphore(_ESTIMATES_AT_ONCE)

    async def estimate_run(self, arguments: Sequence[str]) -> EstimateResult:
        """Estimates a command in a child process; nothing is sent. Raises UsageError with the command's
        error."""
        command = [arguments[0], "--dry-run", "--json", f"--home={self._home}", *arguments[1:]]
        async with self._estimates:
            ended = await run_to_end(command, within_s=_ESTIMATE_S, late=_LATE)
        return EstimateResult.model_validate_json(ended.out)

    def begun(self, ticket: str) -> StartedRun | None:
        """The run that was started for a ticket."""
        return self._started.get(ticket)

    def begin(self, arguments: Sequence[str], ticket: str, form_fields: Pairs) -> StartedRun:
        """Starts a command once for each ticket, however often the button is pressed. Blocking; raises
        UsageError."""
        with self._turn:
            found = self._started.get(ticket)
            if found is None:
                log = self._home / f".starting-{token_hex(4)}.log"
                found = self._started[ticket] = self._start(arguments, log)
                found.form_fields = form_fields
                while len(self._started) > _REMEMBERED:
                    self._started.popitem(last=False)
            return found

    def resume(self, folder: RunFolder, *, retry_errors: bool) -> StartedRun:
        """Starts `redzone resume`. Blocking; raises UsageError."""
        again = ["--retry-errors"] if retry_errors else []
        return self._start(("resume", *again, folder.id), folder.path / CONSOLE_LOG)

    def _start(self, arguments: Sequence[str], log: Path) -> StartedRun:
        make_home(self._home)
        command = [*REDZONE, arguments[0], "--progress=none", f"--home={self._home}", *arguments[1:]]
        try:
            output = open_private(log, os.O_WRONLY | os.O_APPEND | os.O_TRUNC)
            try:
                process = subprocess.Popen(  # noqa: S603  our own command, no shell
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,  # Ctrl-C and a closed terminal do not reach it
                )
            finally:
                os.close(output)
        except OSError as error:
            raise UsageError(f"the run cannot be started: {error.strerror}") from error
        # otherwise it would stay a zombie after it exits, and count as alive
        threading.Thread(target=process.wait, name=f"run {process.pid}", daemon=True).start()
        return StartedRun(process, log, self._home / "runs")


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_TAIL_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
