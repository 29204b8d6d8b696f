"""Files that only their owner reads and that survive a crash."""

from __future__ import annotations

import os
from pathlib import Path

FILE_MODE = 0o600
FOLDER_MODE = 0o700

# macOS has no fdatasync
sync_data = getattr(os, "fdatasync", os.fsync)


def open_private(path: Path, flags: int) -> int:
    """Open a file 0600 whatever the umask, closed on exec, and return its descriptor. Raises OSError."""
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    try:
        os.fchmod(descriptor, FILE_MODE)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def make_private_folder(path: Path) -> None:
    """Create one folder, 0700 whatever the umask. Raises OSError, FileExistsError if it is there."""
    path.mkdir(mode=FOLDER_MODE)
    path.chmod(FOLDER_MODE)


def sync_folder(path: Path) -> None:
    """Make the folder's names durable: a new or renamed file in it outlives a power cut. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, data: bytes) -> None:
    """Write the whole file, 0600 and durable on return, or leave the old one. Raises OSError.
    One writer at a time."""
    draft = path.with_name(f"{path.name}.new")
    with os.fdopen(open_private(draft, os.O_WRONLY | os.O_TRUNC), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)
