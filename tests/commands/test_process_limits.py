"""The limit on open files, in real child processes under `ulimit -n`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from redzone.bench.simulator.server import SimulatorOptions
from redzone.commands.process_limits import open_files_needed
from redzone.config.settings import Settings
from tests.command import environment
from tests.simulated import poster_list, simulated

FIT = """
import json, resource
from redzone.commands.process_limits import fit_open_files
from redzone.config.settings import Settings
settings, notice = fit_open_files(Settings(workers={workers}))
soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
print(json.dumps([soft, settings.workers, settings.max_workers, settings.http_pool_maxsize, notice]))
"""


def under(
    limits: str, *command: str, cwd: Path | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run a command under `ulimit LIMITS`."""
    return subprocess.run(
        ["bash", "-c", f'ulimit {limits} && exec "$@"', "bash", *command],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment(env),
        timeout=50,
        check=False,
    )


def fitted(limits: str, workers: str) -> list[object]:
    done = under(limits, sys.executable, "-c", FIT.format(workers=workers))
    assert done.returncode == 0, done.stderr
    found: list[object] = json.loads(done.stdout)
    return found


def test_a_soft_limit_is_raised_to_what_the_workers_need() -> None:
    """As far as the hard limit allows; nothing is said and no setting changes."""
    needed = open_files_needed(Settings(workers=200))
    assert fitted("-S -n 128", "200") == [needed, 200, 200, 200, ""]


def test_a_higher_limit_is_left_alone() -> None:
    """It is never lowered."""
    soft, *_, notice = fitted("-S -n 4096", "10")
    assert (soft, notice) == (4096, "")


def test_a_hard_limit_bounds_the_workers_and_that_is_said() -> None:
    """With the command that allows them all."""
    soft, workers, most, pool, notice = fitted("-n 128", "200")
    assert (soft, workers, most, pool) == (128, 26, 26, 26)
    assert notice == (
        "only 128 open files are allowed: using at most 26 workers instead of 200; "
        "ulimit -n 748 allows them all"
    )


def test_auto_workers_are_bounded_too() -> None:
    """`auto` stays, with a lower maximum."""
    assert fitted("-n 256", "'auto'")[1:3] == ["auto", 69]


def test_fewer_workers_than_the_limit_allows_are_kept_without_a_notice() -> None:
    """Only idle connections are bounded."""
    soft, workers, *_, notice = fitted("-n 128", "5")
    assert (soft, workers, notice) == (128, 5, "")


def test_a_limit_too_low_for_one_worker_is_a_usage_error() -> None:
    """It names the next step."""
    done = under("-n 50", sys.executable, "-c", FIT.format(workers=10))
    assert "UsageError: only 50 open files are allowed, too few for a run" in done.stderr
    assert "ulimit -n 178" in done.stderr


@pytest.mark.parametrize(("limits", "rows"), [("-S -n 128", 300), ("-n 128", 300), ("-n 64", 60)])
def test_a_run_of_many_workers_fits_any_limit(tmp_path: Path, limits: str, rows: int) -> None:
    """200 workers with few files: no poster ends in error."""
    with simulated(SimulatorOptions(poster_size=(60, 90), latency_s=0.2)) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, rows)
        done = under(
            limits, sys.executable, "-m", "redzone", "analyze", str(posters), "--workers", "200", "--json",
            "--base-url", simulator.base_url, "--allow-private-hosts", "--progress", "none",
            cwd=tmp_path, OPENAI_API_KEY="sk-simulated-0123456789",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["counts"].get("error", 0) == 0
