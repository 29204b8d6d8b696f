"""Errors of the operating system reach the user as one line, never as a traceback."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from redzone.commands.system_errors import describe_os_error, find_os_error
from redzone.errors import ExitCode
from tests.command import environment


def shell(script: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a shell script in which `$REDZONE` is the command."""
    return subprocess.run(
        ["bash", "-c", script],
        cwd=cwd,
        env=environment({"REDZONE": f"{sys.executable} -m redzone"}),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


@pytest.mark.parametrize("command", ["schema", "config show", "runs list --json", "--version", "--help"])
def test_a_full_stdout_is_one_line(command: str, tmp_path: Path) -> None:
    """Exit 1, also where the output is short and only the last flush fails."""
    done = shell(f"$REDZONE {command} > /dev/full", tmp_path)
    assert done.returncode == ExitCode.UNEXPECTED
    assert done.stderr.startswith("redzone: No space left on device")
    assert done.stderr.count("\n") == 1


def test_a_reader_that_leaves_is_no_error_message(tmp_path: Path) -> None:
    """As with `head`."""
    done = shell("$REDZONE schema | true; $REDZONE config show | head -1", tmp_path)
    assert done.stderr == ""
    assert done.stdout.startswith("provider")


@pytest.mark.parametrize("command", ["schema >&-", "config show >&-", "schema 2>&- >/dev/full"])
def test_closed_streams_make_no_traceback(command: str, tmp_path: Path) -> None:
    """Whatever is closed before the start."""
    assert "Traceback" not in shell(f"$REDZONE {command}", tmp_path).stderr


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """The path and the reason, in one line."""
    (tmp_path / "file").write_text("")
    done = shell("$REDZONE cache stats --home file/home", tmp_path)
    assert done.returncode in (ExitCode.UNEXPECTED, ExitCode.USAGE)
    assert "Traceback" not in done.stderr
    assert "file/home" in done.stderr


def test_too_few_open_files_for_the_imports_are_a_usage_error(tmp_path: Path) -> None:
    """With the command that raises the limit."""
    (tmp_path / "list.csv").write_text("image\nhttp://127.0.0.1:9/1.jpg\n")
    options = "list.csv --base-url http://127.0.0.1:9/v1 --allow-private-hosts --progress none"
    for limit in range(8, 60, 6):
        done = shell(f"ulimit -n {limit}; $REDZONE analyze {options} --workers 50", tmp_path)
        assert "Traceback" not in done.stderr, limit
        assert done.returncode != 0


def test_an_error_is_found_in_a_group_and_behind_its_cause() -> None:
    """Task groups and our own errors wrap it."""
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/x.jsonl")
    caused = ValueError("x")
    caused.__cause__ = full
    assert find_os_error(ExceptionGroup("", [ValueError("y"), ExceptionGroup("", [full])])) is full
    assert find_os_error(caused) is full
    assert find_os_error(ValueError("y")) is None
    text, code = describe_os_error(full)
    assert text.startswith("/data/x.jsonl: No space left on device; free some space")
    assert code is ExitCode.UNEXPECTED


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_too_many_open_files_name_the_limit(number: int) -> None:
    """Exit 2: the user must change something."""
    text, code = describe_os_error(OSError(number, os.strerror(number)))
    assert "ulimit -n" in text
    assert code is ExitCode.USAGE
