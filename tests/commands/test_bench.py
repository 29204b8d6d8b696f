"""`redzone bench` as a user runs it: processes, files, exit codes. No test looks at a time."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from redzone.bench.measure.result_file import load_bench
from tests.bench.measure.samples import bench, stage
from tests.command import start
from tests.conftest import Invoke
from tests.simulated import poster_list, simulated

# ten processes, one after another: on a busy machine their starts alone take a minute
pytestmark = pytest.mark.timeout(180)


@dataclass(frozen=True, slots=True)
class FinishedBench:
    """A bench with --json, its saved form and its page."""

    done: subprocess.CompletedProcess[str]
    folder: Path

    @property
    def stages(self) -> list[dict[str, Any]]:
        """The figures that it printed."""
        assert self.done.returncode == 0, self.done.stderr
        stages: list[dict[str, Any]] = json.loads(self.done.stdout)["stages"]
        return stages


# no waiting: 20 ms per answer, and a limit that eight posters do not reach
QUICK = ("--profile", "unlimited", "--scale", "0.1", "--rpm", "6000", "--posters", "8")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> FinishedBench:
    """The smallest complete bench, for all tests of this module: ten processes."""
    folder = tmp_path_factory.mktemp("bench")
    process = start(
        *("bench", *QUICK, "--json", "-o", "bench.json", "--html", "bench.html"),
        cwd=folder,
        REDZONE_PROVIDER="local",  # a setting of the user must not affect the bench
    )
    stdout, stderr = process.communicate(timeout=150)
    done = subprocess.CompletedProcess[str](process.args, process.returncode, stdout, stderr)
    return FinishedBench(done, folder)


def test_a_bench_runs_without_a_key_and_its_counts_add_up(finished: FinishedBench) -> None:
    """Every stage has its posters, every poster an outcome, every outcome at least one request."""
    assert [stage["name"] for stage in finished.stages] == ["sequential", "parallel", "stress"]
    for figures in finished.stages:
        assert figures["posters"] == 8
        assert sum(figures[name] for name in ("passed", "failed", "unsure", "errors")) == 8
        assert figures["requests"] >= 8
        assert figures["rpm"] == 6000
        assert figures["image_bytes"] > 8000
        assert figures["peak_bytes"] is None or figures["peak_bytes"] > 10_000_000
    output = json.loads(finished.done.stdout)
    assert output["profile"]["name"] == "unlimited, rpm 6000"
    assert output["scale"] == 0.1
    assert output["advice"]


def test_a_bench_writes_its_files_and_leaves_nothing_else(finished: FinishedBench) -> None:
    """The saved form has the curves, the page is whole."""
    folder = finished.folder
    assert load_bench(folder / "bench.json").stages[0].pace.started_per_min
    assert (folder / "bench.html").read_text().startswith("<!doctype html>")
    assert sorted(path.name for path in folder.iterdir()) == ["bench.html", "bench.json"]


def test_a_saved_bench_compared_with_itself_is_the_same(finished: FinishedBench, invoke: Invoke) -> None:
    """Through the command, as a table and as JSON."""
    saved = finished.folder / "bench.json"
    assert "same" in invoke("bench", "compare", saved, saved).stdout
    output = json.loads(invoke("bench", "compare", saved, saved, "--json").stdout)
    assert output["remarks"] == []
    assert {line["verdict"] for part in output["stages"] for line in part["lines"]} <= {"same", ""}


def test_packs_run_and_their_counts_add_up(finished: FinishedBench, invoke: Invoke, tmp_path: Path) -> None:
    """Every poster has an outcome, and more of them went into one request than in the bench without packs."""
    single = finished.stages[-1]
    done = invoke("bench", "pack", *QUICK, "--pack", "8", "--json", "-o", "packs.json")
    assert done.returncode == 0, done.stderr
    output = json.loads(done.stdout)
    assert (output["kind"], [stage["name"] for stage in output["stages"]]) == ("pack", ["pack 8"])
    (packed,) = output["stages"]
    assert packed["posters"] == single["posters"] == 8
    assert sum(packed[name] for name in ("passed", "failed", "unsure")) == 8
    assert 8 > packed["requests"] >= 1
    assert packed["tokens"] < single["tokens"]
    assert [packed[name] for name in ("passed", "failed")] == [single[name] for name in ("passed", "failed")]
    saved = tmp_path / "packs.json"
    assert "pack 8" in invoke("bench", "compare", saved, saved).stdout


def test_two_saved_benches_are_compared_by_stage(invoke: Invoke, tmp_path: Path) -> None:
    """What differs between them is said under the table."""
    (tmp_path / "a.json").write_text(bench(stage()).render())
    (tmp_path / "b.json").write_text(bench(stage(seconds=5.0), scale=0.5).render())
    done = invoke("bench", "compare", "a.json", "b.json")
    assert done.returncode == 0
    assert "2.00x" in done.stdout
    assert "The scale differs" in done.stdout


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--profile", "nowhere"), "seed, tier1, tier5, unlimited, flaky"),
        (("--fault", "reset=2"), "share"),
        (("--stress-workers", "many"), "auto or a number"),
        (("--size", "wide"), "WxH"),
        (("--html", "nowhere/bench.html"), "does not exist"),
        (("--live", "list.csv", "--rpm", "5"), "cannot be combined with --live"),
        (("sweep", "--workers", "1,x"), "numbers of at least 1"),
        (("pack", "--pack", "1,17"), "numbers from 1 to 16"),
        (("pack", "--pack", ""), "numbers from 1 to 16"),
        (("compare", "a.json", "b.json"), "cannot be read"),
    ],
)
def test_an_impossible_wish_ends_with_2_before_anything_runs(
    invoke: Invoke, options: tuple[str, ...], says: str
) -> None:
    """And the text says what is possible."""
    done = invoke("bench", *options)
    assert done.returncode == 2
    assert says in done.stderr


@pytest.fixture
def live(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """`live(base_url, ...)` runs `redzone bench --live list.csv ...` with the settings of a user."""

    def run(base_url: str, *options: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-simulated-0123456789")
        monkeypatch.setenv("OPENAI_BASE_URL", base_url)
        monkeypatch.setenv("REDZONE_ALLOW_PRIVATE_HOSTS", "true")
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        return invoke("bench", "--live", "list.csv", *options)

    return run


def test_a_live_bench_shows_its_price_and_sends_nothing_without_a_terminal(
    tmp_path: Path, live: Invoke
) -> None:
    """Nothing is sent: the address leads nowhere. --yes would continue."""
    (tmp_path / "list.csv").write_text("id,image\n1,http://127.0.0.1:9/1.jpg\n2,http://127.0.0.1:9/2.jpg\n")
    done = live("http://127.0.0.1:9/v1")
    assert done.returncode == 2, done.stderr
    assert "6 requests to openai" in done.stderr
    assert "at most $" in done.stderr
    assert "pass --yes" in done.stderr
    assert not (tmp_path / ".redzone").exists()


def test_a_live_bench_asks_the_configured_api_and_counts_what_it_fetched(
    tmp_path: Path, live: Invoke
) -> None:
    """With the user's own settings; the API knows nothing of a bench."""
    with simulated() as simulator:
        poster_list(tmp_path / "list.csv", simulator, 2)
        done = live(simulator.base_url, "--yes", "--posters", "2", "--json")
        assert done.returncode == 0, done.stderr
        output = json.loads(done.stdout)
        assert [stage["name"] for stage in output["stages"]] == ["sequential", "parallel"]
        sizes = {record.poster: record.sent_bytes for record in simulator.log if record.poster}
    assert output["profile"] is None
    for figures in output["stages"]:
        assert figures["image_bytes"] == sum(sizes.values()) > 0
        assert figures["rpm"] is None
