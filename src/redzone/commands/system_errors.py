"""Errors of the operating system as one line with the next step, for `main`."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from typing import TextIO

from redzone.errors import ExitCode

_DISK = "free some space or choose another --home, then run `redzone resume`"
_FILES = "raise the limit (ulimit -n 4096) or use fewer --workers"
_NEXT_STEPS: dict[int, tuple[str, ExitCode]] = {
    errno.ENOSPC: (_DISK, ExitCode.UNEXPECTED),
    errno.EDQUOT: (_DISK, ExitCode.UNEXPECTED),
    errno.EFBIG: ("raise the limit on file sizes (ulimit -f)", ExitCode.UNEXPECTED),
    errno.EROFS: ("choose a writable --home", ExitCode.USAGE),
    errno.EACCES: ("check the permissions", ExitCode.USAGE),
    errno.EMFILE: (_FILES, ExitCode.USAGE),
    errno.ENFILE: (_FILES, ExitCode.USAGE),
    errno.EBADF: ("redirect stdout to a file", ExitCode.UNEXPECTED),
    errno.ENOMEM: ("close other programs or use fewer --workers", ExitCode.UNEXPECTED),
}


def find_os_error(error: BaseException) -> OSError | None:
    """The OSError that `error` is, holds as a group, or was caused by; None if there is none."""
    for each in _related(error):
        if isinstance(each, OSError):
            return each
        # a compiled module that cannot be opened says so in words only
        if isinstance(each, ImportError) and os.strerror(errno.EMFILE) in str(each):
            return OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    return None


def _related(error: BaseException) -> Iterator[BaseException]:
    yield error
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _related(each)
    if error.__cause__ is not None:
        yield from _related(error.__cause__)


def describe_os_error(error: OSError) -> tuple[str, ExitCode]:
    """What failed and what to do next, in one line; and the exit code."""
    subject = f"{error.filename}: " if isinstance(error.filename, str) else ""
    reason = error.strerror or str(error) or type(error).__name__
    step, code = _NEXT_STEPS.get(error.errno or 0, ("", ExitCode.UNEXPECTED))
    return f"{subject}{reason}{f'; {step}' if step else ''}", code


def abandon(stream: TextIO | None) -> None:
    """Sends what a broken stream still holds, and all that follows, to nowhere.

    Else the interpreter would try to flush it at exit, print a message and change the exit code.
    """
    try:
        if stream is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError):  # no file behind it, or no descriptor left
        sys.unraisablehook = lambda _: None
