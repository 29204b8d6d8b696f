"""Makes a run's folder and record from a request, or opens them again, and writes down how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom
from typing import Any

from pydantic import JsonValue

from redzone._version import __version__
from redzone.config.loader import load
from redzone.config.settings import Settings
from redzone.errors import InputChanged, Interrupted, RunStopped
from redzone.inputs import STDIN, Inputs, InputSpec, open_inputs, spool_stdin
from redzone.models import Row, Status
from redzone.plan import Provider, RunPlan, make_plan
from redzone.runs import RunFolder, RunStore, find_home
from redzone.runs.index import CheckpointIndex
from redzone.runs.input import open_run_input
from redzone.runs.journal import Journal
from redzone.runs.record import RecordedState, RunInputs, RunRecord, new_run_id
from redzone.telemetry.metrics import Snapshot
from redzone.wiring import Job

# Secrets and the place belong to the process; all other settings belong to the run.
NOT_RECORDED = {"openai_api_key", "openai_api_key_file", "home"}


@dataclass(frozen=True, slots=True)
class RunRequest:
    """Which rows are to be judged, and what the run is called."""

    paths: tuple[str, ...]
    mapping: Mapping[str, str]
    limit: int | None = None
    sample: int | None = None
    seed: int = 0
    label: str = ""


@dataclass(frozen=True, slots=True)
class OpenedRun:
    """A run whose lock is held. `inputs` is None where nothing is left to do."""

    job: Job
    record: RunRecord
    inputs: Inputs | None
    retry_errors: bool = False


@dataclass(frozen=True, slots=True)
class ResumeChoices:
    """How a run is to go on; `settings` replace its own."""

    home: Path
    retry_errors: bool
    allow_changed_input: bool
    settings: Mapping[str, Any]


def home_of(settings: Settings) -> Path:
    """The home that the settings, or the folders upward, name."""
    return find_home(settings.home, None, Path.cwd())


def open_new(settings: Settings, request: RunRequest, stack: ExitStack) -> OpenedRun:
    """Read the whole input once, then make a run folder for it. Only stdin needs the folder first."""
    plan, home = make_plan(settings), home_of(settings)
    store, record = RunStore(home), _new_record(plan, request)
    if STDIN in record.inputs.paths:

        def read_stdin(draft: RunFolder) -> RunRecord:
            spool_stdin(draft.path)
            return _survey(draft, record)[1]

        folder = store.create(record, read_stdin)
        inputs, record = _survey(folder, record)
    else:
        inputs, record = _survey(RunFolder(store.folder / record.id), record)
        folder = store.create(record)
    stack.enter_context(folder.lock())
    return OpenedRun(Job(folder, home, plan, record.rows), record, inputs)


def _new_record(plan: RunPlan, request: RunRequest) -> RunRecord:
    inputs = RunInputs(
        paths=tuple(path if path == STDIN else str(Path(path).absolute()) for path in request.paths),
        mapping=request.mapping,
        limit=request.limit,
        sample=request.sample,
        seed=request.seed,
        base_dir=str(Path.cwd()),
    )
    now = datetime.now(UTC)
    return RunRecord(
        id=new_run_id(now, SystemRandom()),
        label=request.label,
        created_at=now,
        version=__version__,
        inputs=inputs,
        input_sha256="",
        rows=0,
        zones=plan.zones,
        provider=plan.provider.name,
        model=plan.provider.model,
        view=plan.settings.view,
        settings=_recorded(plan.settings),
    )


def _recorded(settings: Settings) -> dict[str, JsonValue]:
    dumped: dict[str, JsonValue] = settings.model_dump(mode="json", exclude=NOT_RECORDED)
    return dumped


def open_again(folder: RunFolder, choices: ResumeChoices, stack: ExitStack) -> OpenedRun:
    """Lock a run and open it as it was begun.

    Raises RunLocked, and InputChanged with both hashes. With `allow_changed_input` outcomes and reviews are
    matched to the new rows, and their files are written anew (the old ones are kept beside them).
    """
    stack.enter_context(folder.lock())
    record = folder.read()
    settings = load(choices.settings, recorded=record.settings).settings
    provider = Provider(
        "openai" if record.provider == "openai" else "local", record.model, "as the run began"
    )
    plan = make_plan(settings, provider, record.zones)
    if not choices.allow_changed_input and _is_finished(folder, record, choices):
        return OpenedRun(Job(folder, choices.home, plan, record.rows), record, None)
    inputs = open_run_input(folder, record)
    found = inputs.survey().sha256
    if found != record.input_sha256:
        if not choices.allow_changed_input:
            raise InputChanged(
                f"the input of run {folder.id} has changed: it began with sha256 {record.input_sha256}, "
                f"now it is {found}; put the old input back, or pass --allow-changed-input to match rows "
                "by id and image"
            )
        from redzone.runs.rematch import rematch

        inputs, record = _survey(folder, record)
        rematch(folder, inputs.rows)
        folder.write(record)
    return OpenedRun(Job(folder, choices.home, plan, record.rows), record, inputs, choices.retry_errors)


def _is_finished(folder: RunFolder, record: RunRecord, choices: ResumeChoices) -> bool:
    """Whether nothing is left to do. The checkpoint decides, so that a lost line is judged again."""
    if record.state is not RecordedState.FINISHED:
        return False
    index = CheckpointIndex.read(folder.checkpoint_path)
    complete = index.answered >= record.rows and not index.torn_bytes and not index.bad_lines
    return complete and not (choices.retry_errors and index.counts[Status.ERROR])


def _survey(folder: RunFolder, record: RunRecord) -> tuple[Inputs, RunRecord]:
    """The input of a run, and its record with what one pass over the input found."""
    inputs = open_run_input(folder, record)
    survey = inputs.survey()
    found = {"input_sha256": survey.sha256, "rows": survey.rows, "columns": survey.columns}
    return inputs, record.model_copy(update=found)


def survey_request(settings: Settings, request: RunRequest, scratch: Path) -> Inputs:
    """The input of a request, read once. Standard input is kept in `scratch`. Raises InputUnusable."""
    stdin = spool_stdin(scratch) if STDIN in request.paths else None
    inputs = open_inputs(
        InputSpec(
            request.paths,
            request.mapping,
            request.limit,
            request.sample,
            request.seed,
            stdin,
            settings.image_base,
            settings.input_encoding,
        )
    )
    inputs.survey()
    return inputs


def pending_rows(inputs: Inputs, index: CheckpointIndex, *, retry_errors: bool) -> Iterator[Row]:
    """The rows without an outcome, and those whose error is to be tried again."""
    for row in inputs.rows():
        status = index.status(row.row)
        if status is None or (retry_errors and status is Status.ERROR):
            yield row


def describe_repairs(journal: Journal) -> tuple[str, ...]:
    """What opening the checkpoint had to repair, a sentence each."""
    repairs = journal.repairs
    lines = []
    if repairs.cut_bytes:
        lines.append(f"checkpoint: an incomplete last line ({repairs.cut_bytes} bytes) was cut off")
    if repairs.moved_lines:
        numbers = ", ".join(str(line.number) for line in repairs.moved_lines[:5])
        count = len(repairs.moved_lines)
        lines.append(f"checkpoint: {count} damaged lines ({numbers}, ...) were moved to checkpoint.bad")
    doubtful = journal.index.in_doubt
    if doubtful:
        rows = ", ".join(str(row) for row in doubtful[:10]) + (", ..." if len(doubtful) > 10 else "")
        lines.append(f"{len(doubtful)} requests were in flight when the run ended (rows {rows}); asked again")
    return tuple(lines)


def counts_in(snapshot: Snapshot) -> dict[Status, int]:
    """The number of posters by status."""
    return {
        Status.PASS: snapshot.passed,
        Status.FAIL: snapshot.failed,
        Status.UNSURE: snapshot.unsure,
        Status.ERROR: snapshot.errors,
    }


def ended_record(
    record: RunRecord, stopped: RunStopped | None, counts: Mapping[Status, int], elapsed_s: float
) -> RunRecord:
    """What run.json says at the end of a part of the run that took `elapsed_s` seconds."""
    state = RecordedState.FINISHED
    if stopped is not None:
        interrupted = isinstance(stopped, Interrupted)
        state = RecordedState.INTERRUPTED if interrupted else RecordedState.STOPPED
    return record.model_copy(
        update={
            "state": state,
            "reason": str(stopped or ""),
            "finished_at": datetime.now(UTC),
            "counts": {str(status): count for status, count in counts.items()},
            "seconds": record.seconds + elapsed_s,
        }
    )
