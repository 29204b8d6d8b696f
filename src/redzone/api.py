"""redzone as a library: analyze a list, resume a run, estimate what one would take.

    async for outcome in redzone.analyze("posters.csv", provider="local", home="judged"):
        print(outcome.id, outcome.status)

An outcome arrives after it is on disk. Everything runs in the caller's event loop and in threads of its own:
no signal handlers, no output, no exit. The command line is built on this module.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from redzone.config.loader import load
from redzone.config.settings import Settings
from redzone.errors import ExitCode, Interrupted, RunNotFound, RunStopped
from redzone.inputs import Inputs
from redzone.models import Outcome, RunEstimate, Status
from redzone.pipeline import Pipeline
from redzone.plan import RunPlan, make_plan
from redzone.run_setup import (
    OpenedRun,
    ResumeChoices,
    RunRequest,
    counts_in,
    describe_repairs,
    ended_record,
    home_of,
    open_again,
    open_new,
    pending_rows,
    survey_request,
)
from redzone.runs import RunRecord, RunStore
from redzone.runs.event_log import log_into, run_log
from redzone.runs.index import CheckpointIndex
from redzone.runs.journal import Journal
from redzone.runs.record import RecordedState
from redzone.telemetry.metrics import Metrics, Snapshot
from redzone.wiring import CACHE_NAME, Job, Listeners, assemble, cache_key, open_cache, vision_model

log = logging.getLogger(__name__)
# a host that has set up no logging gets none, not warnings on stderr
logging.getLogger("redzone").addHandler(logging.NullHandler())

# Outcomes that wait for a slow reader; beyond that the workers wait, too.
BACKLOG = 256


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended. `counts` cover the whole run, earlier parts of it included; `snapshot` is the last one
    of this part, None where nothing was left to do."""

    run_id: str
    folder: Path
    rows: int
    counts: Mapping[Status, int]
    stopped: RunStopped | None = None
    snapshot: Snapshot | None = None
    repairs: tuple[str, ...] = ()

    def exit_code(self, *, fail_on_fail: bool = False) -> ExitCode:
        """The exit code of `redzone analyze`: a stop goes first, then a matched --fail-on, then errors."""
        if self.stopped is not None:
            return self.stopped.exit_code
        if fail_on_fail and self.counts[Status.FAIL]:
            return ExitCode.FAIL_FOUND
        return ExitCode.SOME_ERRORS if self.counts[Status.ERROR] else ExitCode.DONE


def analyze(  # noqa: PLR0913  keywords, each of them optional
    *inputs: str | Path,
    home: str | Path | None = None,
    mapping: Mapping[str, str] | None = None,
    limit: int | None = None,
    sample: int | None = None,
    seed: int = 0,
    label: str = "",
    **settings: Any,
) -> Run:
    """Judge every poster of the inputs in a new run, which starts when it is iterated over.

    `mapping` names columns by role, such as `{"image": "COVER"}`; `limit` takes the first rows, `sample`
    draws that many at random. Further keywords are settings (docs/settings.md); they take precedence over the
    environment, `.env` and `redzone.toml`, which are read now. Raises SettingsInvalid.
    """
    loaded = load({**settings, "home": home}).settings
    paths = tuple(map(str, inputs))
    return begin(loaded, RunRequest(paths, mapping or {}, limit, sample, seed, label))


def begin(settings: Settings, request: RunRequest) -> Run:
    """`analyze` for settings that are loaded already."""
    return Run(lambda stack: open_new(settings, request, stack))


