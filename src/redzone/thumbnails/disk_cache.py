"""Small pictures on disk, by the hash of the content that they were made of, within a size cap."""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from redzone.runs.files import make_private_folder, replace_file

log = logging.getLogger(__name__)

NAME = "thumbnails"
KEEP_FRAC = 0.9  # after an eviction, so that not every new picture evicts one
TOUCH_AFTER_S = 3600.0  # a picture's last use is known to the hour: a read is seldom a write
SHA256 = re.compile(r"[0-9a-f]{64}")
_KEY = re.compile(r"[a-z0-9-]{1,60}")
_JPEG_START, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"


class DiskCache:
    """`<home>/thumbnails/`: files 0600 in folders 0700, safe to delete at any time, shared by processes.

    A failing disk makes it empty, never an error: every picture can be made again. Its calls block; they may
    come from several threads.
    """

    def __init__(self, home: Path, max_bytes: int) -> None:
        self.folder = home / NAME
        self._max_bytes = max_bytes
        self._bytes: int | None = None  # not yet counted
        self._lock = threading.Lock()
        self._warned = False

    def get(self, sha256: str, key: str) -> bytes | None:
        """The picture, or None where it is not kept or not whole."""
        path = self._path(sha256, key)
        try:
            data = path.read_bytes()
            if time.time() - path.stat().st_mtime > TOUCH_AFTER_S:
                os.utime(path)
        except OSError:
            return None
        # nothing is synced to disk here, so a power cut can leave a file of nothing
        return data if data.startswith(_JPEG_START) and data.endswith(_JPEG_END) else None

    def put(self, sha256: str, key: str, data: bytes) -> None:
        """Keep a picture if the disk lets us, and let the longest unused ones go where they are too many."""
        path = self._path(sha256, key)
        try:
            for folder in (self.folder, path.parent):
                with suppress(FileExistsError):
                    make_private_folder(folder)
            replace_file(path, data, durable=False)
            self._account(len(data))
        except OSError as error:
            if not self._warned:
                self._warned = True
                log.warning("%s: thumbnails cannot be kept: %s", self.folder, error.strerror)

    def _path(self, sha256: str, key: str) -> Path:
        if not SHA256.fullmatch(sha256) or not _KEY.fullmatch(key):
            raise ValueError(f"{sha256}-{key} is no name of a thumbnail")
        return self.folder / sha256[:2] / f"{sha256}-{key}.jpg"

    def _account(self, new_bytes: int) -> None:
        with self._lock:
            if self._bytes is None:
                self._bytes = sum(size for _, size, _ in self._files())
            else:
                self._bytes += new_bytes
            if self._bytes > self._max_bytes:
                self._bytes = self._evict()

    def _evict(self) -> int:
        """Remove the longest unused files; the bytes that are left."""
        files = sorted(self._files())
        left = sum(size for _, size, _ in files)
        for _, size, path in files:
            if left <= self._max_bytes * KEEP_FRAC:
                break
            with suppress(OSError):
                Path(path).unlink(missing_ok=True)
                left -= size
        return left

    def _files(self) -> Iterator[tuple[float, int, str]]:
        """Last use, bytes and path of each file, drafts of killed processes too."""
        for folder in self.folder.iterdir():
            with suppress(OSError), os.scandir(folder) as entries:
                for entry in entries:
                    found = entry.stat(follow_symlinks=False)
                    yield found.st_mtime, found.st_size, entry.path
