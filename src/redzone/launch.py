"""Begins a run, takes one up again, and carries it out to its end, with signals, display and files."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom
from tempfile import TemporaryDirectory

from pydantic import JsonValue
from rich.console import Console

from redzone import __version__
from redzone.clock import LoopClock
from redzone.config.settings import Settings
from redzone.errors import ExitCode, InputChanged, Interrupted, RunStopped
from redzone.inputs import STDIN, Inputs, InputSpec, open_inputs, spool_stdin
from redzone.models import Row, RunEstimate, Status, Zone
from redzone.pipeline import Pipeline
from redzone.runs import RunFolder, RunStore
from redzone.runs.event_log import run_log
from redzone.runs.index import CheckpointIndex
from redzone.runs.input import open_run_input
from redzone.runs.journal import Journal
from redzone.runs.record import RecordedState, RunInputs, RunRecord, new_run_id
from redzone.telemetry.metrics import Metrics, Snapshot
from redzone.terminal.panels import Heading
from redzone.terminal.progress import Progress, show
from redzone.wiring import (
    CACHE_NAME,
    Job,
    Provider,
    asked,
    assemble,
    choose_provider,
    ensure_usable,
    open_cache,
    pack_size,
    parse_zones,
    prices,
    vision_model,
    worker_bounds,
)

log = logging.getLogger(__name__)

# Secrets and the place stay with the process; all else of a run's settings is the run's own.
NOT_RECORDED = {"openai_api_key", "openai_api_key_file", "home"}


@dataclass(frozen=True, slots=True)
class Request:
    """Which rows are wanted, and what the run is called."""

    paths: tuple[str, ...]
    mapping: Mapping[str, str]
    limit: int | None = None
    sample: int | None = None
    seed: int = 0
    label: str = ""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a run is carried out and shown."""

    progress: Progress
    console: Console
    retry_errors: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """How a run came to its end."""

    snapshot: Snapshot
    stopped: RunStopped | None
    repairs: tuple[str, ...] = ()


def begin(settings: Settings, home: Path, request: Request) -> tuple[Job, Inputs]:
    """Read the whole input once, then make a run folder for it.

    Raises UsageError before anything is made; only standard input needs the folder first.
    """
    provider, zones = choose_provider(settings), parse_zones(settings)
    ensure_usable(settings, provider)
    store = RunStore(home)
    inputs = RunInputs(
        paths=tuple(path if path == STDIN else str(Path(path).absolute()) for path in request.paths),
        mapping=request.mapping,
        limit=request.limit,
        sample=request.sample,
        seed=request.seed,
        base_dir=str(Path.cwd()),
    )
    now = datetime.now(UTC)
    record = RunRecord(
        id=new_run_id(now, SystemRandom()),
        label=request.label,
        created_at=now,
        version=__version__,
        inputs=inputs,
        input_sha256="",
        rows=0,
        zones=zones,
        provider=provider.name,
        model=provider.model,
        view=settings.view,
        settings=_recorded(settings),
    )
    if STDIN in inputs.paths:
        folder = store.create(record)
        try:
            spool_stdin(folder.path)
            opened, record = _surveyed(folder, record)
        except BaseException:
            store.remove(folder.id)
            raise
        folder.write(record)
    else:
        opened, record = _surveyed(RunFolder(store.folder / record.id), record)
        folder = store.create(record)
    return Job(folder, home, settings, provider, zones, record.rows), opened


def estimate_run(settings: Settings, home: Path, request: Request) -> tuple[Provider, RunEstimate]:
    """What a run of this request would take. Reads everything, makes and sends nothing.

    Raises UsageError as `begin` does.
    """
    provider, zones = choose_provider(settings), parse_zones(settings)
    ensure_usable(settings, provider)
    with TemporaryDirectory() as scratch:
        # nothing is made: without a home yet, an empty cache stands in for its own
        place = home if (home / CACHE_NAME).is_file() else Path(scratch)
        stdin = spool_stdin(Path(scratch)) if STDIN in request.paths else None
        opened = open_inputs(
            InputSpec(request.paths, request.mapping, request.limit, request.sample, request.seed, stdin)
        )
        opened.survey()
        return provider, asyncio.run(_estimate_run(settings, place, provider, zones, opened))


