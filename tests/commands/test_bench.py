"""`redzone bench` as a user runs it: processes, files, exit codes. No test looks at a time."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from redzone.bench.measure.result_file import load_bench
from tests.bench.measure.samples import bench, stage
from tests.command import redzone
from tests.conftest import Invoke
from tests.simulated import poster_list, simulated


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """The smallest whole bench: three stages of up to three posters each."""
    folder = tmp_path_factory.mktemp("bench")
    options = ("--profile", "unlimited", "--scale", "0.1", "--rpm", "6000", "--posters", "3")
    # a setting of the user's must not reach what is measured
    done = redzone(
        *("bench", *options, "--json", "-o", "bench.json", "--html", "bench.html"),
        cwd=folder,
        REDZONE_PROVIDER="local",
    )
    return done, folder


def test_a_bench_runs_without_a_key_and_its_counts_add_up(
    finished: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    """Every stage has its posters, every poster an outcome, every outcome at least one request."""
    done, folder = finished
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [stage["name"] for stage in told["stages"]] == ["sequential", "parallel", "stress"]
    for figures in told["stages"]:
        assert figures["posters"] == 3
        assert sum(figures[name] for name in ("passed", "failed", "unsure", "errors")) == 3
        assert figures["requests"] >= 3
        assert figures["rpm"] == 6000
        assert figures["image_bytes"] > 3000
        assert figures["peak_bytes"] is None or figures["peak_bytes"] > 10_000_000
    assert told["profile"]["name"] == "unlimited, rpm 6000"
    assert told["scale"] == 0.1
    assert told["advice"]
    assert load_bench(folder / "bench.json").stages[0].pace.started_per_min
    assert (folder / "bench.html").read_text().startswith("<!doctype html>")
    assert sorted(path.name for path in folder.iterdir()) == ["bench.html", "bench.json"]


def test_a_saved_bench_compared_with_itself_is_the_same(
    finished: tuple[subprocess.CompletedProcess[str], Path], invoke: Invoke
) -> None:
    """Through the command, as a table and as JSON."""
    saved = finished[1] / "bench.json"
    assert "same" in invoke("bench", "compare", saved, saved).stdout
    told = json.loads(invoke("bench", "compare", saved, saved, "--json").stdout)
    assert told["remarks"] == []
    assert {line["verdict"] for part in told["stages"] for line in part["lines"]} <= {"same", ""}


def test_packs_run_and_their_counts_add_up(tmp_path: Path, invoke: Invoke) -> None:
    """Every poster has an outcome, and more of them went into one request."""
    options = ("--profile", "unlimited", "--scale", "0.1", "--rpm", "6000", "--posters", "8", "--pack", "1,8")
    done = redzone("bench", "pack", *options, "--json", "-o", "packs.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["kind"], [stage["name"] for stage in told["stages"]]) == ("pack", ["pack 1", "pack 8"])
    for figures in told["stages"]:
        assert figures["posters"] == 8
        assert sum(figures[name] for name in ("passed", "failed", "unsure")) == 8
        assert figures["requests"] >= 8 / figures["pack"]
    single, packed = told["stages"]
    assert packed["requests"] < single["requests"]
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
        (("--html", "nowhere/bench.html"), "there is no folder"),
        (("--live", "list.csv", "--rpm", "5"), "--live asks the real API"),
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


def test_a_live_bench_shows_its_price_and_asks_nobody_without_a_terminal(tmp_path: Path) -> None:
    """Nothing is sent: the address leads nowhere. --yes would go on."""
    (tmp_path / "list.csv").write_text("id,image\n1,http://127.0.0.1:9/1.jpg\n2,http://127.0.0.1:9/2.jpg\n")
    done = redzone(
        *("bench", "--live", "list.csv"),
        cwd=tmp_path,
        OPENAI_API_KEY="sk-never-sent",
        OPENAI_BASE_URL="http://127.0.0.1:9/v1",
    )
    assert done.returncode == 2, done.stderr
    assert "6 requests to openai" in done.stderr
    assert "at most $" in done.stderr
    assert "pass --yes" in done.stderr
    assert not (tmp_path / ".redzone").exists()


def test_a_live_bench_asks_the_configured_api_and_counts_what_it_fetched(tmp_path: Path) -> None:
    """With the user's own settings; the API knows nothing of a bench."""
    with simulated() as simulator:
        poster_list(tmp_path / "list.csv", simulator, 2)
        done = redzone(
            *("bench", "--live", "list.csv", "--yes", "--posters", "2", "--json"),
            cwd=tmp_path,
            OPENAI_API_KEY="sk-simulated-0123456789",
            OPENAI_BASE_URL=simulator.base_url,
            REDZONE_ALLOW_PRIVATE_HOSTS="true",
        )
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert [stage["name"] for stage in told["stages"]] == ["sequential", "parallel"]
        sizes = {record.poster: record.sent_bytes for record in simulator.log if record.poster}
    assert told["profile"] is None
    for figures in told["stages"]:
        assert figures["image_bytes"] == sum(sizes.values()) > 0
        assert figures["rpm"] is None