def resume(
    run_id: str | None = None,
    *,
    home: str | Path | None = None,
    retry_errors: bool = False,
    allow_changed_input: bool = False,
    **settings: Any,
) -> Run:
    """Finish a run with its own settings; without an id the newest unfinished one.

    `retry_errors` judges posters again whose outcome is an error. Further keywords are settings that replace
    the run's own. Raises SettingsInvalid and RunNotFound.
    """
    place = home_of(load({"home": home}).settings)
    store = RunStore(place)
    folder = store.get(run_id) if run_id else store.newest_unfinished()
    if folder is None:
        raise RunNotFound(f"every run in {store.folder} is finished")
    choices = ResumeChoices(place, retry_errors, allow_changed_input, settings)
    return Run(lambda stack: open_again(folder, choices, stack))


async def estimate(
    *inputs: str | Path,
    home: str | Path | None = None,
    mapping: Mapping[str, str] | None = None,
    limit: int | None = None,
    sample: int | None = None,
    seed: int = 0,
    **settings: Any,
) -> RunEstimate:
    """What judging the inputs would take: requests, tokens, money, time. Sends nothing and leaves nothing.

    Arguments and errors as `analyze`; an input that cannot be used is raised here. Raises InputUnusable.
    """
    loaded = load({**settings, "home": home}).settings
    request = RunRequest(tuple(map(str, inputs)), mapping or {}, limit, sample, seed)
    return (await estimate_request(loaded, request))[1]


async def estimate_request(settings: Settings, request: RunRequest) -> tuple[RunPlan, RunEstimate]:
    """`estimate` for settings that are loaded already, with the plan that it is for."""
    plan, home = make_plan(settings), home_of(settings)
    with TemporaryDirectory() as scratch:
        # nothing is created: an empty cache stands in for one that does not exist or is switched off
        known = settings.enable_cache and (home / CACHE_NAME).is_file()
        place = home if known else Path(scratch)
        inputs = await asyncio.to_thread(survey_request, settings, request, Path(scratch))
        found = await _estimate(plan, place, inputs)
        return plan, found.model_copy(update={"notes": inputs.survey().notes})


