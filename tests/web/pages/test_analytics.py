"""`/analytics` over HTTP: its figures are those of the checkpoints."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from random import Random

import httpx2

from redzone.models import Outcome, Status
from redzone.runs import RunFolder
from redzone.runs.reviews import append_reviews
from redzone.web.services.totals_cache import RunTotals
from tests.outcomes import NOON, outcome
from tests.query.runs import plainly_read
from tests.web.homes import write_run
from tests.web.posters import HOSTILE, judged, said
from tests.web.serving import Served, served

DAY = 24 * 60
RATES = {"award": (60, 30, 6, 4), "just_added": (80, 10, 5, 5), "trending": (50, 40, 10, 0)}


def _outcomes(seed: int, count: int = 300) -> list[Outcome]:
    chance = Random(seed)  # noqa: S311  the same runs every time
    found = []
    for row in range(1, count + 1):
        group = sorted(RATES)[row % 3]
        status = chance.choices(list(Status), RATES[group])[0]
        sure_pct = chance.uniform(40, 100)
        zones = () if status is Status.ERROR else (said(status, sure_pct),)
        found.append(outcome(row, status, group=group, zones=zones))
    return found


def _three_runs(home: Path) -> list[RunFolder]:
    """Of the same list, a day apart; some posters of each were reviewed."""
    runs = [write_run(home, day * DAY, _outcomes(day), rows=300, label=f"day {day}") for day in range(3)]
    for number, folder in enumerate(runs):
        chance = Random(number)  # noqa: S311
        for one in plainly_read(folder):
            if chance.random() < 0.2:
                opinion = chance.choice([Status.PASS, Status.FAIL])
                append_reviews(folder.reviews_path, [one.judge("ann", NOON, opinion)])
    return runs


def _read(dashboard: Served, query: str = "") -> str:
    """The page once all of its runs are read; each look waits a second for them."""
    for _ in range(30):
        page = dashboard.get("/analytics" + query).text
        if "for the first time" not in page:
            return page
    raise AssertionError("the runs were never read")


def _tiles(page: str) -> dict[str, str]:
    """The figures of the tiles by their names."""
    return {
        name.strip(): figure
        for name, figure in re.findall(r"<dt>([a-z ]+)<span>.*?<dd[^>]*>(.*?)</dd>", page)
    }


def test_the_figures_are_those_of_the_checkpoints(home: Path) -> None:
    """After review, over all runs."""
    runs = _three_runs(home)
    reviewed_outcomes = [reviewed for folder in runs for reviewed in plainly_read(folder)]
    counts = Counter(reviewed.status for reviewed in reviewed_outcomes)
    judged_ones = [reviewed for reviewed in reviewed_outcomes if reviewed.judged]
    agreed = sum(reviewed.original_status is reviewed.status for reviewed in judged_ones)
    with served(home) as dashboard:
        page = _read(dashboard)
    tiles = _tiles(page)
    decided = counts[Status.PASS] + counts[Status.FAIL]
    assert tiles["posters analysed"] == "900"
    assert tiles["pass rate"] == f"{100 * counts[Status.PASS] / decided:.1f} %"
    assert [tiles[status] for status in ("fail", "unsure", "error")] == [
        str(counts[status]) for status in (Status.FAIL, Status.UNSURE, Status.ERROR)
    ]
    assert tiles["agreement"] == f"{100 * agreed / len(judged_ones):.1f} %"
    assert f"<b>{len(judged_ones)}</b> of 900 posters" in page
    pairs = Counter((reviewed.original_status, reviewed.status) for reviewed in judged_ones)
    people = (Status.PASS, Status.FAIL, Status.UNSURE)
    assert _confusion(page) == {
        status.value: [str(pairs[status, person] or "\u2013") for person in people]
        for status in Status
        if any(pairs[status, person] for person in people)
    }


def _confusion(page: str) -> dict[str, list[str]]:
    """What people said by what the run had said."""
    table = page[page.index('<table class="table plain confusion">') :]
    rows = re.findall(r'<th scope="row"><span class="chip (\w+)">(.*?)</tr>', table, re.DOTALL)
    return {status: re.findall(r'<td class="num[^"]*">(.*?)</td>', cells)[:3] for status, cells in rows}


def test_groups_stand_with_their_trend_against_the_run_before(home: Path) -> None:
    """Pass rates in all runs and in the newest, and its change in points."""
    runs = _three_runs(home)
    with served(home) as dashboard:
        page = _read(dashboard)
    for name in RATES:
        whole, newest, before = (_pass_rate_pct(some, name) for some in (runs, runs[-1:], runs[-2:-1]))
        change = newest - before
        row = re.search(rf'<th scope="row">{name}</th>(.*?)</tr>', page, re.DOTALL)
        assert row is not None
        cells = re.sub(r"<[^>]+>", " ", row[1]).split()
        assert cells[:5] == ["300", f"{whole:.1f}", "%", f"{newest:.1f}", "%"]
        assert cells[5:] == (["▲" if change > 0 else "▼", f"{abs(change):.1f}"])


def _pass_rate_pct(runs: Sequence[RunFolder], group: str) -> float:
    statuses = [one.status for folder in runs for one in plainly_read(folder) if one.row.group == group]
    passed, failed = (statuses.count(status) for status in (Status.PASS, Status.FAIL))
    return 100 * passed / (passed + failed)


def test_a_time_and_a_choice_of_runs_stand_in_the_address(home: Path) -> None:
    """And what is no day is said to be none."""
    runs = _three_runs(home)
    with served(home) as dashboard:
        assert _posters(dashboard, "?since=2026-10-04&until=2026-10-04") == "300"
        assert _posters(dashboard, "?since=2026-10-04") == "600"
        assert _posters(dashboard, f"?run={runs[0].id}&run={runs[2].id}") == "600"
        assert "No run in this period has results yet" in dashboard.get("/analytics?until=2020-01-01").text
        for wrong in ("?since=soon", "?run=..%2F..", "?before=x"):
            assert dashboard.get("/analytics" + wrong).status_code == 400
        assert dashboard.get("/analytics?before=20200101-000000-zzzz").status_code == 404


def _posters(dashboard: Served, query: str) -> str:
    return _tiles(_read(dashboard, query))["posters analysed"]


def test_what_changed_is_listed_with_links_to_both_posters(home: Path) -> None:
    """From the run before to the newest, or between any two."""
    one = [judged(row, Status.PASS, image=f"/p/{row}.png") for row in range(1, 7)]
    other = [
        judged(1, Status.FAIL, image="/p/1.png", title=HOSTILE[0]),
        judged(2, Status.PASS, image="/p/2.png"),
        judged(3, Status.UNSURE, image="/p/3.png"),
        judged(4, Status.PASS, image="/p/4.png"),
        judged(5, Status.PASS, image="/p/new.png", id="0099"),
    ]
    before, after = write_run(home, 1, one), write_run(home, 2, other)
    with served(home) as dashboard:
        page = _read(dashboard)
        back = _read(dashboard, f"?before={after.id}&after={before.id}")
    for name, count in (("newly failing", 1), ("fixed", 0), ("flipped", 1), ("unchanged", 2), ("new", 1)):
        assert f"<dt>{name}</dt><dd><b>{count}</b></dd>" in page
    assert f'href="/runs/{after.id}/posters/1"' in page
    assert f'href="/runs/{before.id}/posters/1"' in page
    assert f'src="/runs/{after.id}/pictures/1?zone=red' in page
    assert HOSTILE[0] not in page
    assert "<dt>fixed</dt><dd><b>1</b></dd>" in back


def test_runs_of_different_lists_are_not_compared_unless_asked(home: Path) -> None:
    """There is nothing before the first run of a list."""
    write_run(home, 1, [judged(1)])
    other = write_run(home, 2, [judged(1)], inputs={"paths": ["/lists/other.csv"]})
    with served(home) as dashboard:
        page = _read(dashboard)
        assert "There is no earlier run of the same list" in page
        assert "needs an earlier run" in page
        assert "unchanged" in _read(dashboard, f"?before={other.id}")


def test_a_run_that_cannot_be_read_spoils_no_page(home: Path) -> None:
    """A newer version wrote it: it is left out, and a comparison with it says so."""
    whole = write_run(home, 1, [judged(1)])
    broken = write_run(home, 2, [judged(1)])
    broken.checkpoint_path.write_text('{"schema": 99}\n')
    with served(home) as dashboard:
        page = _read(dashboard)
        assert _tiles(page)["posters analysed"] == "1"
        assert "One of these runs cannot be read" in page
        assert "unchanged" in _read(dashboard, f"?before={whole.id}&after={whole.id}")


def test_without_a_run_it_says_how_to_begin(home: Path) -> None:
    """Nor with one that has found nothing."""
    with served(home) as dashboard:
        assert "redzone analyze posters.csv" in dashboard.get("/analytics").text
        write_run(home, 1)
        assert "No run in this period has results yet" in dashboard.get("/analytics").text


def test_a_run_that_is_read_for_the_first_time_holds_up_no_page(home: Path) -> None:
    """The page says so, and its stream brings the figures and ends."""
    folder = write_run(home, 1, _outcomes(1))
    RunTotals.read(folder)
    append_reviews(folder.reviews_path, [plainly_read(folder)[0].judge("ann", NOON, Status.FAIL)])
    with (
        served(home) as dashboard,
        closing(sqlite3.connect(folder.browse_path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")  # another process is filling the tables
        page = dashboard.get("/analytics?since=2026-01-01").text
        assert "Reading 1 run for the first time" in page
        assert 'data-stream="/analytics/stream?since=2026-01-01"' in page
        assert "posters analysed" not in page
        other.execute("ROLLBACK")
        with httpx2.stream("GET", dashboard.url("/analytics/stream"), trust_env=False) as stream:
            told = "".join(stream.iter_text())
    assert "<dd>300</dd>" in told
    assert "event: end" in told
