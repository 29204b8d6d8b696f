"""What a run says of itself, on a clock that is set by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.errors import ErrorCode
from redzone.models import ErrorDetail, Outcome, Source, Status, Timing, Tokens, ZoneVerdict
from redzone.telemetry.metrics import (
    MAX_GROUPS,
    OTHER_GROUP,
    RECENT_VERDICTS,
    SHOWN_GROUPS,
    Metrics,
    RateFigures,
    Stage,
    WorkerSlot,
)
from tests.outcomes import outcome

NOON = datetime(2026, 10, 3, 12, tzinfo=UTC)


class Hand:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.s = 1000.0

    def monotonic(self) -> float:
        return self.s

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.s)

    async def sleep(self, seconds: float) -> None:
        self.s += seconds


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def metrics(clock: Hand) -> Metrics:
    found = Metrics(clock, rows=1000)
    found.start()
    return found


def _error(row: int, code: ErrorCode) -> Outcome:
    return outcome(
        row, Status.ERROR, error=ErrorDetail(code=code, message="why", retryable=False), source=None
    )


def test_nothing_has_happened_yet(metrics: Metrics, clock: Hand) -> None:
    """Zeros, no rate and no guess at the end."""
    snapshot = metrics.snapshot()
    assert (snapshot.rows, snapshot.done, snapshot.elapsed_s) == (1000, 0, 0.0)
    assert (snapshot.posters_last_min, snapshot.eta_s) == (0.0, None)
    assert (snapshot.lanes, snapshot.recent, snapshot.groups) == ((), (), ())
    assert (snapshot.timings.p95_s, metrics.working_s, metrics.remaining) == (0.0, None, 1000)
    assert snapshot.at == clock.now()


def test_before_the_start_no_time_passes(clock: Hand) -> None:
    """A snapshot may be asked for at any time."""
    assert Metrics(clock).snapshot().elapsed_s == 0.0


def test_outcomes_are_counted_by_status_source_and_code(metrics: Metrics) -> None:
    """And what they took is added up."""
    for row, status in enumerate((Status.PASS, Status.PASS, Status.FAIL, Status.UNSURE), 1):
        metrics.recorded(outcome(row, status))
    metrics.recorded(outcome(5, Status.PASS, source=Source.CACHE, cost_usd=0.0, tokens=Tokens()))
    metrics.recorded(outcome(6, Status.FAIL, source=Source.DUPLICATE, cost_usd=0.0, tokens=Tokens()))
    for row, code in enumerate((ErrorCode.DEADLINE, ErrorCode.FETCH_HTTP_404, ErrorCode.FETCH_HTTP_404), 7):
        metrics.recorded(_error(row, code))
    snapshot = metrics.snapshot()
    assert (snapshot.passed, snapshot.failed, snapshot.unsure, snapshot.errors) == (3, 2, 1, 3)
    assert (snapshot.done, metrics.remaining) == (9, 991)
    assert (snapshot.cached, snapshot.duplicates) == (1, 1)
    assert list(snapshot.errors_by_code.items()) == [("fetch-http-404", 2), ("deadline", 1)]
    assert (snapshot.tokens_in, snapshot.tokens_out) == (7 * 400, 7 * 80)
    assert snapshot.cost_usd == pytest.approx(0.007)


def test_the_rate_is_that_of_the_last_minute(metrics: Metrics, clock: Hand) -> None:
    """Of the time since the start while that is shorter; older outcomes leave the window."""
    clock.s += 30
    for row in range(1, 11):
        metrics.recorded(outcome(row))
    assert metrics.snapshot().posters_last_min == pytest.approx(20)
    clock.s += 30
    assert metrics.snapshot().posters_last_min == pytest.approx(10)
    clock.s += 29.9
    assert metrics.snapshot().posters_last_min == pytest.approx(10)
    clock.s += 0.1
    assert metrics.snapshot().posters_last_min == 0.0
    assert metrics.snapshot().eta_s is None


def test_the_end_is_guessed_from_the_rate(metrics: Metrics, clock: Hand) -> None:
    """What is left, at the pace of the last minute."""
    clock.s += 60
    for row in range(1, 101):
        metrics.recorded(outcome(row))
    assert metrics.snapshot().eta_s == pytest.approx(9 * 60)


def test_a_resumed_run_goes_on_from_what_was_done(metrics: Metrics, clock: Hand) -> None:
    """Earlier outcomes and dollars count; they say nothing about the pace of today."""
    metrics.restore({Status.PASS: 500, Status.FAIL: 90, Status.ERROR: 10}, cost_usd=1.5)
    clock.s += 60
    for row in range(601, 701):
        metrics.recorded(outcome(row))
    snapshot = metrics.snapshot()
    assert (snapshot.done, snapshot.earlier, snapshot.passed) == (700, 600, 600)
    assert snapshot.posters_last_min == pytest.approx(100)
    assert snapshot.eta_s == pytest.approx(180)
    assert snapshot.cost_usd == pytest.approx(1.6)
    assert metrics.counts.total() == 700


def test_a_lane_says_who_is_where_and_for_how_long(metrics: Metrics, clock: Hand) -> None:
    """The age is that of the stage; the same stage again does not start it anew."""
    metrics.begin(2, 20, "0020")
    clock.s += 5
    metrics.begin(1, 10, "0010")
    metrics.stage(2, Stage.FETCH)
    clock.s += 3
    metrics.stage(2, Stage.FETCH)
    assert metrics.snapshot().lanes == (
        WorkerSlot(worker=1, row=10, id="0010", stage=Stage.READ, age_s=3.0),
        WorkerSlot(worker=2, row=20, id="0020", stage=Stage.FETCH, age_s=3.0),
    )
    metrics.idle(1)
    metrics.stage(1, Stage.MODEL)
    metrics.idle(7)
    assert [lane.worker for lane in metrics.snapshot().lanes] == [2]


def test_times_are_of_posters_that_were_worked_on(metrics: Metrics) -> None:
    """What came from the cache or a twin, or failed, would make the model look fast."""
    for row in range(1, 101):
        timing = Timing(fetch_s=0.5, wait_s=1.0, model_s=2.0, total_s=float(row))
        metrics.recorded(outcome(row, timing=timing))
    metrics.recorded(outcome(101, source=Source.CACHE, timing=Timing(total_s=999)))
    metrics.recorded(outcome(102, source=Source.DUPLICATE, timing=Timing(total_s=999)))
    metrics.recorded(_error(103, ErrorCode.DEADLINE))
    timings = metrics.snapshot().timings
    assert (timings.p50_s, timings.p95_s) == (51.0, 96.0)
    assert (timings.fetch_s, timings.wait_s, timings.model_s) == (0.5, 1.0, 2.0)
    assert metrics.working_s == pytest.approx(50.5 - 1.0)


def test_each_part_of_the_time_has_its_own_spread(metrics: Metrics) -> None:
    """The slowest downloads need not be the slowest answers."""
    for row in range(1, 101):
        timing = Timing(fetch_s=row / 10, wait_s=0.0, model_s=float(101 - row), total_s=101.0)
        metrics.recorded(outcome(row, timing=timing))
    times = metrics.snapshot().timings
    assert (times.mean_s, times.p50_s, times.p95_s) == (101.0, 101.0, 101.0)
    assert (times.fetch_s, times.fetch_p50_s, times.fetch_p95_s) == (5.05, 5.1, 9.6)
    assert (times.wait_s, times.wait_p50_s, times.wait_p95_s) == (0.0, 0.0, 0.0)
    assert (times.model_s, times.model_p50_s, times.model_p95_s) == (50.5, 51.0, 96.0)


def test_the_seconds_of_all_workers_are_added_up_by_stage(metrics: Metrics, clock: Hand) -> None:
    """What is in hand counts as it grows; the next poster begins where the last one left."""
    metrics.begin(1, 1, "0001")
    metrics.begin(2, 2, "0002")
    clock.s += 2
    metrics.stage(1, Stage.WAIT)
    clock.s += 3
    assert metrics.snapshot().stage_s == {Stage.READ: 7.0, Stage.WAIT: 3.0}
    metrics.stage(1, Stage.MODEL)
    clock.s += 1
    metrics.begin(1, 3, "0003")
    metrics.idle(2)
    clock.s += 4
    metrics.idle(1)
    clock.s += 100
    assert metrics.snapshot().stage_s == {Stage.READ: 12.0, Stage.WAIT: 3.0, Stage.MODEL: 1.0}


def test_processor_seconds_count_from_the_start(clock: Hand) -> None:
    """What the imports took is not the run's."""
    spent = iter((1.5, 1.5, 4.25))
    metrics = Metrics(clock, cpu_clock=lambda: next(spent))
    assert metrics.snapshot().cpu_s == 0.0
    metrics.start()
    assert [metrics.snapshot().cpu_s for _ in range(2)] == [0.0, 2.75]


