"""The real command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from redzone.cli import main

OURS = ("REDZONE_", "OPENAI_", "VISION_", "HTTP_POOL_", "CACHE_EXPIRY", "ENABLE_ANALYSIS")


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without any setting of ours, and more."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**kept, "NO_COLOR": "1", "COLUMNS": "120", **more}


def redzone(
    *arguments: str | Path, cwd: Path, stdin: str | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run `redzone ARGUMENTS` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "redzone", *map(str, arguments)],
        cwd=cwd,
        env=environment(env),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def start(*arguments: str | Path, cwd: Path, **env: str) -> subprocess.Popen[str]:
    """Start `redzone ARGUMENTS` and let it run."""
    return subprocess.Popen(
        [sys.executable, "-m", "redzone", *map(str, arguments)],
        cwd=cwd,
        env=environment(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Poll for something that another process does."""
    end_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end_s, "it did not happen in time"
        time.sleep(0.01)


def in_process(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str | Path
) -> subprocess.CompletedProcess[str]:
    """Run `redzone ARGUMENTS` in this process: the same entry, without the start of an interpreter."""
    monkeypatch.setattr(sys, "argv", ["redzone", *map(str, arguments)])
    capsys.readouterr()
    try:
        main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    out, err = capsys.readouterr()
    return subprocess.CompletedProcess(list(arguments), code, out, err)
