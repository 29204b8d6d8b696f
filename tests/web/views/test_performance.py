"""What the performance page makes of a run's snapshots."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redzone.models import Status
from redzone.telemetry.metrics import RateFigures, Snapshot, Stage, Timings, WorkerSlot
from redzone.telemetry.metrics_log import timeline
from redzone.web.pages.performance import PARTS
from redzone.web.services.run_status import RunState, RunStatus
from redzone.web.templates import render_part
from redzone.web.views.performance import SHOWN_WORKERS, Performance
from tests.terminal.snapshots import lanes, snapshot, snapshots
from tests.web.homes import record_at


def _performance(
    said: Snapshot, *history: Snapshot, standing: RunState = RunState.LIVE, **changes: Any
) -> Performance:
    run = RunStatus(record_at(1, **changes), standing, {Status.PASS: said.passed}, 0.01, 60.0, said)
    return Performance(run, said, history or (said,), tuple(timeline(history or (said,))))


@settings(max_examples=60, deadline=None)
@given(snapshots, st.lists(snapshots, max_size=3), st.sampled_from(RunState))
def test_no_snapshot_breaks_the_page(said: Snapshot, history: list[Snapshot], standing: RunState) -> None:
    """Whatever the figures, and as text whatever the names."""
    perf = _performance(said, *history, standing=standing)
    html = "".join(render_part(f"performance/{part}.html", perf=perf) for part in PARTS)
    assert "<script" not in html
    for lane in said.lanes:
        if "<" in lane.id:
            assert lane.id not in html
    assert 'class="chart"' in perf.chart


def test_every_worker_has_a_lane_and_the_free_ones_keep_theirs() -> None:
    """So that the page keeps its height while posters come and go."""
    said = snapshot(workers=4, lanes=(lanes(3)[0], lanes(3)[2]))
    slots = _performance(said).slots
    assert [slot.worker for slot in slots] == [1, 2, 3, 4]
    assert [slot.lane is None for slot in slots] == [False, True, False, True]


def test_of_a_very_large_crew_those_are_shown_that_may_hang() -> None:
    """The longest in a stage, those that only wait last."""
    busy = tuple(
        WorkerSlot(worker=n, row=n, id=str(n), stage=Stage.WAIT if n % 2 else Stage.MODEL, age_s=float(n))
        for n in range(1, 1001)
    )
    perf = _performance(snapshot(workers=1000, lanes=busy))
    assert len(perf.slots) == SHOWN_WORKERS
    assert [slot.worker for slot in perf.slots[:3]] == [1000, 998, 996]
    assert "and 760 more" in render_part("performance/workers.html", perf=perf)


@pytest.mark.parametrize(
    ("stage", "age_s", "slow"), [("model", 31, True), ("model", 29, False), ("wait", 99, False)]
)
def test_a_worker_that_hangs_is_marked(stage: str, age_s: float, slow: bool) -> None:
    """A long wait for the limit is none of its doing."""
    lane = WorkerSlot(worker=1, row=1, id="1", stage=Stage(stage), age_s=age_s)
    (slot,) = _performance(snapshot(workers=1, lanes=(lane,))).slots
    assert slot.slow is slow


def test_ages_are_drawn_so_that_seconds_and_minutes_are_both_seen() -> None:
    """Half a minute fills the bar; a second is more than a thirtieth."""
    ages = [
        _performance(snapshot(lanes=(WorkerSlot(worker=1, row=1, id="", stage=Stage.MODEL, age_s=age_s),)))
        .slots[0]
        .age_pct
        for age_s in (0.0, 1.0, 30.0, 600.0)
    ]
    assert ages == [0.0, pytest.approx(20.2, abs=0.1), 100.0, 100.0]


def test_the_limits_say_whose_they_are_and_the_most_of_any_minute() -> None:
    """Tokens only where somebody counts them."""
    busiest = snapshot(elapsed_s=60.0, rate=RateFigures(requests_last_min=119, requests_limit_per_min=120.0))
    now = snapshot(
        elapsed_s=120.0,
        rate=RateFigures(
            requests_last_min=60, requests_limit_per_min=120.0, requests_announced_per_min=120.0
        ),
    )
    (requests,) = _performance(now, busiest, now).uses
    assert (requests.last_min, requests.most, requests.share, requests.announced) == (60, 119, 0.5, True)
    assert "60 of 120" in requests.gauge
    counted = snapshot(rate=RateFigures(tokens_last_min=500))
    assert [(use.unit, use.share, use.announced) for use in _performance(counted).uses] == [
        ("requests", None, False),
        ("tokens", None, False),
    ]


def test_stages_are_shares_of_the_last_minute_while_live_and_of_all_afterwards() -> None:
    """With those that are in each now."""
    before = snapshot(elapsed_s=100.0, stage_s={Stage.MODEL: 900.0}, lanes=())
    waiting = tuple(WorkerSlot(worker=n, row=n, id="", stage=Stage.WAIT, age_s=1.0) for n in (1, 2))
    now = snapshot(elapsed_s=160.0, stage_s={Stage.MODEL: 910.0, Stage.WAIT: 90.0}, lanes=waiting)
    live = _performance(now, before, now).stages
    assert [(each.stage, each.share, each.now) for each in live] == [
        (Stage.WAIT, 0.9, 2),
        (Stage.MODEL, 0.1, 0),
    ]
    over = _performance(now, before, now, standing=RunState.FINISHED).stages
    assert [(each.stage, each.share) for each in over] == [(Stage.WAIT, 0.09), (Stage.MODEL, 0.91)]


def test_a_burst_that_the_limit_allows_is_not_drawn_above_it() -> None:
    """Both lines count what was in the last 60 s, as the limit does: 40 requests are 40 after a second."""
    first = snapshot(elapsed_s=1.0, posters_last_min=1800.0, rate=RateFigures(requests_last_min=40))
    assert "peak 40" in _performance(first).chart


def test_the_seconds_of_a_poster_come_whole_and_in_parts() -> None:
    """Mean, median and the slowest twentieth, each."""
    times = Timings(mean_s=3.0, p50_s=2.5, p95_s=7.0, fetch_s=0.4, fetch_p50_s=0.3, fetch_p95_s=0.9)
    whole, fetch, *_ = _performance(snapshot(timings=times)).parts
    assert (whole.name, whole.mean_s, whole.p50_s, whole.p95_s) == ("total", 3.0, 2.5, 7.0)
    assert (fetch.name, fetch.mean_s, fetch.p50_s, fetch.p95_s) == ("fetch", 0.4, 0.3, 0.9)


def test_silence_is_explained() -> None:
    """Recommendations appear after is not the same as all well."""
    fresh = snapshot(elapsed_s=2.0, done=3, passed=3, unsure=0, requests=3, cached=0, duplicates=0)
    assert "Recommendations appear after" in _performance(fresh).no_advice
    steady = snapshot(stage_s={Stage.MODEL: 400.0})
    assert "No recommendations" in _performance(steady).no_advice


def test_a_setting_in_a_recommendation_stands_out_and_everything_else_is_text() -> None:
    """To be copied; a code of a newer version gives no orders to the page."""
    said = snapshot(
        errors=300, errors_by_code={"<b>gone</b>": 300}, rate=RateFigures(rejected=100), requests=400
    )
    perf = _performance(said, standing=RunState.FINISHED)
    html = render_part("performance/advice.html", perf=perf)
    assert "<code>VISION_REQUESTS_PER_MINUTE</code>" in html
    assert "&lt;b&gt;gone&lt;/b&gt;" in html
