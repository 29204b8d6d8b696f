"""`redzone bench serve` as a process of its own."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

from redzone.commands.bench import app

COMMAND = (sys.executable, "-c", "from redzone.commands.bench import app; app()", "serve")


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    ready = folder / "ready.json"
    with subprocess.Popen(
        [*COMMAND, "--ready-file", str(ready), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            while not ready.exists():
                assert process.poll() is None, process.stderr.read() if process.stderr else ""
                time.sleep(0.02)
            yield process, json.loads(ready.read_text())
        finally:
            process.kill()


def test_it_serves_until_ctrl_c_even_while_a_client_waits(tmp_path: Path) -> None:
    """It says where it is, writes the list, answers, and ends with 0 and no complaint."""
    posters = tmp_path / "posters.csv"
    options = ("--list", str(posters), "--posters", "3", "--size", "tiny", "--fault", "stall=1")
    with serving(tmp_path, *options) as (process, ready):
        assert ready["origin"].startswith("http://127.0.0.1:")
        rows = list(csv.DictReader(posters.read_text().splitlines()))
        assert [row["content_id"] for row in rows] == ["0000001", "0000002", "0000003"]
        body = {"model": "m", "input": "Hello?"}
        with httpx2.Client() as http:
            assert http.get(rows[2]["poster_img_url"]).status_code == 200
            with pytest.raises(httpx2.ReadTimeout):
                http.post(f"{ready['base_url']}/responses", json=body, timeout=0.1)
            process.send_signal(signal.SIGINT)
            said, complaints = process.communicate(timeout=10)
    assert (process.returncode, complaints) == (0, "")
    assert f"OPENAI_API_KEY=simulated redzone analyze {posters} --base-url {ready['base_url']}" in said


def test_without_a_list_it_says_how_to_fetch_one(tmp_path: Path) -> None:
    """The example downloads the list first; SIGTERM ends it like Ctrl-C."""
    with serving(tmp_path) as (process, ready):
        process.send_signal(signal.SIGTERM)
        said, complaints = process.communicate(timeout=10)
    assert (process.returncode, complaints) == (0, "")
    assert f"curl -so posters.csv '{ready['origin']}/posters.csv?n=1000'" in said


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--fault", "reset=2", "share"),
        ("--fault", "nothing=0.1", "kind"),
        ("--size", "wide", "WxH"),
        ("--size", "1x1", "WxH"),
        ("--rpm", "0", "greater than or equal to 1"),
        ("--enforcement", "lax", "quantised"),
    ],
)
def test_an_impossible_option_is_a_usage_error(option: str, value: str, says: str) -> None:
    """Exit 2, and the text says what is possible."""
    result = CliRunner(env={"TERM": "dumb", "COLUMNS": "200"}).invoke(app, ["serve", option, value])
    assert result.exit_code == 2
    assert says in result.output
