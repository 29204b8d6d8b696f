"""The command line as its users and other tools see it."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from redzone.bench.simulator.faults import Fault
from redzone.bench.simulator.server import Simulator, SimulatorOptions
from redzone.cli import app
from tests.command import redzone
from tests.conftest import Invoke
from tests.simulated import model_requests, poster_list, simulated, write_list

SMALL = (60, 90)


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch, invoke: Invoke) -> str:
    """A key in the environment (after `invoke` cleared it)."""
    del invoke
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-0123456789-a1b2")
    return "sk-secret-0123456789-a1b2"


def server_of(simulator: Simulator) -> tuple[str, ...]:
    """The options that send a run to the simulator, quietly."""
    return ("--base-url", simulator.base_url, "--allow-private-hosts", "--progress", "none")


def analyse(invoke: Invoke, tmp_path: Path, simulator: Simulator, count: int, *more: str) -> None:
    """A finished run over the simulator's first posters."""
    posters = poster_list(tmp_path / "list.csv", simulator, count)
    done = invoke("analyze", posters, *server_of(simulator), *more)
    assert done.returncode == 0, done.stderr


def test_help_imports_neither_openai_nor_the_model(tmp_path: Path) -> None:
    """`redzone --help` stays quick: the heavy packages are imported by the commands that need them."""
    code = (
        "import sys; sys.argv = ['redzone', '--help']\n"
        "from redzone.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'openai', 'onnxruntime', 'numpy', 'PIL', 'httpx2', 'pydantic', 'asyncio'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "analyze" in done.stdout


def test_the_first_poster_is_asked_for_before_what_only_later_steps_need_is_imported(tmp_path: Path) -> None:
    """So it is asked for sooner: Pillow comes with the first view."""
    later = {
        "PIL",
        "jinja2",
        "numpy",
        "onnxruntime",
        "redzone.charts",
        "redzone.engine.estimate",
        "redzone.runs.rematch",
    }
    (tmp_path / "list.txt").write_text("http://127.0.0.1:9/poster.jpg\n")
    code = (
        "import os, sys\n"
        "def look(event, _):\n"
        "    if event == 'socket.connect':\n"
        f"        print(sorted({later} & set(sys.modules)), flush=True)\n"
        "        os._exit(0)\n"
        "sys.addaudithook(look)\n"
        "sys.argv = ['redzone', 'analyze', 'list.txt', '--allow-private-hosts', '--progress', 'none',\n"
        "    '--base-url', 'http://127.0.0.1:9/v1', '--home', 'home', '--output', 'results.csv']\n"
        "from redzone.cli import main\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert done.stdout == "[]\n"


def test_the_list_of_commands_fits_80_columns(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """No sentence about a command is cut off."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = invoke("--help").stdout.splitlines()[1:]  # the first one is the usage
    assert [line for line in lines if line.endswith("...") or len(line) > 80] == []


def test_every_command_has_help_with_its_options(invoke: Invoke) -> None:
    """No command is without a sentence about it."""
    for command in (
        "analyze",
        "resume",
        "export",
        "check",
        "doctor",
        "schema",
        "runs",
        "config",
        "cache",
        "bench",
    ):
        shown = invoke(command, "--help")
        assert shown.returncode == 0
        assert len(shown.stdout.splitlines()) > 5
    assert "Examples:" in invoke("analyze", "--help").stdout
    assert all(
        command.help or command.callback.__doc__ for command in app.registered_commands if command.callback
    )


def test_analyze_writes_one_row_per_input_row_in_input_order(
    invoke: Invoke, key: str, tmp_path: Path
) -> None:
    """Every input column is kept, then the result columns; zeros of ids stay."""
    with simulated(SimulatorOptions(poster_size=SMALL, latency_s=0.02, latency_spread=1)) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 30)
        done = invoke(
            "analyze", posters, "--base-url", simulator.base_url, "--allow-private-hosts",
            "-o", "out.csv", "-o", "out.json", "-o", "out.jsonl", "--json", "--progress", "none",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["state"] == "finished"
    assert sum(told["counts"].values()) == 30
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["content_id"] for row in rows] == [f"{number:04}" for number in range(1, 31)]
    assert list(rows[0])[:10] == [
        "content_id", "content_name", "poster_img_url", "sot_name", "season",
        "status", "red_contains_key_elements", "red_confidence_pct", "red_elements", "red_justification",
    ]  # fmt: skip
    assert {"source", "model", "error"} <= set(rows[0])
    assert len(json.loads((tmp_path / "out.json").read_text())) == 30
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 30


def test_progress_goes_to_stderr_and_data_to_stdout(invoke: Invoke, key: str, tmp_path: Path) -> None:
    """`-o -` is a CSV and nothing else on stdout."""
    with simulated(SimulatorOptions(poster_size=SMALL)) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 3)
        done = invoke(
            "analyze", posters, "--base-url", simulator.base_url, "--allow-private-hosts", "-o", "-",
            "--progress", "plain",
        )  # fmt: skip
    assert len(list(csv.DictReader(done.stdout.splitlines()))) == 3
    assert re.search(r"done=3/3 .*rate=", done.stderr)


def test_exit_codes(invoke: Invoke, key: str, tmp_path: Path) -> None:
    """0 done, 3 some in error, 5 --fail-on, 2 usage: as the contract has them."""
    with simulated(SimulatorOptions(poster_size=SMALL)) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 12)
        common = ("--base-url", simulator.base_url, "--allow-private-hosts", "--progress", "none")
        assert invoke("analyze", posters, *common).returncode == 0
        assert invoke("analyze", posters, *common, "--fail-on", "fail").returncode == 5
        gone = write_list(tmp_path / "gone.csv", [simulator.poster_url(1), str(tmp_path / "gone.jpg")])
        assert invoke("analyze", gone, *common).returncode == 3
    assert invoke("analyze", "nothing.csv").returncode == 2
    assert invoke("analyze", posters, "--zone", "nowhere").returncode == 2
    assert invoke("analyze", posters, "--workers", "none").returncode == 2
    assert invoke("resume", "20200101").returncode == 2
    assert invoke("analyze", posters, "--progress", "loud").returncode == 2


def test_fail_on_counts_no_error_as_a_fail(invoke: Invoke, key: str, tmp_path: Path) -> None:
    """An infrastructure fault is never a FAIL."""
    gone = write_list(tmp_path / "gone.csv", [str(tmp_path / "gone.jpg")])
    done = invoke(
        "analyze", gone, "--base-url", "http://127.0.0.1:9/v1", "--fail-on", "fail", "--progress", "none"
    )
    assert done.returncode == 3


def test_a_dry_run_sends_nothing(invoke: Invoke, key: str, tmp_path: Path) -> None:
    """Not one request, not one file; cached, doubled and unusable rows are told apart."""
    with simulated(SimulatorOptions(poster_size=SMALL)) as simulator:
        common = ("--base-url", simulator.base_url, "--allow-private-hosts", "--rpm", "120")
        images = [simulator.poster_url(n) for n in (1, 2, 3, 3, 4)]
        posters = write_list(tmp_path / "list.csv", [*images, ""])
        before = invoke("analyze", posters, *common, "--dry-run", "--json")
        assert simulator.log == []
        assert not (tmp_path / ".redzone").exists()
        first = write_list(tmp_path / "first.csv", images[:2])
        invoke("analyze", first, *common, "--progress", "none")
        seen = len(simulator.log)
        after = invoke("analyze", posters, *common, "--dry-run", "--json")
        assert len(simulator.log) == seen
    wanted = {"rows": 6, "bad_rows": 1, "duplicates": 1}
    assert json.loads(before.stdout) | wanted | {"cached": 0, "requests": 4} == json.loads(before.stdout)
    assert json.loads(after.stdout) | wanted | {"cached": 2, "requests": 2} == json.loads(after.stdout)
    assert json.loads(after.stdout)["cost_usd"] > 0


def test_a_preset_says_what_to_expect_and_takes_its_rows(invoke: Invoke, key: str, tmp_path: Path) -> None:
    """small is 25 rows with 5 workers; an option of one's own goes before the preset's."""
    with simulated(SimulatorOptions(poster_size=SMALL)) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 40)
        for options, rows in (((), 25), (("--limit", "7"), 7)):
            done = invoke("analyze", posters, *server_of(simulator), "--preset", "small", "--json", *options)
            assert json.loads(done.stdout)["rows"] == rows
            assert f"rows        {rows} (0 unusable)" in done.stderr
            assert "time        about" in done.stderr
    recorded = json.loads(invoke("runs", "list", "--json").stdout)
    assert {record["settings"]["workers"] for record in recorded} == {5}
    assert invoke("analyze", posters, "--preset", "huge").returncode == 2


def test_export_filters_and_keeps_the_order(invoke: Invoke, key: str, tmp_path: Path) -> None:
    """--status and --group choose rows of the whole; a changed input still gives the results."""
    with simulated(SimulatorOptions(poster_size=SMALL)) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 20)
        invoke(
            "analyze",
            posters,
            "--base-url",
            simulator.base_url,
            "--allow-private-hosts",
            "--progress",
            "none",
        )
    run = json.loads(invoke("runs", "list", "--json").stdout)[0]["id"]
    everything = list(csv.DictReader(invoke("export", run).stdout.splitlines()))
    fails = list(csv.DictReader(invoke("export", run, "--status", "fail").stdout.splitlines()))
    assert fails == [row for row in everything if row["status"] == "fail"]
    one = list(csv.DictReader(invoke("export", run, "--group", "group1").stdout.splitlines()))
    assert one == [row for row in everything if row["sot_name"] == "group1"]
    chosen = invoke("export", run, "--min-confidence", "50", "--unreviewed", "--kind", "text", "--text", "T")
    assert chosen.returncode == 0
    assert invoke("export", run, "--reviewed").stdout.count("\n") == 1
    assert invoke("export", run, "--disagreed").stdout.count("\n") == 1
    assert list(csv.DictReader(invoke("export", run, "--agreed").stdout.splitlines())) == everything
    refused = invoke("export", run, "--kind", "hand")
    assert (refused.returncode, refused.stderr) == (
        2,
        "redzone: --kind: 'hand' is not one of text, logo, face\n",
    )
    posters.write_text("changed")
    rescued = invoke("export", run)
    assert "has changed" in rescued.stderr
    rows = list(csv.DictReader(rescued.stdout.splitlines()))
    assert [row["status"] for row in rows] == [row["status"] for row in everything]
    assert invoke("export", run, "-o", "x.xlsx").returncode == 2


def test_runs_can_be_listed_shown_checked_and_removed(invoke: Invoke, key: str, tmp_path: Path) -> None:
    """A prefix of the id is enough."""
    with simulated(SimulatorOptions(poster_size=SMALL, faults={Fault.DEAD: 0.3})) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 10)
        done = invoke(
            "analyze", posters, "--base-url", simulator.base_url, "--allow-private-hosts",
            "--progress", "none", "--name", "spring sale", "--json",
        )  # fmt: skip
    run = json.loads(done.stdout)["run_id"]
    assert "spring sale" in invoke("runs", "list").stdout
    assert "cost" in invoke("runs", "show", run[:17]).stdout
    checked = invoke("check", run)
    assert checked.returncode == 0
    assert checked.stdout.rstrip().endswith("ok")
    assert invoke("runs", "rm", run).returncode == 0
    assert json.loads(invoke("runs", "list", "--json").stdout) == []


def test_check_finds_a_damaged_line(invoke: Invoke, key: str, tmp_path: Path) -> None:
    """One flipped byte in the middle: exit 1 and the line's number."""
    with simulated(SimulatorOptions(poster_size=SMALL)) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 5)
        invoke(
            "analyze",
            posters,
            "--base-url",
            simulator.base_url,
            "--allow-private-hosts",
            "--progress",
            "none",
        )
    path = next((tmp_path / ".redzone" / "runs").glob("*/checkpoint.jsonl"))
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"row"', b'"rov"')
    path.write_bytes(b"".join(lines))
    checked = invoke("check", path.parent.name)
    assert checked.returncode == 1
    assert "line 3" in checked.stdout


def test_config_hides_the_secret_and_names_its_source(invoke: Invoke, key: str) -> None:
    """`set (env OPENAI_API_KEY, ...a1b2)`, and the key nowhere."""
    shown = invoke("config", "show")
    assert "set (env OPENAI_API_KEY, ...a1b2)" in shown.stdout
    for output in (shown.stdout, invoke("config", "show", "--json").stdout, invoke("doctor").stdout):
        assert key not in output
    assert "home" in invoke("config", "path").stdout


def test_the_key_is_in_no_file_of_the_run(invoke: Invoke, key: str, tmp_path: Path) -> None:
    """Checkpoint, run.json, log, metrics and cache know nothing of it."""
    with simulated(SimulatorOptions(poster_size=SMALL, api_key="sk-other")) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 5)
        done = invoke(
            "analyze",
            posters,
            "--base-url",
            simulator.base_url,
            "--allow-private-hosts",
            "--progress",
            "json",
        )
    assert done.returncode == 2
    assert key not in done.stderr + done.stdout
    for path in (tmp_path / ".redzone").rglob("*"):
        assert not path.is_file() or key.encode() not in path.read_bytes()


def test_the_schema_describes_the_lines(invoke: Invoke, key: str, tmp_path: Path) -> None:
    """Every key of a real outcome line is a property of the schema, and every required one is there."""
    with simulated(SimulatorOptions(poster_size=SMALL)) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 2)
        invoke(
            "analyze",
            posters,
            "--base-url",
            simulator.base_url,
            "--allow-private-hosts",
            "--progress",
            "none",
        )
    schema = json.loads(invoke("schema").stdout)
    path = next((tmp_path / ".redzone" / "runs").glob("*/checkpoint.jsonl"))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in (line for line in lines if line["kind"] == "outcome"):
        assert set(schema["required"]) <= set(line) <= set(schema["properties"])