def test_shares_are_of_what_was_done(metrics: Metrics) -> None:
    """No share before the first poster; what an earlier process did is no reuse of this one."""
    before = metrics.snapshot()
    assert (before.worked, before.success_rate, before.reuse_rate) == (0, None, None)
    metrics.restore({Status.PASS: 5, Status.ERROR: 1}, cost_usd=0.0)
    metrics.recorded(outcome(7))
    metrics.recorded(outcome(8, source=Source.CACHE))
    metrics.recorded(outcome(9, source=Source.DUPLICATE))
    metrics.recorded(_error(10, ErrorCode.DEADLINE))
    after = metrics.snapshot()
    assert (after.worked, after.success_rate, after.reuse_rate) == (4, 0.8, 0.5)


def test_one_sample_is_its_own_median(metrics: Metrics) -> None:
    """No index beyond the end."""
    metrics.recorded(outcome(1, source=Source.LOCAL, timing=Timing(total_s=2.0)))
    timings = metrics.snapshot().timings
    assert (timings.p50_s, timings.p95_s) == (2.0, 2.0)


def test_the_last_outcomes_are_kept_with_the_zone_that_matters(metrics: Metrics) -> None:
    """The one that holds something before the free ones; an error's message instead of a verdict."""
    free = ZoneVerdict(name="a", contains_key_elements=False, confidence_pct=99, justification="sky")
    held = ZoneVerdict(name="b", contains_key_elements=True, confidence_pct=80, justification="title")
    metrics.recorded(outcome(1, Status.FAIL, zones=(free, held, free)))
    metrics.recorded(outcome(2, Status.PASS, zones=(free,)))
    metrics.recorded(_error(3, ErrorCode.DEADLINE))
    assert [(r.row, r.confidence_pct, r.note) for r in metrics.snapshot().recent] == [
        (1, 80, "title"),
        (2, 99, "sky"),
        (3, None, "why"),
    ]
    for row in range(4, 100):
        metrics.recorded(outcome(row))
    assert [r.row for r in metrics.snapshot().recent] == list(range(100 - RECENT_VERDICTS, 100))


