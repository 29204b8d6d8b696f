"""Standard input can be read once, a run is read several times: its bytes are kept in a file."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from redzone.errors import InputUnusable


@dataclass(frozen=True, slots=True)
class SpooledStdin:
    """Where the bytes of `-` are now, and the folder that its relative image paths are relative to."""

    path: str
    base_dir: str


def spool_stdin(target_dir: Path, stream: BinaryIO | None = None) -> SpooledStdin:
    """Copy standard input to `target_dir/stdin`, mode 0600, in constant memory.

    Raises InputUnusable where standard input is a terminal or cannot be copied.
    """
    stream = stream or sys.stdin.buffer
    if stream.isatty():
        raise InputUnusable("stdin is a terminal; pipe the input in (`... < posters.csv`) or name a file")
    path = target_dir.absolute() / "stdin"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as copy:  # noqa: PTH123 - a descriptor, to set the mode at creation
            shutil.copyfileobj(stream, copy, 1 << 20)
    except OSError as error:
        raise InputUnusable(f"stdin cannot be copied to {path}: {error.strerror}") from error
    return SpooledStdin(path=str(path), base_dir=str(Path.cwd()))
