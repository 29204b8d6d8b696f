"""Results over HTTP as files: the same that the commands write, under a name that any disk takes."""

from __future__ import annotations

import csv
import html
import io
import re
import shutil
import subprocess
from pathlib import Path

import duckdb
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.models import Poster, Status
from redzone.query import Filter
from redzone.reports import Format
from redzone.review import ReviewedOutcome
from redzone.runs import RunFolder
from redzone.runs.reviews import append_reviews
from redzone.web.pages.downloads import MEDIA_TYPES, disposition, file_name
from tests.conftest import Invoke
from tests.outcomes import NOON, outcome
from tests.web.homes import record_at
from tests.web.lists import listed_run
from tests.web.posters import HOSTILE, judged, poster_file
from tests.web.serving import Served, served

FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)")


@pytest.fixture
def run(home: Path) -> RunFolder:
    """Posters with all sorts of titles, one of them with a picture; a bad row, a review, two rows to come."""
    titles = (*HOSTILE, *FORMULAS)
    statuses = list(Status)[:3]
    outcomes = [
        judged(row, statuses[row % 3], title=title, group=title) for row, title in enumerate(titles, 1)
    ]
    outcomes[0] = judged(1, Status.FAIL, image=poster_file(home.parent, "poster"), title=titles[0])
    outcomes.append(outcome(len(outcomes) + 1, Status.ERROR, group="award"))
    folder = listed_run(home, outcomes, more=2, label="Spring / <b>été</b>")
    second = outcomes[1]
    reviewed = ReviewedOutcome(Poster(2, second.id, second.image), second)
    append_reviews(folder.reviews_path, [reviewed.judge("ann", NOON, Status.PASS, "only the sky")])
    return folder


def taken(dashboard: Served, folder: RunFolder, form: str, query: str = "") -> httpx2.Response:
    """The answer to a click in the menu."""
    url = dashboard.url(f"/runs/{folder.id}/export.{form}{query}")
    answer = httpx2.get(url, headers={"Sec-Fetch-Site": "same-origin"}, trust_env=False, timeout=60)
    if answer.status_code == 200:
        assert answer.headers["Content-Type"] == MEDIA_TYPES[Format(form)]
        assert int(answer.headers["Content-Length"]) == len(answer.content)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Content-Disposition"].startswith(f'attachment; filename="{folder.id}-Spring-')
    return answer


@pytest.mark.parametrize(
    ("form", "query", "options"),
    [
        ("csv", "", []),
        ("json", "?status=fail&status=error", ["--status", "fail", "--status", "error"]),
        ("jsonl", "?text=%3Cscript%3E&look=list&sort=title", ["--text", "<script>"]),
        ("csv", "?ungrouped=yes&group=-1", ["--group", "", "--group=-1"]),
        (
            "csv",
            "?reviewed=yes&disagreed=no&max_confidence=98.5&kind=text&source=model",
            ["--reviewed", "--agreed", "--max-confidence", "98.5", "--kind", "text", "--source", "model"],
        ),
    ],
)
def test_a_table_is_byte_for_byte_what_the_command_writes(
    home: Path, run: RunFolder, scratch: Path, invoke: Invoke, form: str, query: str, options: list[str]
) -> None:
    """Of the same filter; how the page shows the list changes nothing. No file is left."""
    target = home.parent / f"by-command.{form}"
    done = invoke("export", run.id, "--home", str(home), "-o", str(target), *options)
    assert done.returncode == 0
    with served(home) as dashboard:
        answer = taken(dashboard, run, form, query)
    assert answer.status_code == 200
    assert answer.content == target.read_bytes()
    assert list(scratch.iterdir()) == []


def test_a_table_has_the_inputs_columns_and_no_formula(home: Path, run: RunFolder) -> None:
    """And rows that are not judged yet, but no escapes of a terminal."""
    with served(home) as dashboard:
        text = taken(dashboard, run, "csv").content.decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["price"] for row in rows[:2]] == ["1.50", "2.50"]
    assert [row["status"] for row in rows[-2:]] == ["pending", "pending"]
    assert (rows[1]["status"], rows[1]["reviewed_by"], rows[1]["original_status"]) == (
        "pass",
        "ann",
        "unsure",
    )
    assert [row["title"] for row in rows][6:10] == [f"'{title}" for title in FORMULAS]
    assert "\x1b" not in text


