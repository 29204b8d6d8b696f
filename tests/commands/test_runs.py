"""`redzone runs`, `export` and `-o`: what they refuse, what they say, and where it goes."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from redzone.bench.simulator.server import Simulator, SimulatorOptions
from redzone.runs.store import RunStore
from tests.command import environment, redzone, start, wait_until
from tests.simulated import model_requests, poster_list, simulated, write_list

SMALL = (60, 90)
KEY = {"OPENAI_API_KEY": "sk-simulated-0123456789"}


@dataclass
class Place:
    """A folder with a list and a run of it."""

    path: Path
    simulator: Simulator
    posters: Path

    def analyze(self, *more: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
        return redzone("analyze", *self.arguments(*more), cwd=self.path, **KEY, **env)

    def arguments(self, *more: str | Path) -> list[str | Path]:
        to_simulator = ["--base-url", self.simulator.base_url, "--allow-private-hosts"]
        return [self.posters, *to_simulator, "--progress", "none", *more]

    @property
    def run(self) -> str:
        return RunStore(self.path / ".redzone").folders()[0].id


def new_place(path: Path, simulator: Simulator) -> Place:
    posters = write_list(path / "list.csv", [simulator.poster_url(number) for number in (1, 2, 3)])
    table = posters.read_text(encoding="utf-8").replace("Poster 2", "\u4e2d\u6587")
    posters.write_text(table, encoding="utf-8")
    return Place(path, simulator, posters)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """With a finished run, whose results are in `results.csv`."""
    with simulated(SimulatorOptions(poster_size=SMALL)) as simulator:
        found = new_place(tmp_path_factory.mktemp("place"), simulator)
        done = found.analyze("-o", "results.csv", "--min-confidence", "0")
        assert done.returncode == 0, done.stderr
        yield found


def test_an_output_that_must_not_be_written_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    """Onto the input through a link, onto somebody else's table; no run is made and no request sent."""
    with simulated(SimulatorOptions(poster_size=SMALL)) as simulator:
        place = new_place(tmp_path, simulator)
        (tmp_path / "link.csv").symlink_to(place.posters)
        (tmp_path / "films.csv").write_text("id,title\n1,Heat\n")
        before = place.posters.read_bytes()
        for target, words in (("link.csv", "is the input"), ("films.csv", "was not written by redzone")):
            refused = place.analyze("-o", target)
            assert (refused.returncode, words in refused.stderr) == (2, True), refused.stderr
        assert place.posters.read_bytes() == before
        assert (tmp_path / "films.csv").read_text() == "id,title\n1,Heat\n"
        assert model_requests(simulator) == []
    assert not (tmp_path / ".redzone").exists()


@pytest.mark.parametrize("command", ["export", "report", "resume"])
def test_only_results_of_ours_are_replaced(place: Place, command: str) -> None:
    """One rule for all commands; --overwrite lifts it."""
    page = place.path / f"{command}.html"
    page.write_text("<html>mine</html>")
    refused = redzone(command, place.run, "-o", page.name, cwd=place.path, **KEY)
    assert (refused.returncode, "pass --overwrite" in refused.stderr) == (2, True), refused.stderr
    assert page.read_text() == "<html>mine</html>"
    for option in ("--overwrite", ""):
        again = redzone(command, place.run, "-o", page.name, *filter(None, [option]), cwd=place.path, **KEY)
        assert again.returncode == 0, again.stderr
    assert "mine" not in page.read_text()


def test_results_are_written_again_and_the_input_never_is(place: Place) -> None:
    """`-o results.csv` twice works; --overwrite does not reach the input."""
    again = redzone("export", place.run, "-o", "results.csv", cwd=place.path)
    assert again.returncode == 0, again.stderr
    onto = redzone("export", place.run, "-o", "./list.csv", "--overwrite", cwd=place.path)
    assert (onto.returncode, "is the input" in onto.stderr) == (2, True)


def test_a_finished_run_is_resumed_with_the_result_of_analyze(place: Place) -> None:
    """Its JSON, and the exit code that --fail-on asks for."""
    again = redzone("resume", place.run, "--json", cwd=place.path, **KEY)
    found = json.loads(again.stdout)
    assert (again.returncode, found["state"], sum(found["counts"].values())) == (0, "finished", 3)
    failing = redzone("resume", place.run, "--fail-on", "fail", cwd=place.path, **KEY)
    assert failing.returncode == (5 if found["counts"]["fail"] else 0)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-16"])
