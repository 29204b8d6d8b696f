"""Fixtures for all tests."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

from tests.command import OURS, in_process

settings.register_profile("redzone", deadline=None)  # a busy machine must not fail a law
settings.load_profile("redzone")


def pytest_configure(config: pytest.Config) -> None:
    """Let child processes share compiled modules, even where PYTHONDONTWRITEBYTECODE is set, as in many
    containers: without them each start of redzone compiles all that it imports, 2 s."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    cache = getattr(config, "cache", None)  # absent under -p no:cacheprovider
    if cache is not None:
        os.environ.setdefault("PYTHONPYCACHEPREFIX", str(cache.mkdir("bytecode")))


Invoke = Callable[..., subprocess.CompletedProcess[str]]

BROWSER = Path(__file__).parent / "web" / "browser"
# A test is `slow` if its module imports one of these, or if it uses one of these fixtures: it then starts
# processes or servers, or waits in real time.
SLOW_MODULES = frozenset(
    {
        "subprocess",
        "multiprocessing",
        "tests.command",
        "tests.loopback",
        "tests.model_server",
        "tests.simulated",
        "tests.web.serving",
    }
)
SLOW_FIXTURES = frozenset({"invoke", "serve", "dashboard"})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks tests `browser` and `slow`; the others are pure: `-m "not slow and not browser"`."""
    for item in items:
        if item.path.is_relative_to(BROWSER):
            item.add_marker(pytest.mark.browser)
        elif _is_slow(item):
            item.add_marker(pytest.mark.slow)


def _is_slow(item: pytest.Item) -> bool:
    module = vars(getattr(item, "module", None) or object)
    sources = {
        getattr(value, "__name__" if isinstance(value, ModuleType) else "__module__", None)
        for value in module.values()
    }
    return bool(sources & SLOW_MODULES or SLOW_FIXTURES.intersection(getattr(item, "fixturenames", ())))


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