def test_provider_auto_says_which_and_why(invoke: Invoke, tmp_path: Path) -> None:
    """Without a key or an address the local model is used, in one line."""
    gone = write_list(tmp_path / "gone.csv", [str(tmp_path / "gone.jpg")])
    done = invoke("analyze", gone, "--progress", "none")
    assert "judged by the local model (no OPENAI_API_KEY is set)" in done.stderr
    refused = invoke("analyze", gone, "--provider", "openai")
    assert refused.returncode == 2
    assert "OPENAI_API_KEY" in refused.stderr
    assert "--provider local" in refused.stderr


def test_stdin_can_be_analysed_and_resumed(tmp_path: Path) -> None:
    """The bytes are kept in the run's folder, so that the run can go on."""
    gone = write_list(tmp_path / "gone.csv", [str(tmp_path / "gone.jpg")])
    done = redzone("analyze", "-", "--progress", "none", "--json", cwd=tmp_path, stdin=gone.read_text())
    assert done.returncode == 3, done.stderr
    run = json.loads(done.stdout)["run_id"]
    again = redzone("resume", run, "--retry-errors", "--progress", "none", cwd=tmp_path)
    assert again.returncode == 3, again.stderr


def test_the_cache_can_be_looked_at_and_cleared(invoke: Invoke, key: str, tmp_path: Path) -> None:
    """stats counts what a run remembered; clear forgets it."""
    with simulated(SimulatorOptions(poster_size=SMALL)) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 5)
        invoke(
            "analyze",
            posters,
            "--base-url",
            simulator.base_url,
            "--allow-private-hosts",
            "--progress",
            "none",
        )
        assert json.loads(invoke("cache", "stats", "--json").stdout)["verdicts"] == 5
        assert invoke("cache", "prune").returncode == 0
        assert invoke("cache", "clear").returncode == 0
        assert json.loads(invoke("cache", "stats", "--json").stdout)["verdicts"] == 0
        assert len(model_requests(simulator)) >= 5


def test_doctor_makes_one_cheap_call_online(
    invoke: Invoke, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--online asks the configured server once and says what it answered."""
    with simulated(SimulatorOptions(rpm=60)) as simulator:
        monkeypatch.setenv("OPENAI_BASE_URL", simulator.base_url)
        found = {f["name"]: f for f in json.loads(invoke("doctor", "--online", "--json").stdout)}
        assert len(model_requests(simulator)) == 1
    assert found["online"]["ok"] is True
    assert "limits 60 requests" in found["online"]["detail"]
    assert found["home"]["ok"] is True
