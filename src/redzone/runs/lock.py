"""Which process works on a run, as the lock itself shows, and how to interrupt exactly that process.

A process id in a file may be stale and belong to another process by now. The lock cannot be stale: the kernel
drops it when its process ends.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from redzone.errors import UsageError
from redzone.runs.folder import RunFolder


def lock_owner_pid(folder: RunFolder) -> int | None:
    """The id of the process that holds the run's lock now; None if nobody holds it."""
    pid = folder.worker_pid()
    return pid if pid is not None and folder.is_locked() and folder.worker_pid() == pid else None


def interrupt(folder: RunFolder) -> int:
    """Send SIGINT to the process that works on the run, as Ctrl-C would, and return its id.

    Raises UsageError if no process works on it, or if the process is another user's.
    """
    pid = folder.worker_pid()
    try:
        if pid is not None:
            with _signal_sender(pid) as send_sigint:
                if lock_owner_pid(folder) == pid:
                    send_sigint()
                    return pid
    except ProcessLookupError:
        pass
    except PermissionError as error:
        raise UsageError(f"run {folder.id}: process {pid} is another user's, who can stop it") from error
    raise UsageError(f"run {folder.id}: no process is working on it; it may have ended a moment ago")


@contextmanager
def _signal_sender(pid: int) -> Iterator[Callable[[], None]]:
    """A function that sends SIGINT to the process with this id, never to a later process with the same id.
    Raises ProcessLookupError."""
    if not hasattr(os, "pidfd_open"):
        # macOS has no process handles, so a short race remains between reading the lock and the signal
        yield lambda: os.kill(pid, signal.SIGINT)
        return
    handle = os.pidfd_open(pid)
    try:
        yield lambda: signal.pidfd_send_signal(handle, signal.SIGINT)
    finally:
        os.close(handle)
