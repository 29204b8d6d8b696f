"""`redzone report` and the reports among the exports, from a run to a file."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import duckdb
import pytest

from redzone.errors import ExitCode
from tests.conftest import Invoke
from tests.pictures import encoded, gradient


@pytest.fixture
def run(invoke: Invoke, tmp_path: Path) -> str:
    """The id of a run of three posters, one of them without a file."""
    lines = [["content_id", "title", "image", "sot_name"]]
    for number in (1, 2):
        (tmp_path / f"{number}.png").write_bytes(encoded(gradient(400, 600), "PNG"))
        lines.append([str(number), f"Film {number}", f"{number}.png", f"g{number}"])
    lines.append(["3", "Film 3", "gone.png", "g1"])
    with (tmp_path / "posters.csv").open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    done = invoke("analyze", "posters.csv", "--provider", "local", "--progress", "none", "--name", "Spring")
    assert done.returncode == ExitCode.SOME_ERRORS
    (folder,) = (tmp_path / ".redzone" / "runs").iterdir()
    return folder.name


def test_a_report_is_a_page_with_the_pictures_in_it(invoke: Invoke, run: str, tmp_path: Path) -> None:
    """Named after the run where no name is given."""
    done = invoke("report", run[:10])
    assert (done.returncode, done.stdout) == (0, "")
    assert f"3 rows written to {run}.html" in done.stderr
    page = (tmp_path / f"{run}.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == 2
    assert "<h1>Spring</h1>" in page
    assert "gone.png cannot be read: No such file or directory" in page
    assert str(tmp_path) not in page  # folders are nobody else's business


def test_a_report_tells_the_rows_chosen_and_so_many_pictures(
    invoke: Invoke, run: str, tmp_path: Path
) -> None:
    """In several files at once."""
    done = invoke("report", run, "-o", "a.html", "-o", "a.pdf", "--group", "g2", "--pictures", "0")
    assert done.returncode == 0
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF-")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "data:image/jpeg" not in page
    assert "group g2" in page
    assert re.findall(r"<h3>(.*?)</h3>", page) == ["Film 2"]


def test_an_export_writes_every_format(invoke: Invoke, run: str, tmp_path: Path) -> None:
    """One option for each file."""
    names = ["a.csv", "a.json", "a.jsonl", "a.parquet", "a.html", "a.pdf"]
    done = invoke("export", run, *(part for name in names for part in ("-o", name)))
    assert done.returncode == 0
    assert [line.split()[-1] for line in done.stderr.splitlines()] == names
    with duckdb.connect() as database:
        rows = database.execute("SELECT content_id, status FROM 'a.parquet'").fetchall()
    assert [row[0] for row in rows] == ["1", "2", "3"]
    assert rows[2][1] == "error"


@pytest.mark.parametrize("target", ["-", "a.csv", "a.xls"])
def test_a_report_is_html_or_pdf(invoke: Invoke, run: str, target: str) -> None:
    """Anything else is a usage error that names the way."""
    done = invoke("report", run, "-o", target)
    assert done.returncode == ExitCode.USAGE
    assert re.search(r"a report is \.html or \.pdf|use \.csv", done.stderr)
