"""Opens the input of an existing run again."""

from __future__ import annotations

from redzone.errors import UsageError
from redzone.inputs import Inputs, InputSpec, SpooledStdin, open_inputs
from redzone.runs import RunFolder
from redzone.runs.record import RunRecord


def open_run_input(folder: RunFolder, record: RunRecord, paths: tuple[str, ...] | None = None) -> Inputs:
    """Open the run's input again, or the same selection of other `paths`. Raises InputUnusable."""
    recorded = record.inputs
    stdin = SpooledStdin(str(folder.path / "stdin"), recorded.base_dir)
    return open_inputs(
        InputSpec(
            paths or recorded.paths,
            recorded.mapping,
            recorded.limit,
            recorded.sample,
            recorded.seed or 0,
            stdin,
            _text(record, "image_base"),
            _text(record, "input_encoding"),
        )
    )


def unchanged_run_input(folder: RunFolder, record: RunRecord) -> Inputs | None:
    """The run's input, or None if it is gone or has changed since the run began."""
    try:
        inputs = open_run_input(folder, record)
        return inputs if inputs.digest() == record.input_sha256 else None
    except (UsageError, OSError):
        return None


def _text(record: RunRecord, setting: str) -> str | None:
    value = record.settings.get(setting)
    return value if isinstance(value, str) else None
