"""Stores uploaded lists as private files in the home, where `resume` finds them again."""

from __future__ import annotations

import os
import re
import shutil
import time
import zlib
from collections.abc import Iterable, Iterator
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
MAX_UNPACKED_BYTES = 2**30
MAX_LINES = 5_000_000
KEPT_UNUSED_S = 24 * 3600.0
_PIECE_BYTES = 2**20
_GZIP_MAGIC = b"\x1f\x8b"
_LONGEST_NAME = 80
# safe on every file system, in a shell and in a terminal
_ODD = re.compile(r"[^A-Za-z0-9._-]+")
_REFERENCE = re.compile(rf"({RUN_ID.pattern})/([A-Za-z0-9_][A-Za-z0-9._-]{{0,{_LONGEST_NAME - 1}}})")


@dataclass(frozen=True, slots=True)
class Uploads:
    """The folder `uploads/` of a home: a folder for each upload, with one file in it. Blocking."""

    home: Path

    @property
    def folder(self) -> Path:
        """The folder of all uploads."""
        return self.home / "uploads"

    def keep(self, name: str, content: BinaryIO) -> str:
        """Copies a list, 0600, under a safe form of its name; returns the reference that `path` takes.

        Raises UsageError for a list that is empty or beyond one of the limits, and for a full disk.
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
                _copy(content, file, harmless(name))
        except OSError as error:
            self._drop(path.parent)
            raise UsageError(f"the list cannot be saved in {self.folder}: {error.strerror}") from error
        except BaseException:
            self._drop(path.parent)
            raise
        return reference

    def path(self, reference: str) -> Path:
        """The file of an upload. Raises UsageError where there is none."""
        path = self.folder / reference
        if _REFERENCE.fullmatch(reference) and path.is_file() and not path.is_symlink():
            return path
        raise UsageError("the uploaded list no longer exists; upload it again")

    def forget_unused(self, used: Iterable[str]) -> None:
        """Deletes uploads older than a day that no run has read; `used` are the input paths of all runs."""
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
    """The error message for a list beyond MAX_BYTES."""
    return f"the list is larger than {MAX_BYTES // 2**20} MB; enter its path on this machine instead"


def harmless(name: str) -> str:
    """The last part of a file name in letters, digits, dots, dashes and underscores, its suffixes kept."""
    last = PurePosixPath(name.replace("\\", "/")).name
    plain = _ODD.sub("_", last).lstrip(".-")
    if len(plain) > _LONGEST_NAME:
        ending = plain[-16:]
        plain = plain[: _LONGEST_NAME - len(ending)] + ending
    return plain.lstrip(".-") or "list"


def _copy(content: BinaryIO, file: BinaryIO, name: str) -> None:
    """Copies the list and counts it unpacked. Raises UsageError beyond a limit, or if it is empty."""
    size, unpacked, lines = 0, 0, 0
    gunzip: _Gunzip | None = None
    while piece := content.read(_PIECE_BYTES):
        if size == 0 and piece.startswith(_GZIP_MAGIC):
            gunzip = _Gunzip(name)
        size += file.write(piece)
        if size > MAX_BYTES:
            raise UsageError(too_large())
        for part in gunzip.feed(piece) if gunzip else (piece,):
            unpacked += len(part)
            lines += part.count(b"\n")
            if unpacked > MAX_UNPACKED_BYTES:
                raise UsageError(
                    f"{name} unpacks to more than {MAX_UNPACKED_BYTES // 2**20} MB; "
                    "enter its path on this machine instead"
                )
            if lines > MAX_LINES:
                raise UsageError(f"{name} has more than {MAX_LINES:,} lines; split it into several lists")
    if size == 0:
        raise UsageError(f"{name} is empty")


class _Gunzip:
    """Unpacks a gzip file piece by piece, at most _PIECE_BYTES at a time, over all of its members."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._unpacker = _unpacker()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The unpacked data. Raises UsageError for a damaged file."""
        try:
            while data:
                yield self._unpacker.decompress(data, _PIECE_BYTES)
                data = self._unpacker.unconsumed_tail
                if self._unpacker.eof:
                    data = self._unpacker.unused_data.lstrip(b"\0")  # another member, or padding
                    self._unpacker = _unpacker()
        except zlib.error as error:
            raise UsageError(f"{self._name} is a damaged gzip file: {error}; pack it again") from error


def _unpacker() -> zlib._Decompress:
    return zlib.decompressobj(16 + zlib.MAX_WBITS)
