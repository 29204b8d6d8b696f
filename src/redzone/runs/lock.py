"""The process at work on a run, as the lock itself knows it, and a signal to that process and no other.

A process id in a file may be an old one that belongs to somebody else by now. The lock cannot be: the kernel
drops it with the process that holds it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from redzone.errors import UsageError
from redzone.runs.store import RunFolder

_HELD = (errno.EACCES, errno.EAGAIN)


def lock_owner_pid(folder: RunFolder) -> int | None:
    """The process that holds the run's lock at this moment; None where nobody does."""
    pid = folder.worker_pid()
    return pid if pid is not None and _is_held(folder) and folder.worker_pid() == pid else None


def interrupt(folder: RunFolder) -> int:
    """Send SIGINT to the process at work on the run, as Ctrl-C would; its id.

    Raises UsageError where no process is, or where it is another user's.
    """
    pid = folder.worker_pid()
    try:
        if pid is not None:
            with _reach(pid) as send_sigint:
                if lock_owner_pid(folder) == pid:
                    send_sigint()
                    return pid
    except ProcessLookupError:
        pass
    except PermissionError as error:
        raise UsageError(f"run {folder.id}: process {pid} is another user's, who can stop it") from error
    raise UsageError(f"run {folder.id}: no process is working on it; it may have ended a moment ago")


@contextmanager
def _reach(pid: int) -> Iterator[Callable[[], None]]:
    """How to signal the process that has this id now, and never a later one. Raises ProcessLookupError."""
    if not hasattr(os, "pidfd_open"):
        # macOS has no such handle: the moment between the look at the lock and the signal stays
        yield lambda: os.kill(pid, signal.SIGINT)
        return
    handle = os.pidfd_open(pid)
    try:
        yield lambda: signal.pidfd_send_signal(handle, signal.SIGINT)
    finally:
        os.close(handle)


def _is_held(folder: RunFolder) -> bool:
    """Whether another process has the lock. It is asked for a share of it, which is given back at once."""
    try:
        descriptor = os.open(folder.lock_path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in _HELD
    finally:
        os.close(descriptor)
    return False
