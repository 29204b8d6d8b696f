"""Who works on a run, by the lock; and that nobody else is ever signalled. Real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from redzone.errors import UsageError
from redzone.runs import RunFolder
from redzone.runs.lock import interrupt, lock_owner_pid

HOLD = """
import sys, time
from pathlib import Path
from redzone.runs import RunFolder
with RunFolder(Path(sys.argv[1])).lock():
    print("held", flush=True)
    time.sleep(60)
"""
SLEEP = "import time; print('up', flush=True); time.sleep(60)"


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


@contextmanager
def python(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has said its first word."""
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def test_the_process_with_the_lock_is_the_one_at_work(folder: RunFolder) -> None:
    """While it lives and has it, and no longer."""
    assert lock_owner_pid(folder) is None
    with python(HOLD, str(folder.path)) as process:
        assert lock_owner_pid(folder) == process.pid
        process.kill()
        process.wait()
        assert lock_owner_pid(folder) is None


def test_looking_takes_the_lock_from_nobody(folder: RunFolder) -> None:
    """It can be had afterwards, and who has it keeps it."""
    assert lock_owner_pid(folder) is None
    with folder.lock():
        assert lock_owner_pid(folder) == os.getpid()
        assert lock_owner_pid(folder) == os.getpid()
    with folder.lock():
        pass


def test_an_interrupt_reaches_the_process_at_work(folder: RunFolder) -> None:
    """As Ctrl-C does."""
    with python(HOLD, str(folder.path)) as process:
        assert interrupt(folder) == process.pid
        assert process.wait(10) == -signal.SIGINT
    with pytest.raises(UsageError, match="no process is working on it"):
        interrupt(folder)


def test_an_old_number_that_is_somebody_else_s_by_now_is_not_signalled(folder: RunFolder) -> None:
    """A killed worker leaves its id in the file, and the system gives it out again."""
    with python(SLEEP) as stranger:
        folder.lock_path.write_text(str(stranger.pid))
        assert folder.worker_pid() == stranger.pid
        assert lock_owner_pid(folder) is None
        with pytest.raises(UsageError, match="no process is working on it"):
            interrupt(folder)
        assert stranger.poll() is None


@pytest.mark.parametrize("text", ["", "0", "-1", "1e9", "999999999", "99999999999", "me"])
def test_a_lock_file_with_nonsense_in_it_names_nobody(folder: RunFolder, text: str) -> None:
    """0 would be our whole process group, -1 everything."""
    folder.lock_path.write_text(text)
    with pytest.raises(UsageError):
        interrupt(folder)
