"""One entry to all formats: pick by extension, write whole files or none."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TextIO

from redzone.errors import UsageError
from redzone.findings import Finding
from redzone.reports.csv_file import write_csv
from redzone.reports.json_file import write_json, write_jsonl
from redzone.reports.parquet_file import write_parquet
from redzone.reports.table import Layout
from redzone.reports.whole_file import replacing

Writer = Callable[[TextIO, Iterable[Finding], Layout], int]


class Format(StrEnum):
    """What results can be written as."""

    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    PARQUET = "parquet"


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
    ".parquet": Format.PARQUET,
}
# the package that a format needs, and the extra of ours that brings it
_EXTRAS: Mapping[Format, tuple[str, str]] = {Format.PARQUET: ("duckdb", "parquet")}


def format_for(path: Path) -> Format:
    """The format that a file's extension stands for. Raises UsageError that names the known ones, or the
    package that is missing for this one."""
    found = _EXTENSIONS.get(path.suffix.lower())
    if found is None:
        known = ", ".join(_EXTENSIONS)
        raise UsageError(
            f"{path}: results cannot be written as {path.suffix or 'a file without extension'}; use {known}"
        )
    package, extra = _EXTRAS.get(found, ("", ""))
    if package and importlib.util.find_spec(package) is None:
        raise UsageError(f"{path} needs {package}, which is not installed: pip install 'redzone[{extra}]'")
    return found


def write_results(target: Path | TextIO, form: Format, findings: Iterable[Finding], layout: Layout) -> int:
    """Write a row for each finding in the order given, in constant memory; the number of rows written.

    A file appears whole or not at all: an older one stays until the new one is on disk. A stream (stdout) is
    written as it goes and should encode as UTF-8. Raises UsageError where the file cannot be written.
    """
    if not isinstance(target, Path):
        return _WRITERS[form](target, findings, layout)
    if form is Format.PARQUET:
        with replacing(target, streamed=False) as path:
            return write_parquet(path, findings, layout)
    with (
        replacing(target, streamed=True) as path,
        path.open("w", encoding="utf-8", newline="") as stream,
    ):
        return _WRITERS[form](stream, findings, layout)
