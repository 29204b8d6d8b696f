"""A PDF that reads as it should: its pages and words by poppler."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from redzone.models import Poster, Status
from redzone.reports import Format, Report, Shot, TableLayout, write_results
from redzone.reports import pdf_file as pdf_file_module
from redzone.review import ReviewedOutcome
from tests.reports.samples import FACTS, HOSTILE, failed, judged, picture, pictured, verdict

LAYOUT = TableLayout((), ("red",))


@pytest.fixture(autouse=True)
def poppler() -> None:
    """Where it is missing, these tests are skipped here and fail in the pipeline."""
    if shutil.which("pdftotext") is None:
        reason = "pdftotext is not there: apt-get install poppler-utils"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def written(folder: Path, *reviewed_outcomes: ReviewedOutcome, report: Report | None = None) -> Path:
    path = folder / "report.pdf"
    count = write_results(path, Format.PDF, reviewed_outcomes, LAYOUT, report or Report(FACTS, pictured))
    assert count == len(reviewed_outcomes)
    return path


def pages(path: Path) -> list[str]:
    """The words of each page, on one line."""
    text = subprocess.check_output(["pdftotext", "-raw", path, "-"], text=True)
    return [" ".join(page.replace("\u200b", "").split()) for page in text.split("\f")[:-1]]


def facts(path: Path) -> str:
    return subprocess.check_output(["pdfinfo", path], text=True)


def test_a_cover_then_the_failing_posters_then_the_unsure_ones(tmp_path: Path) -> None:
    """Twelve to a page, each page with its number; passes and errors are counted on the cover only."""
    statuses = [Status.FAIL] * 13 + [Status.UNSURE] * 2 + [Status.PASS, Status.ERROR]
    path = written(tmp_path, *(judged(row, status) for row, status in enumerate(statuses, 1)))
    cover, *rest = pages(path)
    assert "13 of 14 judged posters (93 %) have a title, logo or face in the red zone." in cover
    assert "2 verdicts are unsure: a person should look. 1 poster could not be judged." in cover
    assert "red: 60 % of the width, 10 % of the height" in cover.replace("\u00a0", " ")
    assert [re.findall(r"Poster \d+", page) for page in rest] == [
        [f"Poster {row}" for row in range(1, 13)],
        ["Poster 13"],
        ["Poster 14", "Poster 15"],
    ]
    assert [page[-5:] for page in (cover, *rest)] == ["1 / 4", "2 / 4", "3 / 4", "4 / 4"]
    assert rest[0].startswith("✗ Fail 13")
    assert "reason 1" in rest[0]
    assert "98 % sure" in rest[0]
    assert "In the zone: text “HEAT”, face" in rest[0]
    assert "p1 · award · row 1" in rest[0]


def test_the_document_says_what_it_is(tmp_path: Path) -> None:
    """A4, a title for the window, tags for screen readers, the instant it was made."""
    told = facts(written(tmp_path, judged(1)))
    assert re.search(r"Title: +Autumn line-up: 1 of 1 judged poster \(all\) has a title", told)
    assert re.search(r"Tagged: +yes", told)
    assert re.search(r"Page size: .*\(A4\)", told)
    assert re.search(r"CreationDate: +Thu Oct +1 .*2026", told)


def test_fonts_are_those_that_come_along(tmp_path: Path) -> None:
    """The same document on every machine; the charts too."""
    table = subprocess.check_output(["pdffonts", written(tmp_path, judged(1))], text=True)
    names = {line.split()[0].split("+")[-1] for line in table.splitlines()[2:]}
    assert {name.split("-")[0] for name in names} == {"LibertinusSerif", "DejaVuSansMono"}


def test_hostile_words_are_text(tmp_path: Path) -> None:
    """Typst shows them and runs none of them."""
    row = Poster(1, HOSTILE, "x", HOSTILE, HOSTILE)
    reviewed = ReviewedOutcome(row, failed(1, verdict(label=HOSTILE, justification=HOSTILE)))
    report = Report(replace(FACTS, label=HOSTILE, inputs=(HOSTILE,), judge=HOSTILE), pictured)
    found = pages(written(tmp_path, reviewed, judged(2), report=report))
    shown = HOSTILE.removesuffix("\x1b[31m")
    assert found[0].count(shown) == 4  # title, foot, input, judge
    assert found[1].count(shown) >= 4
    assert len(found) == 2


def test_a_long_word_is_broken_and_a_foreign_one_shown(tmp_path: Path) -> None:
    """A column has no room for 150 letters, and the neighbour's must not be covered."""
    word = "x" * 150
    (_, page) = pages(written(tmp_path, judged(1, title=word), judged(2, title="Ωμέγα Ночь")))
    assert word in page.replace(" ", "")
    assert "Ωμέγα Ночь" in page


def test_pictures_are_shown_up_to_their_number(tmp_path: Path) -> None:
    """The rest has a drawn place with the zone; a landscape picture keeps its shape."""
    shapes = {1: (200, 300), 2: (640, 360)}
    report = Report(
        FACTS,
        lambda reviewed_outcomes, _: (
            Shot(picture(size=shapes[reviewed.row.row])) for reviewed in reviewed_outcomes
        ),
        most_pictures=2,
    )
    path = written(tmp_path, *map(judged, (1, 2, 3)), report=report)
    table = subprocess.check_output(["pdfimages", "-list", path], text=True).splitlines()[2:]
    assert {tuple(map(int, line.split()[3:5])) for line in table} == set(shapes.values())
    cover, page = pages(path)
    assert "The first 2 of 3 posters have their picture" in cover
    assert page.count("no picture") == 1


def test_many_posters_are_told_up_to_their_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cover counts all of them, and the command that lists them is there."""
    monkeypatch.setattr(pdf_file_module, "MOST_CARDS", 4)
    cover, page = pages(written(tmp_path, *map(judged, range(1, 10))))
    assert "9 of 9 judged posters (all)" in cover
    assert re.findall(r"Poster \d", page) == ["Poster 1", "Poster 2", "Poster 3", "Poster 4"]
    assert "5 more are not shown here" in page


def test_the_same_findings_make_the_same_document(tmp_path: Path) -> None:
    """Byte for byte, so that two reports can be compared."""
    first = written(tmp_path, judged(1)).read_bytes()
    assert written(tmp_path, judged(1)).read_bytes() == first
