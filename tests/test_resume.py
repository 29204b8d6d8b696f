"""Interrupted runs: killed, Ctrl-C, SIGTERM, a full disk, a second process, a changed input."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from redzone.api import begin
from redzone.bench.simulator.faults import Fault
from redzone.bench.simulator.server import Simulator, SimulatorOptions
from redzone.errors import InputChanged, InputLost
from redzone.models import Source
from redzone.run_setup import RunRequest
from redzone.runs.checkpoint import read_outcomes
from tests.command import redzone, start, wait_until
from tests.simulated import Run, model_requests, poster_list, simulated, write_list

SMALL = (60, 90)
KEY = {"OPENAI_API_KEY": "sk-simulated-0123456789"}


def arguments(simulator: Simulator, posters: Path, *more: str) -> list[str]:
    return [
        "analyze", str(posters), "--base-url", simulator.base_url, "--allow-private-hosts",
        "--progress", "none", "--min-confidence", "0", *more,
    ]  # fmt: skip


def checkpoint(folder: Path) -> Path:
    found = sorted((folder / ".redzone" / "runs").glob("*/checkpoint.jsonl"))
    return found[-1] if found else folder / "none"


def outcome_lines(folder: Path) -> int:
    path = checkpoint(folder)
    return path.read_bytes().count(b'{"kind":"outcome"') if path.exists() else 0


def test_a_killed_run_loses_no_outcome_and_pays_at_most_for_what_was_in_flight(tmp_path: Path) -> None:
    """kill -9 at random moments, resume after each: every row once, and the server saw at most the requests
    in flight at each kill twice."""
    rows, workers = 120, 8
    kills = 0
    drawing = random.Random(7)  # noqa: S311  repeatable
    with simulated(SimulatorOptions(poster_size=SMALL, latency_s=0.05)) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, rows)
        process = start(*arguments(simulator, posters, "--workers", str(workers)), cwd=tmp_path, **KEY)
        for _ in range(3):
            wanted = min(rows - 10, outcome_lines(tmp_path) + drawing.randint(1, 30))
            wait_until(lambda wanted=wanted: outcome_lines(tmp_path) >= wanted)  # type: ignore[misc]  # bound now
            process.kill()
            process.communicate()
            kills += 1
            process = start("resume", "--progress", "none", cwd=tmp_path, **KEY)
        _, told = process.communicate(timeout=50)
        assert process.returncode == 0, told
        seen = len(model_requests(simulator))
    found = Counter(outcome.row for outcome in read_outcomes(checkpoint(tmp_path)))
    assert found == dict.fromkeys(range(1, rows + 1), 1)
    assert rows <= seen <= rows + kills * workers
    assert redzone("check", checkpoint(tmp_path).parent.name, cwd=tmp_path).returncode == 0


def test_the_first_ctrl_c_finishes_what_is_in_hand(tmp_path: Path) -> None:
    """Exit 130, the resume command is printed, no answer is lost, and resume finishes the run."""
    with simulated(SimulatorOptions(poster_size=SMALL, latency_s=0.3)) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 60)
        process = start(*arguments(simulator, posters, "--workers", "5"), cwd=tmp_path, **KEY)
        wait_until(lambda: outcome_lines(tmp_path) >= 5)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
        run = checkpoint(tmp_path).parent.name
        assert process.returncode == 130, told
        assert f"redzone resume {run}" in told
        answered = sum(record.status == 200 for record in model_requests(simulator))
        assert outcome_lines(tmp_path) == answered < 60
        done = redzone("resume", "--progress", "none", "--json", cwd=tmp_path, **KEY)
        assert done.returncode == 0, done.stderr
        assert len(model_requests(simulator)) == 60
    assert sum(json.loads(done.stdout)["counts"].values()) == 60


def test_the_second_ctrl_c_stops_at_once(tmp_path: Path) -> None:
    """A model that hangs does not hold the process; the checkpoint stays valid."""
    with simulated(SimulatorOptions(poster_size=SMALL, latency_s=30)) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 20)
        process = start(*arguments(simulator, posters, "--workers", "4"), cwd=tmp_path, **KEY)
        wait_until(lambda: len(model_requests(simulator)) >= 1)
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.communicate(timeout=0.5)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=15)
    assert process.returncode == 130, told
    assert "redzone resume" in told
    report = redzone("check", checkpoint(tmp_path).parent.name, "--json", cwd=tmp_path)
    assert json.loads(report.stdout)["pending"] == 20


def test_sigterm_ends_a_run_like_ctrl_c(tmp_path: Path) -> None:
    """Exit 143, and run.json says that it was interrupted."""
    with simulated(SimulatorOptions(poster_size=SMALL, latency_s=0.2)) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 60)
        process = start(*arguments(simulator, posters, "--workers", "4"), cwd=tmp_path, **KEY)
        wait_until(lambda: outcome_lines(tmp_path) >= 1)
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 143
    assert json.loads((checkpoint(tmp_path).parent / "run.json").read_text())["state"] == "interrupted"


def test_a_second_process_on_the_same_run_is_refused(tmp_path: Path) -> None:
    """Exit 2 with the first one's pid; the first one is not disturbed."""
    with simulated(SimulatorOptions(poster_size=SMALL, latency_s=30)) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 20)
        process = start(*arguments(simulator, posters, "--workers", "4"), cwd=tmp_path, **KEY)
        wait_until(lambda: len(model_requests(simulator)) >= 1)
        second = redzone("resume", cwd=tmp_path, **KEY)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: b"interrupted" in checkpoint(tmp_path).with_name("log.jsonl").read_bytes())
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert second.returncode == 2
    assert str(process.pid) in second.stderr
    assert process.returncode == 143


