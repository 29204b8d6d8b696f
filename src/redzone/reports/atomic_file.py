"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redzone.errors import UsageError


@contextmanager
def replacing(path: Path, *, streamed: bool) -> Iterator[Path]:
    """A path to write to; its content takes the file's place when the block ends well.

    What is no file, a device or a pipe such as /dev/stdout, is written itself, which only a `streamed` format
    can do. Raises UsageError where the file cannot be written.
    """
    target = path.resolve()  # a link stays a link
    try:
        if target.exists() and not target.is_file():
            if not streamed and not target.is_dir():
                raise UsageError(f"{path} is no file, which {path.suffix} needs; name another one")
            # cannot be replaced and must not be
            yield target
            return
        draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
        try:
            yield draft
            _sync(draft, os.O_RDWR)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        _sync(target.parent, os.O_RDONLY)  # makes the new name itself survive a power cut
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}; name another file") from error


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
