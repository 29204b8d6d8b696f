"""An on-disk cache of thumbnails, keyed by the hash of the source image, with a size limit."""

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
KEEP_FRAC = 0.9  # the share left after an eviction, so that not every write evicts
TOUCH_AFTER_S = 3600.0  # last use is recorded to the hour, so most reads write nothing
SHA256 = re.compile(r"[0-9a-f]{64}")
_KEY = re.compile(r"[a-z0-9-]{1,60}")
_JPEG_START, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"


class DiskCache:
    """`<home>/thumbnails/`: files 0600 in folders 0700, safe to delete at any time, shared by processes.

    A disk error is a cache miss, never an exception: every thumbnail can be made again. Blocking and
    thread-safe.
    """

    def __init__(self, home: Path, max_bytes: int) -> None:
        self.folder = home / NAME
        self._max_bytes = max_bytes
        self._bytes: int | None = None  # not yet counted
        self._lock = threading.Lock()
        self._warned = False

    def get(self, sha256: str, key: str) -> bytes | None:
        """The thumbnail, or None if it is missing or incomplete."""
        path = self._path(sha256, key)
        try:
            data = path.read_bytes()
            if time.time() - path.stat().st_mtime > TOUCH_AFTER_S:
                os.utime(path)
        except OSError:
            return None
        # files are not synced, so a power cut can leave an empty or partial one
        return data if data.startswith(_JPEG_START) and data.endswith(_JPEG_END) else None

    def put(self, sha256: str, key: str, data: bytes) -> None:
        """Store a thumbnail, then evict the least recently used ones if the cache is over its limit."""
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
                log.warning("%s: thumbnails cannot be stored: %s", self.folder, error.strerror)

    def _path(self, sha256: str, key: str) -> Path:
        if not SHA256.fullmatch(sha256) or not _KEY.fullmatch(key):
            raise ValueError(f"{sha256}-{key} is not a valid thumbnail key")
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
        """Remove the least recently used files; returns the bytes that are left."""
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
        """Last use, size and path of each file, including temporary files of killed processes."""
        for folder in self.folder.iterdir():
            with suppress(OSError), os.scandir(folder) as entries:
                for entry in entries:
                    found = entry.stat(follow_symlinks=False)
                    yield found.st_mtime, found.st_size, entry.path