class Run:
    """One run: an async iterator over its outcomes, each of them on disk before it arrives.

    Leaving the loop early leaves the run going; `async with` stops it at the end of the block. All methods
    but `open` belong to the event loop that first iterates, starts or waits.
    """

    def __init__(self, opening: Callable[[ExitStack], OpenedRun]) -> None:
        self._opening = opening
        self._stack = ExitStack()
        self._opened: OpenedRun | None = None
        self._task: asyncio.Task[RunResult] | None = None
        self._pipeline: Pipeline | None = None
        self._metrics: Metrics | None = None
        self._stop_reason: Interrupted | None = None
        self._cancelled = False
        self._notices: list[Callable[[str], None]] = []
        self._ready: deque[Outcome] = deque()
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._begun = asyncio.Event()
        self._discard = False

    @property
    def job(self) -> Job:
        """What is carried out. Only after `open` or `start`."""
        if self._opened is None:
            raise RuntimeError("the run has not been opened")
        return self._opened.job

    @property
    def id(self) -> str:
        """The run id. Only after `open` or `start`."""
        return self.job.folder.id

    @property
    def record(self) -> RunRecord:
        """`run.json` as it was at the start. Only after `open` or `start`."""
        assert self._opened is not None  # noqa: S101  `job` raises first
        return self._opened.record

    @property
    def finished_before(self) -> bool:
        """Whether nothing was left to do when it was opened."""
        assert self._opened is not None  # noqa: S101  only after `open`
        return self._opened.inputs is None

    def use_settings(self, settings: Settings) -> None:
        """Run with other settings, such as fewer workers, in this process only. Before `start`."""
        assert self._opened is not None  # noqa: S101  `job` raises first
        job = self.job
        plan = make_plan(settings, job.plan.provider, job.plan.zones)
        self._opened = replace(self._opened, job=replace(job, plan=plan))

    @property
    def input_notes(self) -> tuple[str, ...]:
        """Sentences about how the input was read, such as which column holds the images."""
        assert self._opened is not None  # noqa: S101  only after `open`
        return self._opened.inputs.survey().notes if self._opened.inputs is not None else ()

    @property
    def ended(self) -> bool:
        """Whether it is over, however it ended."""
        return self._task is not None and self._task.done()

    @property
    def result(self) -> RunResult | None:
        """How it ended; None until then. Raises what ended it, if that was an error."""
        return self._task.result() if self._task is not None and self._task.done() else None

    def snapshot(self) -> Snapshot:
        """How it is going. Only after `start`, and not where nothing was left to do."""
        if self._metrics is None:
            raise RuntimeError("the run has not been started")
        return self._metrics.snapshot()

    def note(self, text: str) -> None:
        """A sentence for people that snapshots carry from now on."""
        if self._metrics is not None:
            self._metrics.note = text

    def on_notice(self, listener: Callable[[str], None]) -> None:
        """Have sentences for people, such as a changed way to ask, passed on. They are logged as well."""
        self._notices.append(listener)

    def open(self) -> None:
        """Read the input, make or lock the run folder. Blocks; `start` does it in a thread.

        Raises UsageError before anything is made.
        """
        if self._opened is None:
            try:
                self._opened = self._opening(self._stack)
            except BaseException:
                self._stack.close()
                raise

    async def start(self) -> None:
        """Open it, and begin to judge. Iterating does this. Raises UsageError."""
        if self._opened is None:
            opening = asyncio.ensure_future(asyncio.to_thread(self.open))
            try:
                await asyncio.shield(opening)
            except asyncio.CancelledError:
                opening.add_done_callback(lambda _: self._stack.close())
                raise
        if self._task is None:
            self._task = asyncio.create_task(self._carry_out(), name=f"redzone run {self.id}")
            self._task.add_done_callback(self._on_end)
        await self._begun.wait()

    def _on_end(self, _: asyncio.Task[RunResult]) -> None:
        self._begun.set()
        self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Outcome:
        """The next outcome. Raises RunStopped where the run ended early by itself."""
        await self.start()
        assert self._task is not None  # noqa: S101  just started
        while not self._ready:
            if self._task.done():
                stopped = self._task.result().stopped
                if stopped is not None and stopped is not self._stop_reason:
                    raise stopped
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        self._room.set()
        return self._ready.popleft()

    async def wait(self) -> RunResult:
        """Let it go to its end without handing out outcomes. A stop is part of the result, not raised."""
        self._discard_outcomes()
        await self.start()
        assert self._task is not None  # noqa: S101  just started
        return await asyncio.shield(self._task)

    def stop(self, reason: Interrupted | None = None) -> None:
        """Start nothing more and finish what is in progress; the run can be resumed."""
        if self._stop_reason is None:
            self._stop_reason = reason or Interrupted("stopped by the caller", ExitCode.INTERRUPTED)
        if self._pipeline is not None:
            self._pipeline.stop(self._stop_reason)

    def cancel(self) -> None:
        """Stop now: what is in progress is abandoned, what is on disk stays."""
        self.stop()
        self._cancelled = True
        if self._task is not None:
            self._task.cancel()

    async def aclose(self) -> None:
        """Stop it, if it is still going, and wait until its files are closed."""
        self._discard_outcomes()
        if self._task is None:
            await asyncio.to_thread(self._stack.close)
            return
        if not self._task.done():
            self.stop()
        await asyncio.wait([self._task])

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _discard_outcomes(self) -> None:
        self._discard = True
        self._ready.clear()
        self._room.set()

    async def _hand_out(self, outcome: Outcome) -> None:
        """Called for each outcome once it is on disk. A slow reader slows the workers down."""
        if self._discard:
            return
        self._ready.append(outcome)
        self._news.set()
        while len(self._ready) >= BACKLOG and not self._discard:
            self._room.clear()
            await self._room.wait()

    async def _carry_out(self) -> RunResult:
        """Judge until every row has an outcome or the run is stopped.

        Whatever ends it, run.json says how, and the checkpoint is whole. Raises JournalFailed.
        """
        try:
            assert self._opened is not None  # noqa: S101  `start` opens first
            job, inputs, record = self._opened.job, self._opened.inputs, self._opened.record
            if inputs is None:
                counts = {status: record.counts.get(status, 0) for status in Status}
                return RunResult(self.id, job.folder.path, job.rows, counts)
            log_into(job.folder.log_path)
            loop, notice = asyncio.get_running_loop(), self._notice()
            events = run_log(job.folder.log_path, lambda text: _call_in(loop, notice, text))
            await asyncio.to_thread(self._stack.enter_context, events)
            journal = await asyncio.to_thread(Journal, job.folder.checkpoint_path)
            self._stack.callback(journal.close)
            repairs = describe_repairs(journal)
            for repair in repairs:
                log.warning("%s", repair)
            running = record.model_copy(update={"state": RecordedState.RUNNING, "reason": ""})
            await asyncio.to_thread(job.folder.write, running)
            stopped, snapshot = await self._judge(job, inputs, journal)
            counts = counts_in(snapshot)
            if stopped is not None and self._opened.retry_errors:
                # errors that were to be tried again are errors still
                index = await asyncio.to_thread(CheckpointIndex.read, job.folder.checkpoint_path)
                counts = {**counts, **index.counts}
            ended = ended_record(running, stopped, counts, snapshot.elapsed_s)
            try:
                await asyncio.to_thread(job.folder.write, ended)
            except OSError as error:
                # the checkpoint has it all; without a recorded end the run counts as interrupted
                notice(f"{job.folder.record_path} cannot be written: {error.strerror}; the outcomes are safe")
            return RunResult(self.id, job.folder.path, job.rows, counts, stopped, snapshot, repairs)
        finally:
            await asyncio.shield(asyncio.to_thread(self._stack.close))

    async def _judge(self, job: Job, inputs: Inputs, journal: Journal) -> tuple[RunStopped | None, Snapshot]:
        assert self._opened is not None  # noqa: S101  `start` opens first
        retry_errors = self._opened.retry_errors
        async with assemble(job, journal, Listeners(self._hand_out, self._notice())) as (pipeline, metrics):
            counts = dict(journal.index.counts)
            if retry_errors:
                counts[Status.ERROR] = 0
            metrics.restore(counts, journal.index.cost_usd)
            self._pipeline, self._metrics = pipeline, metrics
            self._begun.set()
            if self._stop_reason is not None:
                pipeline.stop(self._stop_reason)
            try:
                await pipeline.run(pending_rows(inputs, journal.index, retry_errors=retry_errors))
            except asyncio.CancelledError:
                if not self._cancelled:
                    raise
                task = asyncio.current_task()
                assert task is not None  # noqa: S101  inside a coroutine there is one
                task.uncancel()
            return pipeline.stopped, metrics.snapshot()

    def _notice(self) -> Callable[[str], None]:
        """Passes each sentence on once."""
        given: set[str] = set()

        def pass_on(text: str) -> None:
            if text not in given:
                given.add(text)
                log.warning("%s", text)
                for listener in self._notices:
                    with suppress(OSError):  # a terminal that is gone
                        listener(text)

        return pass_on


async def _estimate(plan: RunPlan, home: Path, inputs: Inputs) -> RunEstimate:
    from redzone.engine.estimate import Basis, estimate

    model = await asyncio.to_thread(vision_model, plan, lambda _: None)
    cache = await asyncio.to_thread(open_cache, plan.settings, home)
    try:
        return await estimate(inputs.rows(), cache, Basis(plan, cache_key(plan, model), model))
    finally:
        await model.aclose()
        await asyncio.to_thread(cache.close)


def _call_in(loop: asyncio.AbstractEventLoop, function: Callable[[str], None], text: str) -> None:
    """Call from another thread, unless the loop has ended."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(function, text)