def test_a_table_on_stdout_is_utf8_whatever_the_locale(place: Place, encoding: str) -> None:
    """A Windows pipe, a redirect under LANG=C."""
    done = subprocess.run(
        [sys.executable, "-m", "redzone", "export", place.run],
        cwd=place.path, env=environment({"PYTHONIOENCODING": encoding}), capture_output=True, timeout=50,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    titles = [row["content_name"] for row in csv.DictReader(done.stdout.decode("utf-8").splitlines())]
    assert titles == ["Poster 1", "\u4e2d\u6587", "Poster 3"]


@pytest.mark.parametrize(
    ("arguments", "redirect", "words"),
    [
        (("export", "RUN"), ">/dev/full", "stdout cannot be written: No space left on device"),
        (("runs", "list"), ">/dev/full", "No space left on device"),
        (("schema",), ">/dev/full", "No space left on device"),
        (("export", "RUN"), ">&-", "stdout is closed; name a file with --output"),
        (("runs", "list"), ">&-", ""),
        (("schema",), "| true", ""),
    ],
)
def test_a_full_or_closed_stdout_is_a_line_and_no_traceback(
    place: Place, arguments: tuple[str, ...], redirect: str, words: str
) -> None:
    """Whatever the command, however it is redirected."""
    command = f'"$0" -m redzone "$@" {redirect}'
    named = [place.run if one == "RUN" else one for one in arguments]
    done = subprocess.run(
        ["bash", "-c", command, sys.executable, *named],
        cwd=place.path, env=environment({}), capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert words in done.stderr
    assert len(done.stderr.splitlines()) <= 1
    assert done.returncode in ((1, 2) if words else (0, 1))


def test_a_dry_run_without_the_cache_counts_what_the_run_will_ask(place: Place) -> None:
    """The verdicts of the run before are in the cache, which is not used."""
    with_cache = json.loads(place.analyze("--dry-run", "--json").stdout)
    without = json.loads(place.analyze("--dry-run", "--json", "--no-cache").stdout)
    assert (with_cache["cached"], with_cache["requests"]) == (3, 0)
    assert (without["cached"], without["requests"]) == (0, 3)


def test_an_unknown_price_is_unknown_and_not_nothing(place: Place) -> None:
    """In the summary, `--json`, `runs show`, the table and the report."""
    done = place.analyze("--model", "house-model", "--json", "-o", "-", "--no-cache")
    assert done.returncode in (0, 3), done.stderr
    assert '"cost_usd": null' in done.stdout
    assert "cost      unknown" in done.stderr
    assert "cost          unknown for" in redzone("runs", "show", place.run, cwd=place.path).stdout
    rows = list(csv.DictReader(redzone("export", place.run, cwd=place.path).stdout.splitlines()))
    assert {row["cost_usd"] for row in rows if int(row["attempts"])} == {""}
    redzone("report", place.run, "-o", "unpriced.html", cwd=place.path)
    assert "unknown: the price of the model is not known" in (place.path / "unpriced.html").read_text()


def test_too_few_open_files_are_named(place: Place) -> None:
    """Whatever runs out first, an import or a socket: one line and the next step."""
    done = subprocess.run(
        ["bash", "-c", 'ulimit -n 12; exec "$0" -m redzone "$@"', sys.executable, "analyze",
         *map(str, place.arguments("--workers", "100"))],
        cwd=place.path, env=environment(KEY), capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "too few for a run; raise the limit first: ulimit -n" in done.stderr


def test_a_killed_run_is_listed_as_interrupted_with_its_counts(tmp_path: Path) -> None:
    """Running while it runs; after kill -9 neither running nor without counts."""
    with simulated(SimulatorOptions(poster_size=SMALL, latency_s=0.2)) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 60)
        killed = Place(tmp_path, simulator, posters)
        process = start("analyze", *killed.arguments("--workers", "2"), cwd=tmp_path, **KEY)
        wait_until(lambda: outcomes(tmp_path) >= 2)
        assert listed(tmp_path)["state"] == "running"
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    found = listed(tmp_path)
    assert found["state"] == "interrupted"
    assert sum(found["counts"].values()) == outcomes(tmp_path)
    shown = redzone("runs", "show", killed.run, cwd=tmp_path).stdout
    assert "interrupted: its process ended without recording why" in shown


def outcomes(place: Path) -> int:
    paths = list((place / ".redzone" / "runs").glob("2*/checkpoint.jsonl"))
    return paths[0].read_bytes().count(b'{"kind":"outcome"') if paths else 0


def listed(place: Path) -> dict[str, Any]:
    (found,) = json.loads(redzone("runs", "list", "--json", cwd=place).stdout)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("redirect", ["2>/dev/full", "2>&-"])
@pytest.mark.parametrize("progress", ["plain", "json"])
def test_a_run_does_not_depend_on_its_display(place: Place, redirect: str, progress: str) -> None:
    """A stderr that is full or closed: the exit code and the table on stdout are the same."""
    command = f'"$0" -m redzone "$@" {redirect}'
    arguments = map(str, place.arguments("-o", "-", "--progress", progress, "--min-confidence", "0"))
    done = subprocess.run(
        ["bash", "-c", command, sys.executable, "analyze", *arguments],
        cwd=place.path, env=environment(KEY), capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert [row["status"] in ("pass", "fail") for row in csv.DictReader(done.stdout.splitlines())] == [
        True
    ] * 3