def test_groups_stand_with_the_highest_share_of_fails_first(metrics: Metrics) -> None:
    """Of those judged; a group without a verdict has no share."""
    for row, (group, status) in enumerate(
        [
            ("award", Status.PASS),
            ("award", Status.FAIL),
            ("new", Status.FAIL),
            ("new", Status.UNSURE),
            ("old", Status.ERROR),
        ],
        1,
    ):
        metrics.recorded(outcome(row, status, group=group))
    groups = metrics.snapshot().groups
    assert [(g.name, g.judged, g.fail_rate) for g in groups] == [
        ("new", 1, 1.0),
        ("award", 2, 0.5),
        ("old", 0, 0.0),
    ]
    assert (groups[0].unsure, groups[2].errors) == (1, 1)


def test_endless_groups_fill_neither_memory_nor_snapshot(metrics: Metrics) -> None:
    """A column of ids taken for the group: a thousand are counted by name and the rest together; the
    snapshot shows the fifty with most fails."""
    for row in range(1, MAX_GROUPS + 51):
        metrics.recorded(outcome(row, Status.FAIL, group=f"g{row:04}"))
    metrics.recorded(outcome(9999, Status.FAIL, group="g0777"))
    groups = metrics.snapshot().groups
    assert len(groups) == SHOWN_GROUPS
    assert [(group.name, group.judged) for group in groups[:3]] == [
        (OTHER_GROUP, 50),
        ("g0777", 2),
        ("g0001", 1),
    ]


def test_what_the_pipeline_sets_is_in_the_snapshot(metrics: Metrics) -> None:
    """Workers, requests, the limiter's figures and the note."""
    metrics.workers, metrics.requests, metrics.note = 8, 42, "stopping"
    metrics.rate = RateFigures(requests_last_min=9, rejected=1)
    snapshot = metrics.snapshot()
    assert (snapshot.workers, snapshot.requests, snapshot.note) == (8, 42, "stopping")
    assert snapshot.rate.rejected == 1


@given(st.lists(st.tuples(st.sampled_from(Status), st.sampled_from("abc"), st.floats(0, 90)), max_size=60))
def test_every_outcome_is_in_every_sum_once(said: list[tuple[Status, str, float]]) -> None:
    """rows = done + remaining; done = pass + fail + unsure + error = the sum over the groups."""
    clock = Hand()
    metrics = Metrics(clock, rows=100)
    metrics.start()
    for row, (status, group, pause_s) in enumerate(said, 1):
        clock.s += pause_s
        metrics.recorded(outcome(row, status, group=group))
        snapshot = metrics.snapshot()
        assert snapshot.done == row == snapshot.passed + snapshot.failed + snapshot.unsure + snapshot.errors
        assert snapshot.done + metrics.remaining == 100
        assert row == sum(g.passed + g.failed + g.unsure + g.errors for g in snapshot.groups)
        assert sum(snapshot.errors_by_code.values()) == snapshot.errors
        assert type(snapshot).model_validate_json(snapshot.model_dump_json()) == snapshot
