"""The library: outcomes after they are on disk, in anybody's loop, without a terminal."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import logging
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx

import redzone
from redzone.bench.simulator.faults import Fault
from redzone.bench.simulator.server import SimulatorOptions
from redzone.runs.checkpoint import read_outcomes
from tests.simulated import poster_list, simulated, write_list

ROOT = Path(__file__).parents[1]
EXAMPLES = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs" / "library.md").read_text(encoding="utf-8"), re.DOTALL
)
SMALL = SimulatorOptions(poster_size=(60, 90))


def server(simulator: Any, home: Path, **more: Any) -> dict[str, Any]:
    return {
        "home": home,
        "openai_base_url": simulator.base_url,
        "openai_api_key": "sk-simulated-0123456789",
        "allow_private_hosts": True,
        "workers": 5,
        **more,
    }


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the example posters, as the page's reader has it."""
    shutil.copytree(ROOT / "examples" / "posters", tmp_path / "posters")
    shutil.copy(ROOT / "examples" / "posters.csv", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_script_of_the_page_runs(folder: Path) -> None:
    """As a plain script, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", EXAMPLES[0]], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 12
    assert {line.split()[1] for line in lines} == {"pass", "fail"}
    assert done.stderr == ""


async def test_the_cell_of_the_page_runs_in_a_loop_that_is_running(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a notebook does it: top-level await, in a loop that somebody else has started."""
    code = compile(EXAMPLES[1], "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    cell = eval(code, {})  # noqa: S307  the page's own example
    assert inspect.iscoroutine(cell)
    await cell
    run_id, counts = capsys.readouterr().out.split(maxsplit=1)
    assert (folder / "judged" / "runs" / run_id).is_dir()
    assert sum(ast.literal_eval(counts).values()) == 12


async def test_an_outcome_is_on_disk_before_it_arrives(tmp_path: Path) -> None:
    """So a reader that dies with it in hand has lost nothing."""
    with simulated(SMALL) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 20)
        run = redzone.analyze(posters, **server(simulator, tmp_path / "home"))
        await run.start()
        path = tmp_path / "home" / "runs" / run.id / "checkpoint.jsonl"
        rows = []
        async for outcome in run:
            rows.append(outcome.row)
            assert outcome in await asyncio.to_thread(lambda: list(read_outcomes(path)))
    assert sorted(rows) == list(range(1, 21))
    assert run.result is not None
    assert run.result.exit_code() == 0
    assert sum(run.result.counts.values()) == 20


async def test_it_runs_beside_other_work_without_holding_up_the_loop(tmp_path: Path) -> None:
    """Files are read and written in threads: a blocking call in the loop fails this test."""
    with simulated(SMALL) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 10)
        run = redzone.analyze(posters, **server(simulator, tmp_path / "home"))
        with blockbuster_ctx("redzone"):
            result = await run.wait()
    assert sum(result.counts.values()) == 10


def test_it_runs_in_a_thread_and_touches_no_signal(tmp_path: Path) -> None:
    """Signal handlers can be set in the main thread only, so a run in another one shows that none are."""
    before = signal.getsignal(signal.SIGINT)
    results: list[redzone.RunResult] = []
    with simulated(SMALL) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 5)
        run = redzone.analyze(posters, **server(simulator, tmp_path / "home"))
        thread = threading.Thread(target=lambda: results.append(asyncio.run(run.wait())))
        thread.start()
        thread.join(30)
    assert signal.getsignal(signal.SIGINT) is before
    assert sum(results[0].counts.values()) == 5


def test_it_imports_no_terminal(tmp_path: Path) -> None:
    """Neither Rich nor Typer, so a service that judges posters needs neither."""
    code = "import sys, redzone; redzone.analyze; print([m for m in ('rich', 'typer') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


async def test_a_block_that_is_left_stops_the_run_and_resume_finishes_it(tmp_path: Path) -> None:
    """What was paid for is kept, and each row is judged once."""
    with simulated(SimulatorOptions(poster_size=(60, 90), latency_s=0.02)) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 40)
        given = server(simulator, tmp_path / "home", workers=2)
        async with redzone.analyze(posters, **given) as run:
            async for _ in run:
                break
        assert run.result is not None
        assert run.result.stopped is not None
        done = sum(run.result.counts.values())
        assert 0 < done < 40
        rows = [outcome.row async for outcome in redzone.resume(run.id, **given)]
    assert len(rows) == 40 - done