def test_a_parquet_file_opens(home: Path, run: RunFolder, scratch: Path, tmp_path: Path) -> None:
    """With the rows that were listed."""
    path = tmp_path / "taken.parquet"
    with served(home) as dashboard:
        path.write_bytes(taken(dashboard, run, "parquet", "?status=fail").content)
    found = duckdb.read_parquet(str(path)).project("title, status").fetchall()
    assert sorted(found) == sorted(
        (title, "fail") for title in (HOSTILE[0], HOSTILE[3], FORMULAS[0], FORMULAS[3])
    )
    assert list(scratch.iterdir()) == []


def test_a_report_tells_what_is_listed_with_its_pictures(home: Path, run: RunFolder, scratch: Path) -> None:
    """Titles are text in it."""
    with served(home) as dashboard:
        page = taken(dashboard, run, "html", "?status=fail").content.decode()
    assert page.count("data:image/jpeg;base64,") == 1
    assert len(re.findall(r"<h3>", page)) == 4
    assert "<script>" not in page
    assert "&lt;script&gt;document.title" in page
    assert list(scratch.iterdir()) == []


def test_a_document_opens(home: Path, run: RunFolder, scratch: Path, tmp_path: Path) -> None:
    """It names its run."""
    path = tmp_path / "taken.pdf"
    with served(home) as dashboard:
        path.write_bytes(taken(dashboard, run, "pdf").content)
    assert path.read_bytes().startswith(b"%PDF-")
    if shutil.which("pdftotext"):
        assert run.id in subprocess.check_output(["pdftotext", str(path), "-"], text=True)
    assert list(scratch.iterdir()) == []


def test_an_input_that_has_changed_is_said_before_anything_is_taken(
    home: Path, run: RunFolder, scratch: Path, invoke: Invoke
) -> None:
    """By the commands' rules: tables lack the input's other columns, and reports never had them."""
    (home.parent / "posters.csv").write_text("id,image\nother,/o.jpg\n")
    target = home.parent / "by-command.csv"
    assert "the input has changed" in invoke("export", run.id, f"--home={home}", f"--output={target}").stderr
    with served(home) as dashboard:
        asked = taken(dashboard, run, "csv", "?status=fail&group=a%26b")
        assert asked.status_code == 409
        assert "its content is not what this run read" in asked.text
        onward = f"/runs/{run.id}/export.csv?status=fail&group=a%26b&input=changed"
        assert onward in html.unescape(asked.text)
        assert taken(dashboard, run, "csv", "?input=changed").content == target.read_bytes()
        assert taken(dashboard, run, "html").status_code == 200
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/runs/{run}/export.csv?status=good", 400, "status: 'good' is not one of"),
        ("/runs/{run}/export.csv?text=%00", 400, "NUL"),
        ("/runs/{run}/export.xlsx", 404, "Export formats are csv, json, jsonl, parquet, html, pdf."),
        ("/runs/20261003-150000-zzzz/export.csv", 404, "there is no run"),
    ],
)
def test_what_cannot_be_taken_is_a_page_that_says_why(
    home: Path, run: RunFolder, path: str, status: int, said: str
) -> None:
    """In the dashboard's clothes, with its policy."""
    with served(home) as dashboard:
        answer = dashboard.get(path.format(run=run.id))
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert said in html.unescape(answer.text)
    assert "Content-Disposition" not in answer.headers


def test_what_the_command_complains_about_is_a_page(home: Path, run: RunFolder, scratch: Path) -> None:
    """A checkpoint of another schema, here."""
    run.checkpoint_path.write_bytes(b'{"kind":"outcome","schema":99}\n')
    with served(home) as dashboard:
        answer = taken(dashboard, run, "csv")
    assert answer.status_code == 400
    assert "schema" in answer.text
    assert list(scratch.iterdir()) == []