async def _estimate_run(
    settings: Settings, home: Path, provider: Provider, zones: tuple[Zone, ...], inputs: Inputs
) -> RunEstimate:
    from redzone.engine.estimate import Basis, estimate

    workers, most = worker_bounds(settings, provider)
    model = vision_model(settings, provider, most, lambda _: None)
    cache = open_cache(settings, home)
    try:
        basis = Basis(
            settings=settings,
            zones=zones,
            asked=asked(settings, zones, model, provider),
            model=model,
            model_name=provider.model,
            price=prices(settings, provider).get(provider.model),
            workers=workers,
            max_workers=most,
            pack=pack_size(settings, provider),
        )
        return await estimate(inputs.rows(), cache, basis)
    finally:
        await model.aclose()
        cache.close()


def _surveyed(folder: RunFolder, record: RunRecord) -> tuple[Inputs, RunRecord]:
    opened = open_run_input(folder, record)
    survey = opened.survey()
    told = {"input_sha256": survey.sha256, "rows": survey.rows, "columns": survey.columns}
    return opened, record.model_copy(update=told)


def _recorded(settings: Settings) -> dict[str, JsonValue]:
    dumped: dict[str, JsonValue] = settings.model_dump(mode="json", exclude=NOT_RECORDED)
    return dumped


def reopen(folder: RunFolder, settings: Settings, home: Path, *, allow_changed: bool) -> tuple[Job, Inputs]:
    """A run as it was begun, ready to go on. The caller holds its lock.

    Raises InputChanged with both hashes; with `allow_changed` outcomes and reviews are matched to the new
    rows by id and image, and their files written anew (the old ones are kept beside them).
    """
    record = folder.read()
    inputs = open_run_input(folder, record)
    found = inputs.survey().sha256
    if found != record.input_sha256:
        if not allow_changed:
            raise InputChanged(
                f"the input of run {folder.id} has changed: it began with sha256 {record.input_sha256}, "
                f"now it is {found}; put the old input back, or pass --allow-changed-input to match rows "
                "by id and image"
            )
        from redzone.runs.rematch import rematch

        inputs, changed = _surveyed(folder, record)
        rematch(folder, inputs.rows)
        folder.write(changed)
        record = changed
    provider = Provider(
        "openai" if record.provider == "openai" else "local", record.model, "as the run began"
    )
    ensure_usable(settings, provider)
    return Job(folder, home, settings, provider, record.zones, record.rows), inputs


def carry_out(job: Job, inputs: Inputs, manner: Manner) -> End:
    """Work until every row has an outcome or the run is stopped. The caller holds the run's lock.

    Whatever ends it, run.json says how and the checkpoint is whole. Raises JournalFailed.
    """
    with Journal(job.folder.checkpoint_path) as journal, run_log(job.folder.log_path):
        repairs = _repairs(journal)
        for repair in repairs:
            log.warning("%s", repair)
        record = job.folder.read()
        job.folder.write(record.model_copy(update={"state": RecordedState.RUNNING, "reason": ""}))
        end = asyncio.run(_run(job, record, inputs, journal, manner))
        seconds = record.seconds + end.snapshot.elapsed_s
        job.folder.write(_ended(record.model_copy(update={"seconds": seconds}), end))
        return End(end.snapshot, end.stopped, repairs)


