"""What only watches a run cannot end it: real runs whose files cannot be written."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from redzone.api import RunResult, begin
from redzone.bench.simulator.server import SimulatorOptions
from redzone.config.loader import load
from redzone.errors import JournalFailed
from redzone.models import Status
from redzone.run_setup import RunRequest
from redzone.runs import RecordedState, RunFolder
from redzone.runs.index import CheckpointIndex
from redzone.runs.status import observe
from tests.simulated import Run, model_requests, poster_list, simulated

SMALL = (60, 90)


def run_with_a_broken(name: str, home: Path) -> tuple[RunResult, RunFolder, list[str]]:
    """A run in whose folder a folder stands in the place of a file, from just before its first poster."""
    notices: list[str] = []
    with simulated(SimulatorOptions(poster_size=SMALL)) as simulator:
        posters = poster_list(home / "list.csv", simulator, 12)
        given = {
            "openai_base_url": simulator.base_url,
            "openai_api_key": "sk-simulated",
            "home": home / "home",
        }
        settings = load(
            {**given, "allow_private_hosts": True, "workers": 4, "min_confidence_pct": 0}
        ).settings
        run = begin(settings, RunRequest((str(posters),), {}))
        run.on_notice(notices.append)
        run.open()
        path = run.job.folder.path / name
        path.unlink()
        path.mkdir()
        return asyncio.run(run.wait()), run.job.folder, notices


@pytest.mark.parametrize("name", ["metrics.jsonl", "log.jsonl"])
def test_a_log_that_cannot_be_written_is_a_warning(tmp_path: Path, name: str) -> None:
    """Said once; every poster has its outcome."""
    result, folder, notices = run_with_a_broken(name, tmp_path)
    assert (result.stopped, sum(result.counts.values())) == (None, 12)
    assert folder.read().state is RecordedState.FINISHED
    (said,) = notices
    assert name in said
    assert "Is a directory" in said


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1.2 MB: half of it is the journal's reserve."""
    place = tmp_path / "small"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=1200k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mounting, check=False, capture_output=True).returncode != 0:
        pytest.skip("needs the right to mount")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_ends_a_run_in_order_and_loses_no_paid_answer(tmp_path: Path, small_disk: Path) -> None:
    """What is in progress is recorded, run.json says why; with room again resume asks for the rest only."""
    with simulated(SimulatorOptions(poster_size=SMALL, latency_s=0.02)) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 60)
        run = Run(small_disk, simulator, workers=8, min_confidence_pct=0)
        filler = small_disk / "filler"
        filler.write_bytes(b"x" * 200_000)
        stopped = run.begin(posters)
        assert isinstance(stopped.stopped, JournalFailed)
        assert run.folder is not None
        index = CheckpointIndex.read(run.folder.checkpoint_path)
        assert 0 < index.answered < 60
        assert index.answered == len(model_requests(simulator))
        assert (index.in_doubt, index.torn_bytes, index.bad_lines) == ((), 0, ())
        assert observe(run.folder).corrected.state is RecordedState.STOPPED
        filler.unlink()
        (small_disk / "home" / "cache.sqlite-wal").unlink(missing_ok=True)
        subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
        assert run.resume().stopped is None
        assert len(model_requests(simulator)) == 60


def test_what_was_answered_when_the_run_stops_is_not_in_doubt(tmp_path: Path) -> None:
    """Unsure posters wait for a second look when the account is empty: their first answers were paid for."""
    options = SimulatorOptions(poster_size=SMALL, quota_requests=6)
    with simulated(options) as simulator:
        run = Run(tmp_path, simulator, workers=4, min_confidence_pct=100, enable_cache=False)
        result = run.begin(poster_list(tmp_path / "list.csv", simulator, 12))
        assert result.stopped is not None
        assert run.folder is not None
        index = CheckpointIndex.read(run.folder.checkpoint_path)
        asked = sum(record.status == 200 for record in model_requests(simulator))
    assert index.in_doubt == ()
    assert index.spent_lines > 0
    assert index.tokens.output > 0
    assert index.most_spent_usd == pytest.approx(index.cost_usd)
    lines = [json.loads(line) for line in run.folder.checkpoint_path.read_text().splitlines()]
    counted = sum(line["attempts"] for line in lines if line["kind"] in ("outcome", "spent"))
    assert counted >= asked
    assert index.counts[Status.ERROR] == 0
