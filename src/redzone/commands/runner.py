"""Carries a run out in a terminal: signals, display and the event loop around the library."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from redzone.api import Run, RunResult
from redzone.clock import LoopClock
from redzone.commands.process_limits import fit_open_files
from redzone.commands.terminal import say
from redzone.errors import ExitCode, Interrupted
from redzone.terminal.panels import Heading
from redzone.terminal.progress import Progress, show

log = logging.getLogger(__name__)
# a closed terminal sends SIGHUP, where the system has it
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


@dataclass(frozen=True, slots=True)
class DisplayOptions:
    """How a run is shown, and where."""

    progress: Progress
    console: Console


def carry_out(run: Run, display: DisplayOptions) -> RunResult:
    """Let an opened run go to its end. Raises JournalFailed, and UsageError if too few files may be open."""
    settings, notice = fit_open_files(run.job.plan.settings)
    if settings is not run.job.plan.settings:
        run.use_settings(settings)
    if notice:
        say(notice)
    return asyncio.run(_carry_out(run, display))


async def _carry_out(run: Run, display: DisplayOptions) -> RunResult:
    run.on_notice(lambda text: display.console.print(text, markup=False, highlight=False))
    await run.start()
    if run.ended:  # nothing was left to do, or it could not begin
        return await run.wait()
    async with show(display.progress, run.snapshot, display.console, LoopClock(), _heading(run)):
        with _interrupts(run):
            return await run.wait()


def _heading(run: Run) -> Heading:
    plan, record = run.job.plan, run.record
    return Heading(
        run_id=run.id,
        label=record.label,
        provider=plan.provider.name,
        model=plan.provider.model,
        zones=tuple(zone.name for zone in plan.zones),
        input=", ".join(Path(path).name for path in record.inputs.paths),
    )


@contextmanager
def _interrupts(run: Run) -> Iterator[None]:
    """First Ctrl-C, SIGTERM or SIGHUP: start nothing, finish what is in progress. Second: stop now."""
    loop = asyncio.get_running_loop()
    interrupted = False

    def on_signal(number: signal.Signals) -> None:
        nonlocal interrupted
        if interrupted:
            run.note("stopping now")
            run.cancel()
            return
        interrupted = True
        log.warning("interrupted by %s", number.name)
        code = ExitCode.INTERRUPTED if number is signal.SIGINT else ExitCode.TERMINATED
        run.stop(Interrupted(f"interrupted by {number.name}", code))
        run.note("stopping: finishing what is in progress (Ctrl-C again to stop now)")

    for number in SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
