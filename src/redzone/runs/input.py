"""A run's input, opened anew."""

from __future__ import annotations

from redzone.errors import UsageError
from redzone.inputs import Inputs, InputSpec, SpooledStdin, open_inputs
from redzone.runs import RunFolder
from redzone.runs.record import RunRecord


def open_run_input(folder: RunFolder, record: RunRecord, paths: tuple[str, ...] | None = None) -> Inputs:
    """The run's input, opened anew, or the same rows of another place. Raises InputUnusable."""
    asked = record.inputs
    stdin = SpooledStdin(str(folder.path / "stdin"), asked.base_dir)
    return open_inputs(
        InputSpec(paths or asked.paths, asked.mapping, asked.limit, asked.sample, asked.seed or 0, stdin)
    )


def unchanged_run_input(folder: RunFolder, record: RunRecord) -> Inputs | None:
    """The run's input, or None where it is gone or differs from what the run began with."""
    try:
        inputs = open_run_input(folder, record)
        return inputs if inputs.digest() == record.input_sha256 else None
    except (UsageError, OSError):
        return None