def test_a_format_that_needs_a_package_says_which_command_installs_it(
    home: Path, run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the menu instead of a link, and at its address."""
    extras = {Format.PDF: ("no_such_package", "pdf")}
    monkeypatch.setattr("redzone.reports.export._EXTRAS", extras)
    with served(home) as dashboard:
        page = html.unescape(dashboard.get(f"/runs/{run.id}").text)
        assert "Requires <code>pip install 'redzone[pdf]'</code>" in page
        assert "export.pdf" not in page
        assert "export.parquet" in page
        answer = dashboard.get(f"/runs/{run.id}/export.pdf")
        assert answer.status_code == 400
        assert "pip install 'redzone[pdf]'" in html.unescape(answer.text)


def test_the_menu_takes_what_is_listed(home: Path, run: RunFolder) -> None:
    """The filter and nothing of how it is shown."""
    with served(home) as dashboard:
        page = html.unescape(dashboard.get(f"/runs/{run.id}?status=fail&look=list&sort=title&page=1").text)
        assert f'href="/runs/{run.id}/export.csv?status=fail"' in page
        assert "Filtered posters in input order" in page
        assert "not judged yet" not in page
        page = dashboard.get(f"/runs/{run.id}").text
        assert f'href="/runs/{run.id}/export.pdf"' in page
        assert "Tables include pending posters" in page


def test_another_site_can_put_nothing_on_somebodys_disk(home: Path, run: RunFolder) -> None:
    """Neither by a link that a stranger's page follows by itself."""
    with served(home) as dashboard:
        for state in ("cross-site", "same-site"):
            answer = dashboard.get(
                f"/runs/{run.id}/export.csv",
                sec_fetch_site=state,
                sec_fetch_mode="navigate",
                sec_fetch_dest="document",
            )
            assert answer.status_code == 403


def test_a_question_about_the_file_writes_none(
    home: Path, run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HEAD has the headers only."""
    monkeypatch.setattr("redzone.web.services.child_process.REDZONE", ("/bin/false",))
    with served(home) as dashboard:
        answer = httpx2.head(dashboard.url(f"/runs/{run.id}/export.csv"), trust_env=False)
    assert (answer.status_code, answer.content) == (200, b"")
    assert "attachment" in answer.headers["Content-Disposition"]


@pytest.mark.parametrize(
    ("label", "wanted", "name"),
    [
        ("", Filter(), "{id}.csv"),
        ("Spring & summer", Filter(), "{id}-Spring-summer.csv"),
        ("../../etc/passwd", Filter(), "{id}-etc-passwd.csv"),
        ("a\r\nSet-Cookie: x=1", Filter(text="x"), "{id}-a-Set-Cookie-x-1-filtered.csv"),
        ("\u202egnp.exe\x1b[31m", Filter(), "{id}-gnp-exe.csv"),
        ("\uff0fetc\uff0f新しい ポスター", Filter(), "{id}-etc-新しい-ポスター.csv"),
        ("x" * 500, Filter(), "{id}-" + "x" * 40 + ".csv"),
    ],
)
def test_the_file_is_named_after_the_run_and_its_label(label: str, wanted: Filter, name: str) -> None:
    """In letters and digits of any script."""
    record = record_at(1, label=label)
    assert file_name(record, Format.CSV, wanted) == name.format(id=record.id)


@given(st.text(), st.sampled_from(Format))
def test_any_label_makes_a_name_that_every_disk_and_header_takes(label: str, form: Format) -> None:
    """No separator, no control character, nothing to quote, not too long."""
    name = file_name(record_at(1).model_copy(update={"label": label}), form, Filter(text="x"))
    assert not re.search(r'[\x00-\x1f\x7f/\\:*?"<>|%]', name)
    assert len(name.encode()) <= 255
    header = disposition(name)
    assert header.isascii()
    assert re.fullmatch(r"attachment; filename=\"[^\"\\]+\"(; filename\*=UTF-8''[\w.%~-]+)?", header)
