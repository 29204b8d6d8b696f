"""A run's results over HTTP: what is listed under which address, and that it is text."""

from __future__ import annotations

import html
import re
from pathlib import Path

import httpx2
import pytest
from markupsafe import escape

from redzone.models import Poster, Status
from redzone.review import ReviewedOutcome
from redzone.runs import RunFolder
from redzone.runs.reviews import append_reviews
from redzone.web.pages.results import PER_PAGE
from tests.outcomes import NOON, outcome
from tests.web.homes import begin_work, write_run
from tests.web.posters import HOSTILE, judged, run_of
from tests.web.serving import Served, served

STATUSES = (Status.PASS, Status.FAIL, Status.UNSURE, Status.FAIL)


def table_rows(answer: httpx2.Response) -> list[int]:
    """The rows listed, in order."""
    assert answer.status_code == 200
    return [int(row) for row in re.findall(r'id="row-(\d+)"', answer.text)]


def listed(dashboard: Served, folder: RunFolder, query: str = "") -> list[int]:
    return table_rows(dashboard.get(f"/runs/{folder.id}{query}"))


@pytest.fixture
def run(home: Path) -> RunFolder:
    """Four judged rows and a bad one; the later the row, the less sure. Row 2 was overruled."""
    outcomes = [judged(row, status) for row, status in enumerate(STATUSES, 1)]
    folder = run_of(home, [*outcomes, outcome(5, Status.ERROR, group="award")])
    reviewed = ReviewedOutcome(Poster(2, outcomes[1].id, outcomes[1].image), outcomes[1])
    append_reviews(folder.reviews_path, [reviewed.judge("ann", NOON, Status.PASS)])
    return folder


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("", [1, 2, 3, 4, 5]),
        ("?status=pass", [1, 2]),
        ("?status=fail&status=error", [4, 5]),
        ("?sort=confidence", [4, 3, 2, 1, 5]),
        ("?sort=confidence-desc&status=pass", [1, 2]),
        ("?group=award", [3, 5]),
        ("?ungrouped=yes", [2]),
        ("?reviewed=yes", [2]),
        ("?reviewed=no&status=fail", [4]),
        ("?min_confidence=97&max_confidence=98", [2, 3]),
        ("?kind=text", [2, 4]),
        ("?kind=face", []),
        ("?code=fetch-http-404", [5]),
        ("?text=poster+3", [3]),
        ("?text=HEAT", [2, 4]),
        ("?status=&text=&min_confidence=&reviewed=", [1, 2, 3, 4, 5]),
    ],
)
@pytest.mark.parametrize("look", ["grid", "list"])
def test_the_address_says_which_posters_are_listed_in_which_order(
    home: Path, run: RunFolder, query: str, rows: list[int], look: str
) -> None:
    """By the status that counts after review; in both layouts."""
    with served(home) as dashboard:
        assert listed(dashboard, run, f"{query}{'&' if query else '?'}look={look}") == rows


def test_where_reviewers_differ_can_be_listed_and_is_offered_only_where_they_do(
    home: Path, run: RunFolder
) -> None:
    """Also once it is chosen and nothing is left."""
    with served(home) as dashboard:
        assert "<legend>Reviewers</legend>" not in dashboard.get(f"/runs/{run.id}").text
        assert listed(dashboard, run, "?disagreed=yes") == []
        reviewed = ReviewedOutcome(Poster(2, "0002", "/nowhere/2.jpg"), judged(2))
        append_reviews(run.reviews_path, [reviewed.judge("ben", NOON, Status.FAIL)])
        assert "<legend>Reviewers</legend>" in dashboard.get(f"/runs/{run.id}").text
        assert listed(dashboard, run, "?disagreed=yes") == [2]
        assert listed(dashboard, run, "?disagreed=no&kind=text") == [4]
        assert "<legend>Reviewers</legend>" in dashboard.get(f"/runs/{run.id}?disagreed=no").text


def test_an_address_that_makes_no_sense_is_answered_with_what_would(home: Path, run: RunFolder) -> None:
    """Not with another list."""
    with served(home) as dashboard:
        for query in ("sort=luck", "status=good", "min_confidence=high", "max_confidence=101", "look=heap"):
            answer = dashboard.get(f"/runs/{run.id}?{query}")
            assert answer.status_code == 400
            assert query.partition("=")[0] in html.unescape(answer.text)
        assert dashboard.get("/runs/20261003-150000-zzzz").status_code == 404


