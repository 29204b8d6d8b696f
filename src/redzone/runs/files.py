"""Files of a home: private, crash-safe, and never a link, a pipe or a device in disguise."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

FILE_MODE = 0o600
FOLDER_MODE = 0o700
# without O_NONBLOCK, opening a pipe waits for its other end for ever
_SAFELY = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK

# macOS has no fdatasync
sync_data = getattr(os, "fdatasync", os.fsync)


def open_private(path: Path, flags: int) -> int:
    """Open a regular file and return its descriptor; create it where it is missing, mode 0600 whatever the
    umask. Raises OSError, also for a symbolic link and for what is not a regular file."""
    descriptor = _open(path, flags | os.O_CREAT)
    try:
        os.fchmod(descriptor, FILE_MODE)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def open_regular(path: Path, buffer_bytes: int = 1 << 16) -> BinaryIO:
    """Open a regular file for reading. Raises OSError as `open_private` does, FileNotFoundError if it is
    missing."""
    return os.fdopen(_open(path, os.O_RDONLY), "rb", buffering=buffer_bytes)


def read_regular(path: Path) -> bytes:
    """The content of a regular file. Raises OSError as `open_regular` does."""
    with open_regular(path) as file:
        return file.read()


def _open(path: Path, flags: int) -> int:
    try:
        # truncated only once it is known to be a regular file
        descriptor = os.open(path, flags & ~os.O_TRUNC | _SAFELY, FILE_MODE)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK) and path.is_symlink():
            raise OSError(error.errno, "it is a symbolic link, which is not followed", str(path)) from error
        if error.errno == errno.ENXIO:
            raise _not_regular(path) from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _not_regular(path)
        if flags & os.O_TRUNC:
            os.ftruncate(descriptor, 0)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _not_regular(path: Path) -> OSError:
    return OSError(errno.EINVAL, "it is not a regular file", str(path))


def make_private_folder(path: Path) -> None:
    """Create one folder, 0700 whatever the umask. Raises OSError, FileExistsError if it exists."""
    path.mkdir(mode=FOLDER_MODE)
    path.chmod(FOLDER_MODE)


def sync_folder(path: Path) -> None:
    """Make the folder's names durable: a new or renamed file in it survives a power cut. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """The name of a draft beside `path`, which replaces `path` when the block ends without an error.

    Nobody ever sees a part of the new content, and the draft is removed when the block fails. With `durable`
    the new content survives a power cut. Raises OSError.
    """
    draft = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.tmp")
    try:
        yield draft
        if durable:
            _sync(draft)
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replace a file by one with this content, mode 0600; on failure the old one stays. Raises OSError."""
    with (
        replacing(path, durable=durable) as draft,
        os.fdopen(open_private(draft, os.O_WRONLY | os.O_EXCL), "wb") as file,
    ):
        file.write(data)