async def test_a_slow_reader_slows_the_run_and_loses_nothing(tmp_path: Path) -> None:
    """Memory stays bounded: the workers wait for the reader."""
    with simulated(SMALL) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 300)
        run = redzone.analyze(posters, **server(simulator, tmp_path / "home", workers=50))
        first = await anext(run)
        while run.snapshot().done - 1 < 256:  # noqa: ASYNC110  it has no event for this
            await asyncio.sleep(0.01)
        rest = [outcome.row async for outcome in run]
    assert sorted([first.row, *rest]) == list(range(1, 301))


async def test_a_run_that_ends_by_itself_raises_the_reason(tmp_path: Path) -> None:
    """A key that is refused must not look like an empty list."""
    with simulated(SimulatorOptions(poster_size=(60, 90), api_key="another")) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 3)
        with pytest.raises(redzone.RunStopped, match="API key"):
            async for _ in redzone.analyze(posters, **server(simulator, tmp_path / "home")):
                pass


async def test_errors_of_use_are_raised_before_anything_is_made(tmp_path: Path) -> None:
    """A missing list, an unknown setting, a run that does not exist."""
    with pytest.raises(redzone.UsageError, match=r"gone\.csv"):
        await redzone.analyze(tmp_path / "gone.csv", provider="local", home=tmp_path / "home").wait()
    with pytest.raises(redzone.UsageError, match="wrokers"):
        redzone.analyze("list.csv", home=tmp_path / "home", wrokers=3)
    with pytest.raises(redzone.UsageError):
        redzone.resume("20260101", home=tmp_path / "home")
    assert not (tmp_path / "home").exists()


async def test_a_finished_run_is_resumed_to_what_it_was(tmp_path: Path) -> None:
    """The same counts and the same exit code, without asking anything."""
    with simulated(SimulatorOptions(poster_size=(60, 90), faults={Fault.DEAD: 0.5})) as simulator:
        given = server(simulator, tmp_path / "home", fetch_retries=0)
        first = await redzone.analyze(poster_list(tmp_path / "list.csv", simulator, 12), **given).wait()
        requests = len(simulator.log)
        again = await redzone.resume(first.run_id, **given).wait()
        assert len(simulator.log) == requests
    assert (again.counts, again.exit_code()) == (first.counts, first.exit_code())
    assert again.exit_code() == 3


async def test_an_estimate_counts_and_leaves_nothing(tmp_path: Path) -> None:
    """Rows and requests, and no home afterwards."""
    posters = write_list(tmp_path / "list.csv", ["https://posters.example/1.jpg"] * 2)
    found = await redzone.estimate(
        posters, home=tmp_path / "home", provider="openai", openai_api_key="sk-0123456789"
    )
    assert (found.rows, found.duplicates, found.requests) == (2, 1, 1)
    assert not (tmp_path / "home").exists()


async def test_two_runs_in_one_process_log_into_their_own_folders(tmp_path: Path) -> None:
    """Each log has its own run's warning, and the host's logging stays as it was."""
    logger = logging.getLogger("redzone")
    before = (logger.level, logger.propagate, list(logger.handlers))
    given: dict[str, Any] = {"provider": "local", "home": tmp_path / "home"}
    folders = []
    for name in ("a", "b"):
        posters = write_list(tmp_path / f"{name}.csv", [str(tmp_path / f"{name}-{n}.jpg") for n in (1, 2)])
        folders.append((await redzone.analyze(posters, **given).wait()).folder)
        checkpoint, record = folders[-1] / "checkpoint.jsonl", folders[-1] / "run.json"
        checkpoint.write_bytes(checkpoint.read_bytes()[:-40])
        record.write_text(record.read_text().replace('"finished"', '"running"'))
    await asyncio.gather(*(redzone.resume(folder.name, **given).wait() for folder in folders))
    logs = [(folder / "log.jsonl").read_text() for folder in folders]
    assert [text.count("an incomplete last line") for text in logs] == [1, 1]
    assert (logger.level, logger.propagate, list(logger.handlers)) == before


def test_the_public_names_are_these() -> None:
    """A dozen; all else may change at any time."""
    assert sorted(redzone.__all__) == [
        "Outcome",
        "RedzoneError",
        "Run",
        "RunEstimate",
        "RunResult",
        "RunStopped",
        "Settings",
        "Status",
        "UsageError",
        "__version__",
        "analyze",
        "estimate",
        "resume",
    ]
    for name in redzone.__all__:
        assert getattr(redzone, name) is not None


def test_outcomes_are_plain_values(tmp_path: Path) -> None:
    """They can be written as JSON as they are."""
    posters = write_list(tmp_path / "list.csv", [str(tmp_path / "gone.jpg")])

    async def main() -> list[str]:
        run = redzone.analyze(posters, provider="local", home=tmp_path / "home")
        return [outcome.model_dump_json() async for outcome in run]

    (line,) = asyncio.run(main())
    assert json.loads(line)["error"]["code"] == "fetch-missing"