def test_a_long_list_has_pages_that_keep_the_selection(home: Path) -> None:
    """Behind the last one is the last one."""
    folder = run_of(home, [judged(row) for row in range(1, PER_PAGE + 6)])
    with served(home) as dashboard:
        first = dashboard.get(f"/runs/{folder.id}?status=fail&sort=row")
        assert table_rows(first) == list(range(1, PER_PAGE + 1))
        assert f'href="/runs/{folder.id}?status=fail&amp;page=2"' in first.text
        rest = list(range(PER_PAGE + 1, PER_PAGE + 6))
        assert listed(dashboard, folder, "?status=fail&page=2") == rest
        assert listed(dashboard, folder, "?status=fail&page=999") == rest


def test_the_review_begins_with_the_least_sure_of_what_is_listed(home: Path, run: RunFolder) -> None:
    """And is not offered where everything is reviewed."""
    with served(home) as dashboard:
        page = html.unescape(dashboard.get(f"/runs/{run.id}?status=fail&show=badge").text)
        assert f'href="/runs/{run.id}/posters/4?status=fail&reviewed=no&sort=confidence&show=badge"' in page
        assert "Review <kbd" not in dashboard.get(f"/runs/{run.id}?reviewed=yes&status=pass&code=input").text


@pytest.mark.parametrize("look", ["grid", "list"])
def test_titles_groups_and_reasons_are_text(home: Path, look: str) -> None:
    """Whatever they hold: markup, terminal escapes, paths."""
    zone = judged(1).zones[0]
    outcomes = [
        judged(
            row,
            title=text,
            group=text,
            id=text,
            zones=(zone.model_copy(update={"justification": text}),),
        )
        for row, text in enumerate(HOSTILE, 1)
    ]
    folder = run_of(home, outcomes, label=HOSTILE[0])
    with served(home) as dashboard:
        page = dashboard.get(f"/runs/{folder.id}?look={look}&text=%3Cscript%3E").text
        page += dashboard.get(f"/runs/{folder.id}?look={look}").text
    assert "<script>document" not in page
    assert "<img src=x" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert str(escape(HOSTILE[0])) in page
    assert "{{ 7 * 7 }}" in page


def test_a_run_without_outcomes_says_how_to_go_on(home: Path) -> None:
    """A filter that leaves nothing says something else."""
    folder = write_run(home, 1, rows=4)
    with served(home) as dashboard:
        assert f"redzone resume {folder.id}" in dashboard.get(f"/runs/{folder.id}").text
        assert "No posters match these filters" in dashboard.get(f"/runs/{folder.id}?status=fail").text


def test_a_run_that_takes_long_to_read_says_so_and_asks_again(
    home: Path, run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody looks at an empty window for seconds; what is wrong with a checkpoint is said at once."""
    monkeypatch.setattr("redzone.web.pages.results.PATIENCE_S", 0.0)
    with served(home) as dashboard:
        page = dashboard.get(f"/runs/{run.id}").text
        assert "Reading 5 outcomes" in page
        assert '<meta http-equiv="refresh" content="1">' in page
        while "Reading" in page:
            page = dashboard.get(f"/runs/{run.id}").text
        assert 'id="row-1"' in page
        monkeypatch.setattr("redzone.web.pages.results.PATIENCE_S", 10.0)
        other = write_run(home, 2)
        other.checkpoint_path.write_bytes(b'{"kind":"outcome","schema":99}\n')
        for _ in range(2):
            assert dashboard.get(f"/runs/{other.id}").status_code == 400


def test_the_counts_of_a_live_run_and_what_is_new_are_streamed(home: Path) -> None:
    """The list itself stays under the reader's eyes."""
    folder = begin_work(run_of(home, [judged(1), judged(2)], rows=10))
    with served(home) as dashboard:
        page = dashboard.get(f"/runs/{folder.id}").text
        assert f'data-stream="/runs/{folder.id}/stream/2"' in page
        for listed_by_then, told in (("0", "2 new results"), ("1", "1 new result."), ("2", "hidden")):
            address = dashboard.url(f"/runs/{folder.id}/stream/{listed_by_then}")
            with httpx2.stream("GET", address, trust_env=False) as stream:
                lines = stream.iter_lines()
                assert any('id="run-head"' in line for line in lines)
                assert any(told in line for line in lines)
