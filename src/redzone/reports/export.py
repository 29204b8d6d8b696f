"""One entry to all formats: pick by extension, write whole files or none."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TextIO

from redzone.errors import UsageError
from redzone.findings import Finding
from redzone.reports.csv_file import write_csv
from redzone.reports.json_file import write_json, write_jsonl
from redzone.reports.table import Layout

Writer = Callable[[TextIO, Iterable[Finding], Layout], int]


class Format(StrEnum):
    """What results can be written as."""

    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"


_WRITERS: Mapping[Format, Writer] = {
    Format.CSV: write_csv,
    Format.JSON: write_json,
    Format.JSONL: write_jsonl,
}
_EXTENSIONS: Mapping[str, Format] = {
    ".csv": Format.CSV,
    ".json": Format.JSON,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
}


def format_for(path: Path) -> Format:
    """The format that a file's extension stands for. Raises UsageError that names the known ones."""
    found = _EXTENSIONS.get(path.suffix.lower())
    if found is None:
        known = ", ".join(_EXTENSIONS)
        raise UsageError(
            f"{path}: results cannot be written as {path.suffix or 'a file without extension'}; use {known}"
        )
    return found


def write_results(target: Path | TextIO, form: Format, findings: Iterable[Finding], layout: Layout) -> int:
    """Write a row for each finding in the order given, in constant memory; the number of rows written.

    A file appears whole or not at all: an older one stays until the new one is on disk. A stream (stdout) is
    written as it goes and should encode as UTF-8. Raises UsageError where the file cannot be written.
    """
    if isinstance(target, Path):
        with _replacing(target) as stream:
            return _WRITERS[form](stream, findings, layout)
    return _WRITERS[form](target, findings, layout)


@contextmanager
def _replacing(path: Path) -> Iterator[TextIO]:
    """A text stream whose content takes the file's place when the block ends well."""
    target = path.resolve()  # a link stays a link
    try:
        if target.exists() and not target.is_file():
            # a device or pipe (/dev/stdout) cannot be replaced and must not be
            with target.open("w", encoding="utf-8", newline="") as stream:
                yield stream
            return
        draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
        try:
            with draft.open("x", encoding="utf-8", newline="") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        _fsync_folder(target.parent)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}; name another file") from error


def _fsync_folder(folder: Path) -> None:
    """Make the new name itself survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
