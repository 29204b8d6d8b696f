"""Lists that came in through the browser: private files in the home, where a resume finds them again."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from random import SystemRandom
from typing import BinaryIO

from redzone.errors import UsageError
from redzone.runs import make_home, new_run_id
from redzone.runs.files import make_private_folder, open_private
from redzone.runs.record import RUN_ID

MAX_BYTES = 256 * 2**20
KEPT_UNUSED_S = 24 * 3600.0
_PIECE_BYTES = 2**20
_LONGEST_NAME = 80
# what any file system takes and no shell or terminal reads anything into
_ODD = re.compile(r"[^A-Za-z0-9._-]+")
_REFERENCE = re.compile(rf"({RUN_ID.pattern})/([A-Za-z0-9_][A-Za-z0-9._-]{{0,{_LONGEST_NAME - 1}}})")


@dataclass(frozen=True, slots=True)
class Uploads:
    """The folder `uploads/` of a home: one folder for each upload, with one file in it. Blocking."""

    home: Path

    @property
    def folder(self) -> Path:
        """Where they lie."""
        return self.home / "uploads"

    def keep(self, name: str, content: BinaryIO) -> str:
        """Copy a list, 0600, under a harmless form of its name; the reference that `path` understands.

        Raises UsageError for a list that is empty or larger than MAX_BYTES, and for a full disk.
        """
        made = new_run_id(datetime.now(UTC), SystemRandom())
        reference = f"{made}/{harmless(name)}"
        path = self.folder / reference
        try:
            make_home(self.home)
            with suppress(FileExistsError):
                make_private_folder(self.folder)
            make_private_folder(path.parent)
            with os.fdopen(open_private(path, os.O_WRONLY | os.O_EXCL), "wb") as file:
                size = _copy(content, file)
        except OSError as error:
            self._drop(path.parent)
            raise UsageError(f"the list cannot be kept in {self.folder}: {error.strerror}") from error
        if 0 < size <= MAX_BYTES:
            return reference
        self._drop(path.parent)
        if size == 0:
            raise UsageError(f"{harmless(name)} is empty")
        raise UsageError(too_large())

    def path(self, reference: str) -> Path:
        """The file that an upload became. Raises UsageError for what is none."""
        path = self.folder / reference
        if _REFERENCE.fullmatch(reference) and path.is_file() and not path.is_symlink():
            return path
        raise UsageError("the list that was uploaded is no longer there; upload it again")

    def forget_unused(self, used: Iterable[str]) -> None:
        """Delete lists older than a day that no run was begun with; `used` are the runs' input paths."""
        keep = {Path(path).parent for path in used}
        with suppress(OSError):
            for entry in os.scandir(self.folder):
                folder = Path(entry.path)
                old = entry.stat(follow_symlinks=False).st_mtime < time.time() - KEPT_UNUSED_S
                if old and RUN_ID.fullmatch(entry.name) and folder not in keep:
                    self._drop(folder)

    def _drop(self, folder: Path) -> None:
        if not folder.is_symlink():
            shutil.rmtree(folder, ignore_errors=True)


def upload_reference(path: str) -> str:
    """The reference of an upload from its path; empty for any other path."""
    folders, _, reference = path.rpartition("/uploads/")
    return reference if folders and _REFERENCE.fullmatch(reference) else ""


def too_large() -> str:
    """What is said of a list beyond MAX_BYTES."""
    return f"the list is larger than {MAX_BYTES // 2**20} MB; name its path on this machine instead"


def harmless(name: str) -> str:
    """The last part of a file name in letters, digits, dots, dashes and underscores, its suffixes kept."""
    last = PurePosixPath(name.replace("\\", "/")).name
    plain = _ODD.sub("_", last).lstrip(".-")
    if len(plain) > _LONGEST_NAME:
        ending = plain[-16:]
        plain = plain[: _LONGEST_NAME - len(ending)] + ending
    return plain.lstrip(".-") or "list"


def _copy(content: BinaryIO, file: BinaryIO) -> int:
    """Copy until the end, or until it is too much; the bytes copied."""
    size = 0
    while size <= MAX_BYTES and (piece := content.read(_PIECE_BYTES)):
        size += file.write(piece)
    return size
