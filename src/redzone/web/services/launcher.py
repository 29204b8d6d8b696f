"""Runs begun from the dashboard: `redzone` as a process of its own, which lives on when the dashboard ends.

The key stays in the environment, which the process inherits; its command line holds nothing secret. What it
prints goes to `console.log` in its run's folder.
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
_FORECAST_S = 300.0
_LATE = "counting took longer than 5 minutes; try `redzone analyze --dry-run` in a terminal"
_FORECASTS_AT_ONCE = 2
_TAIL_BYTES = 16_384


class EstimateResult(RunEstimate):
    """What a run would take, and whom it would ask, as `analyze --dry-run --json` tells it."""

    model_config = ConfigDict(extra="ignore")

    provider: str
    model: str


class NotStarted(UsageError):
    """The command ended before a run began; its own words say why."""


@dataclass(slots=True)
class Started:
    """A command that has been started, where it prints, and the fields of the form that asked for it."""

    process: subprocess.Popen[bytes]
    log: Path
    runs: Path
    asked: Pairs = ()

    async def run_id(self, within_s: float) -> str | None:
        """The run that it works on or has done; None while it still reads its list. Raises NotStarted."""
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
        # in this order: what it printed just before its end is seen, too
        ended = self.process.poll() is not None
        match = _BEGUN.search(_text(self.log))
        if match is None:
            return None, ended
        place = self.runs / match[1] / CONSOLE_LOG
        if place != self.log:
            with suppress(OSError):
                self.log.rename(place)
                self.log = place
        # it says the id and then takes the lock: until then the run would look as if nobody worked on it
        at_work = RunFolder(place.parent).worker_pid() == self.process.pid
        return match[1] if at_work or ended else None, ended

    def _complaint(self) -> str:
        text = _text(self.log)
        if self.log.name != CONSOLE_LOG:
            self.log.unlink(missing_ok=True)
        return complaint(text)


class Launcher:
    """Starts and forecasts for one home."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._started: OrderedDict[str, Started] = OrderedDict()
        self._turn = threading.Lock()
        self._forecasts = asyncio.Semaphore(_FORECASTS_AT_ONCE)

    async def estimate_run(self, arguments: Sequence[str]) -> EstimateResult:
        """What a command would take, sending nothing. A process of its own counts: a long list holds up
        nobody. Raises UsageError with its complaint."""
        command = [arguments[0], "--dry-run", "--json", f"--home={self._home}", *arguments[1:]]
        async with self._forecasts:
            ended = await run_to_end(command, within_s=_FORECAST_S, late=_LATE)
        return EstimateResult.model_validate_json(ended.out)

    def begun(self, ticket: str) -> Started | None:
        """What was started for a ticket."""
        return self._started.get(ticket)

    def begin(self, arguments: Sequence[str], ticket: str, asked: Pairs) -> Started:
        """Start a command, once for each ticket: the second press of a button starts nothing. Blocking;
        raises UsageError."""
        with self._turn:
            found = self._started.get(ticket)
            if found is None:
                log = self._home / f".starting-{token_hex(4)}.log"
                found = self._started[ticket] = self._start(arguments, log)
                found.asked = asked
                while len(self._started) > _REMEMBERED:
                    self._started.popitem(last=False)
            return found

    def resume(self, folder: RunFolder, *, retry_errors: bool) -> Started:
        """Start `resume` of a run. Blocking; raises UsageError."""
        again = ["--retry-errors"] if retry_errors else []
        return self._start(("resume", *again, folder.id), folder.path / CONSOLE_LOG)

    def _start(self, arguments: Sequence[str], log: Path) -> Started:
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
                    start_new_session=True,  # neither Ctrl-C nor a closed terminal reaches it
                )
            finally:
                os.close(output)
        except OSError as error:
            raise UsageError(f"the run cannot be started: {error.strerror}") from error
        # else it would stay as a zombie after its end, and count as alive
        threading.Thread(target=process.wait, name=f"run {process.pid}", daemon=True).start()
        return Started(process, log, self._home / "runs")


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_TAIL_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
