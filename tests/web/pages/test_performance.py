"""`/performance` over HTTP: which run it shows, live or over, and its stream."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx2

from redzone.models import Status
from redzone.runs import RecordedState
from redzone.telemetry.metrics import Stage, WorkerSlot
from tests.outcomes import outcome
from tests.web.homes import begin_work, end_work, now, one_of_each, say, write_run
from tests.web.serving import served

HANG = 'hang"><script>alert(1)</script>'


def test_without_a_run_it_says_how_to_begin(home: Path) -> None:
    """No error, no empty boxes."""
    with served(home) as dashboard:
        answer = dashboard.get("/performance")
    assert answer.status_code == 200
    assert "redzone analyze posters.csv" in answer.text


def test_it_shows_the_live_run_before_a_newer_one_that_is_over(home: Path) -> None:
    """And the newest run where none is live; another one is chosen by its id."""
    older = write_run(home, 1, one_of_each(), label="the older one")
    newer = write_run(home, 2, one_of_each(), label="the newer one")
    with served(home) as dashboard:
        assert f'<a href="/runs/{newer.id}">the newer one</a>' in dashboard.get("/performance").text
        begin_work(older)
        assert f'<a href="/runs/{older.id}">the older one</a>' in dashboard.get("/performance").text
        chosen = dashboard.get(f"/performance?run={newer.id}")
        assert (chosen.status_code, chosen.headers["location"]) == (303, f"/runs/{newer.id}/performance")
        assert "the newer one" in dashboard.get(f"/runs/{newer.id}/performance").text
        for nowhere in ("/performance?run=../../etc", "/runs/20200101-000000-zzzz/performance"):
            assert dashboard.get(nowhere).status_code == 404


def test_a_live_run_shows_its_figures_lanes_and_advice_without_a_script(home: Path) -> None:
    """The whole page, as a plain reload brings it; ids are text."""
    live = begin_work(write_run(home, 1, rows=1000))
    lane = WorkerSlot(worker=1, row=7, id=HANG, stage=Stage.MODEL, age_s=42.0)
    busy = {"stage_s": {Stage.WAIT: 122.0, Stage.MODEL: 78.0}, "workers": 3, "lanes": (lane,)}
    say(live, now(**busy))
    with served(home) as dashboard:
        page = dashboard.get("/performance").text
    for told in ("118", "of 1,000", "5m30s", "1 of 3 busy", "Workers waited for the limit 61 % of the time"):
        assert told in page
    assert '<li class="lane slow">' in page
    assert page.count('<li class="lane idle">') == 2
    assert HANG not in page
    assert "hang&#34;&gt;&lt;script&gt;" in page


def test_a_run_that_is_over_shows_its_history(home: Path) -> None:
    """The chart and the averages; nobody at work, and no stream."""
    outcomes = [outcome(row, Status.PASS) for row in range(1, 121)]
    over = write_run(home, 1, outcomes, rows=120, seconds=60.0)
    for second in (20.0, 40.0, 60.0):
        say(over, now(elapsed_s=second, done=int(2 * second), passed=int(2 * second), lanes=(), rows=120))
    with served(home) as dashboard:
        page = dashboard.get(f"/runs/{over.id}/performance").text
    assert "finished" in page
    assert "<dd>120</dd>" in page  # a minute, on average
    assert "Rate over time: requests, posters per minute" in page
    assert "data-stream" not in page
    assert "lane" not in page


def test_a_run_that_has_said_nothing_yet_has_a_page(home: Path) -> None:
    """Nor need one that was killed at once."""
    begin_work(write_run(home, 1, rows=10))
    write_run(home, 2, rows=10, state=RecordedState.RUNNING)
    with served(home) as dashboard:
        assert "Recommendations appear after" in dashboard.get("/performance").text
        assert dashboard.get(f"/runs/{write_run(home, 3).id}/performance").status_code == 200


def test_the_stream_tells_what_changed_and_ends_with_the_run(home: Path) -> None:
    """First every part, then those that differ, at last an `end`."""
    live = begin_work(write_run(home, 1, rows=1000))
    say(live, now(done=300, passed=300, failed=0, unsure=0, errors=0))
    with (
        served(home) as dashboard,
        httpx2.stream("GET", dashboard.url(f"/runs/{live.id}/performance/stream"), trust_env=False) as stream,
    ):
        lines = stream.iter_lines()
        first = _until(lines, 'id="perf-pace"')
        assert all(f'id="perf-{part}"' in first for part in ("state", "tiles", "advice", "workers"))
        say(live, now(done=417, passed=417, failed=0, unsure=0, errors=0))
        assert "417" in _until(lines, "417")
        live.write(live.read().model_copy(update={"state": RecordedState.FINISHED}))
        end_work(live)
        rest = _until(lines, "event: end")
        assert "finished" in rest
        assert next(lines, "") == "data: "
        assert [line for line in lines if line] == []


def test_a_stream_neither_outlives_its_reader_nor_holds_up_the_end_of_the_server(home: Path) -> None:
    """Readers that go are forgotten; one that stays is let go of."""
    live = begin_work(write_run(home, 1, rows=1000))
    say(live, now())
    url = f"/runs/{live.id}/performance/stream"
    with served(home) as dashboard:
        for _ in range(3):
            with httpx2.stream("GET", dashboard.url(url), trust_env=False) as stream:
                next(stream.iter_lines())
        stays = httpx2.stream("GET", dashboard.url(url), trust_env=False)
        next(stays.__enter__().iter_lines())
        ending_s = time.monotonic()
    assert time.monotonic() - ending_s < 1.5
    stays.__exit__(None, None, None)


def _until(lines: Iterator[str], mark: str) -> str:
    seen = []
    for line in lines:
        seen.append(line)
        if mark in line:
            return "\n".join(seen)
    raise AssertionError(f"{mark} never came")
