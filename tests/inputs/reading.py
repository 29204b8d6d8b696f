"""Files in, rows out: what the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

from redzone.inputs import Inputs, InputSpec, open_inputs
from redzone.models import BadRow, Poster, Row


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def opened(*paths: Path, **mapping: str) -> Inputs:
    return open_inputs(InputSpec(paths=tuple(map(str, paths)), mapping=mapping))


def read(*paths: Path, **mapping: str) -> list[Row]:
    return list(opened(*paths, **mapping).rows())


def posters(rows: list[Row]) -> list[Poster]:
    good = [row for row in rows if isinstance(row, Poster)]
    assert good == rows
    return good


def reasons(rows: list[Row]) -> list[str]:
    return [row.reason for row in rows if isinstance(row, BadRow)]
