"""Output files that are complete or not written at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redzone.errors import UsageError
from redzone.runs import files


@contextmanager
def replacing(path: Path, *, streamed: bool) -> Iterator[Path]:
    """A path to write to; the file there replaces the output when the block ends without an error.

    A device or a pipe, such as /dev/stdout, is written directly, which only a `streamed` format can do.
    Raises UsageError if the output cannot be written.
    """
    target = path.resolve()  # a link stays a link
    try:
        if target.exists() and not target.is_file():
            if not streamed and not target.is_dir():
                raise UsageError(f"{path} is not a file, which {path.suffix} needs; name another one")
            # must not be replaced
            yield target
            return
        with files.replacing(target) as draft:
            yield draft
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}; name another file") from error
