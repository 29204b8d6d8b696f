"""Fixtures for all tests."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from tests.command import OURS, in_process

# a machine that is busy with something else is no failed law
settings.register_profile("redzone", deadline=None)
settings.load_profile("redzone")


def pytest_configure(config: pytest.Config) -> None:
    """Let child processes share compiled modules, even where PYTHONDONTWRITEBYTECODE is set, as in many
    containers: without them each start of redzone compiles all that it imports, 2 s."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    cache = getattr(config, "cache", None)  # absent under -p no:cacheprovider
    if cache is not None:
        os.environ.setdefault("PYTHONPYCACHEPREFIX", str(cache.mkdir("bytecode")))


Invoke = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def invoke(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Invoke:
    """`invoke("analyze", ...)` runs the command in this process, in an empty folder, without our settings."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith(OURS):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")
    return lambda *arguments: in_process(capsys, monkeypatch, *arguments)
