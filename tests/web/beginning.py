"""What tests need in which the dashboard begins runs: a model that takes its time, and an end of the runs."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from redzone.bench.simulator.server import Simulator, SimulatorOptions
from redzone.runs import RunStore
from redzone.runs.lock import lock_owner_pid
from tests.command import OURS
from tests.simulated import simulated
from tests.web.serving import Served, served

KEY = "sk-simulated-0123456789"


@contextmanager
def slow_model(monkeypatch: pytest.MonkeyPatch, folder: Path, latency_s: float) -> Iterator[Simulator]:
    """A model that the dashboard's environment names, and the folder that it starts from."""
    for name in os.environ:
        if name.startswith(OURS):
            monkeypatch.delenv(name)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("REDZONE_ALLOW_PRIVATE_HOSTS", "true")
    with simulated(SimulatorOptions(poster_size=(60, 90), latency_s=latency_s)) as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.base_url)
        yield running


@contextmanager
def served_with_its_runs(home: Path) -> Iterator[Served]:
    """A dashboard whose runs end with the block."""
    with served(home) as found:
        yield found
    for folder in RunStore(home).folders():
        if (pid := lock_owner_pid(folder)) is not None:
            os.kill(pid, signal.SIGKILL)
