"""`/healthz` and `/metrics`, read as the machines read them."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from redzone.runs import RecordedState
from redzone.telemetry.metrics import RateFigures
from tests.web.conftest import Serve
from tests.web.homes import begin_work, now, one_of_each, say, write_run
from tests.web.serving import Served


def samples(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    """Values by metric and labels."""
    return {
        family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples}
        for family in text_string_to_metric_families(text)
    }


def test_health_is_a_word(dashboard: Served) -> None:
    """Whatever the runs look like."""
    assert dashboard.get("/healthz").text == "ok\n"


def test_prometheus_reads_the_sums_and_every_live_run(home: Path, serve: Serve) -> None:
    """And the newest one, live or not; older ones are history."""
    old = write_run(home, 1, one_of_each(), state=RecordedState.STOPPED)
    live = begin_work(write_run(home, 2, rows=1000))
    rate = RateFigures(rejected=7)
    say(live, now(passed=5, failed=4, unsure=3, errors=2, requests=90, cost_usd=0.25, workers=12, rate=rate))
    newest = write_run(home, 3, one_of_each())
    answer = serve(home).get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    found = samples(answer.text)
    assert found["redzone_runs"] == {("live",): 1, ("finished",): 1, ("stopped",): 1, ("interrupted",): 0}
    outcomes = found["redzone_outcomes"]
    assert [outcomes[live.id, status] for status in ("pass", "fail", "unsure", "error", "pending")] == [
        5,
        4,
        3,
        2,
        986,
    ]
    assert outcomes[newest.id, "pass"] == 1
    assert (old.id, "pass") not in outcomes
    assert found["redzone_rejected_requests"] == {(live.id,): 7}
    assert found["redzone_requests"][live.id,] == 90
    assert found["redzone_cost_usd"][live.id,] == 0.25
    assert found["redzone_workers"] == {(live.id,): 12}
    assert found["redzone_posters_per_minute"] == {(live.id,): 118, (newest.id,): 4}


def test_a_home_without_runs_has_metrics_too(home: Path, serve: Serve) -> None:
    """All of them zero."""
    assert set(samples(serve(home).get("/metrics").text)["redzone_runs"].values()) == {0}