def test_a_full_disk_stops_before_anything_more_is_paid_for(tmp_path: Path) -> None:
    """A limit on the size of files stands for the full disk: exit 1, the reason and the next step, no
    request after the failure, and with room again resume finishes the run."""
    with simulated(SimulatorOptions(poster_size=SMALL)) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 60)
        limited = subprocess.run(
            ["bash", "-c", 'ulimit -f 40; trap "" XFSZ; exec "$@"', "bash", sys.executable, "-m", "redzone",
             *arguments(simulator, posters, "--workers", "4", "--no-cache")],
            cwd=tmp_path, env={**os.environ, **KEY}, capture_output=True, text=True, timeout=50, check=False,
        )  # fmt: skip
        kept, seen = outcome_lines(tmp_path), len(model_requests(simulator))
        assert limited.returncode == 1, limited.stderr
        assert "redzone resume" in limited.stderr
        assert 0 < kept < 60
        assert seen <= kept + 8
        assert redzone("resume", "--progress", "none", cwd=tmp_path, **KEY).returncode == 0
    found = Counter(outcome.row for outcome in read_outcomes(checkpoint(tmp_path)))
    assert found == dict.fromkeys(range(1, 61), 1)


def test_a_changed_input_is_refused_with_both_hashes(tmp_path: Path) -> None:
    """With --allow-changed-input what is the same by id and image keeps its answer, wherever it stands."""
    with simulated(SimulatorOptions(poster_size=SMALL, quota_requests=10)) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 20)
        run = Run(tmp_path, simulator, workers=1, min_confidence_pct=0)
        run.begin(posters)
        before = {outcome.id: outcome.zones for outcome in run.outcomes}
        assert len(before) == 10
        lines = posters.read_text().splitlines()
        posters.write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n")
        with pytest.raises(InputChanged) as refused:
            run.resume()
        assert str(refused.value).count("sha256") >= 1
    with simulated(SimulatorOptions(poster_size=SMALL)) as other:
        run.settings = Run(tmp_path, other, workers=1, min_confidence_pct=0).settings
        run.resume(allow_changed=True)
        assert len(model_requests(other)) <= 10
    assert sorted(run.by_row) == list(range(1, 21))
    assert {o.id: o.zones for o in run.by_row.values() if o.id in before} == before
    assert run.by_row[20].id == "0001"


def test_a_finished_run_says_so(tmp_path: Path) -> None:
    """Exit 0, nothing is asked, and a file can still be written."""
    with simulated(SimulatorOptions(poster_size=SMALL)) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 3)
        assert redzone(*arguments(simulator, posters), cwd=tmp_path, **KEY).returncode == 0
        asked = len(model_requests(simulator))
        run = checkpoint(tmp_path).parent.name
        again = redzone("resume", run[:13], "-o", "out.csv", cwd=tmp_path, **KEY)
        assert len(model_requests(simulator)) == asked
    assert again.returncode == 0
    assert "is finished" in again.stderr
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 4


def test_a_torn_last_line_is_cut_and_its_row_asked_again(tmp_path: Path) -> None:
    """Half an outcome at the end of the file, as a power cut leaves it."""
    with simulated(SimulatorOptions(poster_size=SMALL)) as simulator:
        run = Run(tmp_path, simulator, workers=1, enable_cache=False)
        run.begin(write_list(tmp_path / "list.csv", [simulator.poster_url(n) for n in (1, 2, 3)]))
        assert run.folder is not None
        path = run.folder.checkpoint_path
        whole = path.read_bytes()
        path.write_bytes(whole[:-40])
        end = run.resume()
    assert any("incomplete last line" in repair for repair in end.repairs)
    assert sorted(run.by_row) == [1, 2, 3]
    assert {outcome.source for outcome in run.by_row.values()} <= {Source.MODEL, Source.DUPLICATE}


def test_an_image_that_hangs_does_not_hold_up_the_first_ctrl_c(tmp_path: Path) -> None:
    """Nothing is paid for while a download is under way, so it is given up at once and stays pending."""
    with simulated(SimulatorOptions(poster_size=SMALL, faults={Fault.IMAGE_STALL: 1.0})) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 5)
        process = start(*arguments(simulator, posters), cwd=tmp_path, **KEY)
        wait_until(lambda: len(simulator.log) >= 1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    assert process.returncode == 130
    assert outcome_lines(tmp_path) == 0


def test_an_input_that_goes_away_stops_the_run(tmp_path: Path) -> None:
    """A list cut off under the run: exit 4 with the reason, what was read is judged, nothing is invented."""
    with simulated(SimulatorOptions(poster_size=SMALL)) as simulator:
        images = [simulator.poster_url(number) for number in range(1, 601)]
        posters = write_list(tmp_path / "list.csv", images)
        run = Run(tmp_path, simulator, workers=2)
        begun = begin(run.settings, RunRequest((str(posters),), {}))
        begun.open()
        posters.write_bytes(posters.read_bytes()[:200] + b"\xff\xfe\xff")
        run.folder = begun.job.folder
        end = asyncio.run(begun.wait())
    assert isinstance(end.stopped, InputLost)
    assert end.stopped.exit_code == 4
    assert len(run.outcomes) < 600