async def _run(job: Job, record: RunRecord, inputs: Inputs, journal: Journal, manner: Manner) -> End:
    heading = Heading(
        run_id=job.folder.id,
        label=record.label,
        provider=job.provider.name,
        model=job.provider.model,
        zones=tuple(zone.name for zone in job.zones),
        input=", ".join(Path(path).name for path in record.inputs.paths),
    )
    notices = _Notices(manner.console)
    async with assemble(job, journal, notices.tell) as (pipeline, metrics):
        counts = dict(journal.index.counts)
        if manner.retry_errors:
            counts[Status.ERROR] = 0
        metrics.restore(counts, journal.index.cost_usd)
        async with show(manner.progress, metrics.snapshot, manner.console, LoopClock(), heading):
            with _interrupts(pipeline, metrics):
                await pipeline.run(_pending(inputs, journal.index, retry_errors=manner.retry_errors))
        return End(metrics.snapshot(), pipeline.stopped)


def _pending(inputs: Inputs, index: CheckpointIndex, *, retry_errors: bool) -> Iterator[Row]:
    """The rows without an outcome, and those whose error is to be tried again."""
    for row in inputs.rows():
        status = index.status(row.row)
        if status is None or (retry_errors and status is Status.ERROR):
            yield row


@contextmanager
def _interrupts(pipeline: Pipeline, metrics: Metrics) -> Iterator[None]:
    """First Ctrl-C or SIGTERM: start nothing, finish what is in hand. Second: stop now."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None  # noqa: S101  inside a coroutine there is one

    def on_signal(number: signal.Signals) -> None:
        code = ExitCode.INTERRUPTED if number is signal.SIGINT else ExitCode.TERMINATED
        if isinstance(pipeline.stopped, Interrupted):
            metrics.note = "stopping now"
            task.cancel()
            return
        log.warning("interrupted by %s", number.name)
        pipeline.stop(Interrupted(f"interrupted by {number.name}", code))
        metrics.note = "stopping: finishing what is in hand (Ctrl-C again to stop now)"

    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield
    except asyncio.CancelledError:
        if not isinstance(pipeline.stopped, Interrupted):
            raise
        task.uncancel()
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _repairs(journal: Journal) -> tuple[str, ...]:
    repairs = journal.repairs
    said = []
    if repairs.cut_bytes:
        said.append(f"checkpoint: a torn last line ({repairs.cut_bytes} bytes) was cut off")
    if repairs.moved_lines:
        numbers = ", ".join(str(line.number) for line in repairs.moved_lines[:5])
        count = len(repairs.moved_lines)
        said.append(f"checkpoint: {count} damaged lines ({numbers}, ...) were moved to checkpoint.bad")
    doubtful = journal.index.in_doubt
    if doubtful:
        rows = ", ".join(str(row) for row in doubtful[:10]) + (", ..." if len(doubtful) > 10 else "")
        said.append(f"{len(doubtful)} requests were in flight when the run ended (rows {rows}); asked again")
    return tuple(said)


def _ended(record: RunRecord, end: End) -> RunRecord:
    """What run.json says at the end."""
    snapshot = end.snapshot
    if end.stopped is None:
        state = RecordedState.FINISHED
    else:
        state = RecordedState.INTERRUPTED if isinstance(end.stopped, Interrupted) else RecordedState.STOPPED
    counts = {
        "pass": snapshot.passed,
        "fail": snapshot.failed,
        "unsure": snapshot.unsure,
        "error": snapshot.errors,
    }
    return record.model_copy(
        update={
            "state": state,
            "reason": str(end.stopped or ""),
            "finished_at": datetime.now(UTC),
            "counts": counts,
        }
    )


def exit_code(end: End, *, fail_on_fail: bool) -> ExitCode:
    """What the process tells its caller; a matched --fail-on goes before posters in error."""
    if end.stopped is not None:
        return end.stopped.exit_code
    if fail_on_fail and end.snapshot.failed:
        return ExitCode.FAIL_FOUND
    return ExitCode.SOME_ERRORS if end.snapshot.errors else ExitCode.DONE


class _Notices:
    """Says a thing once, to the terminal and to the log."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: set[str] = set()

    def tell(self, text: str) -> None:
        """Say it, unless it has been said."""
        if text not in self._said:
            self._said.add(text)
            log.warning("%s", text)
            self._console.print(text, markup=False, highlight=False)
