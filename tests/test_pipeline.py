"""The road of a poster, through the real wiring, against the simulator."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from redzone.bench.simulator.faults import ALL, Fault, parse_faults
from redzone.bench.simulator.server import SimulatorOptions
from redzone.errors import (
    BreakerOpen,
    BudgetSpent,
    CredentialsRejected,
    ErrorCode,
    ModelUnknown,
    QuotaExhausted,
)
from redzone.models import Source, Status
from tests.simulated import Run, measured, model_requests, poster_list, simulated, write_list

SMALL = (60, 90)


def options(faults: dict[Fault, float] | None = None, **more: object) -> SimulatorOptions:
    return SimulatorOptions(poster_size=SMALL, faults=faults or {}, **more)  # type: ignore[arg-type]  # test data


def test_every_row_gets_one_outcome_whatever_fails(tmp_path: Path) -> None:
    """A fifth of all requests of both sides fail in every known way: no row is lost, none is doubled."""
    with simulated(options(parse_faults([f"{ALL}=0.2"]))) as simulator:
        run = Run(tmp_path, simulator, workers=75, model_timeout_s=0.4, fetch_timeout_s=1.5, deadline_s=6)
        end = run.begin(poster_list(tmp_path / "list.csv", simulator, 150))
    assert end.stopped is None
    assert sorted(outcome.row for outcome in run.outcomes) == list(range(1, 151))
    for outcome in run.outcomes:
        assert (outcome.status is Status.ERROR) <= (outcome.error is not None)
    codes = Counter(outcome.error.code for outcome in run.outcomes if outcome.error)
    assert ErrorCode.INTERNAL not in codes
    assert sum(outcome.status in (Status.PASS, Status.FAIL) for outcome in run.outcomes) > 100


def test_each_attempt_is_one_request(tmp_path: Path) -> None:
    """Attempts in the outcomes = tokens taken from the limiter = requests that the server saw."""
    with simulated(options({Fault.HTTP500: 0.2, Fault.BROKEN_ANSWER: 0.1})) as simulator:
        run = Run(tmp_path, simulator)
        end = run.begin(poster_list(tmp_path / "list.csv", simulator, 60))
        seen = len(model_requests(simulator))
    assert seen == sum(outcome.attempts for outcome in run.outcomes) == measured(end).requests
    assert seen > 60


def test_equal_pictures_are_asked_about_once(tmp_path: Path) -> None:
    """Ten rows of one picture under different addresses cost what one costs, in flight or later."""
    with simulated(options(latency_s=0.05)) as simulator:
        urls = [f"{simulator.poster_url(1)}?copy={copy}" for copy in range(10)]
        run = Run(tmp_path, simulator, enable_cache=False)
        run.begin(write_list(tmp_path / "list.csv", urls))
        asked = [outcome.attempts for outcome in run.outcomes if outcome.source is Source.MODEL]
        assert [len(model_requests(simulator))] == asked
    sources = Counter(outcome.source for outcome in run.outcomes)
    assert sources == {Source.MODEL: 1, Source.DUPLICATE: 9}
    assert len({outcome.zones for outcome in run.outcomes}) == 1
    assert sum(outcome.cost_usd > 0 for outcome in run.outcomes) == 1


def test_a_second_run_pays_for_nothing(tmp_path: Path) -> None:
    """Cached verdicts equal the fresh ones; unchanged images are not even downloaded again."""
    with simulated(options()) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 20)
        first = Run(tmp_path, simulator)
        first.begin(posters)
        asked = len(model_requests(simulator))
        second = Run(tmp_path, simulator)
        second.begin(posters)
        assert len(model_requests(simulator)) == asked
        downloads = [record.status for record in simulator.log if record.poster and not record.asks_model]
    assert {row: o.zones for row, o in first.by_row.items()} == {
        row: o.zones for row, o in second.by_row.items()
    }
    assert {o.source for o in second.outcomes} == {Source.CACHE}
    assert Counter(downloads) == {200: 20, 304: 20}


def test_without_the_cache_a_second_run_asks_again(tmp_path: Path) -> None:
    """--no-cache neither reads nor fills the shared cache."""
    with simulated(options()) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 5)
        for _ in range(2):
            run = Run(tmp_path, simulator, enable_cache=False)
            run.begin(posters)
            assert {outcome.source for outcome in run.outcomes} == {Source.MODEL}
    assert not (tmp_path / "home" / "cache.sqlite").exists()


def test_an_unsure_verdict_is_asked_again_only_of_a_model_that_was_not_asked(tmp_path: Path) -> None:
    """Without a new model it stays unsure for nothing; with a fallback model it is asked about once more."""
    with simulated(options()) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 3)
        seen = []
        for fallback in (None, None, "other-model", "other-model"):
            run = Run(tmp_path, simulator, min_confidence_pct=100, fallback_model=fallback)
            run.begin(posters)
            seen.append(len(model_requests(simulator)))
    assert seen[0] == seen[1] < seen[2] == seen[3]


def test_a_rejected_key_stops_the_run_at_once(tmp_path: Path) -> None:
    """Exit 2, a handful of requests, every row pending, and a resume with the right key finishes it."""
    with simulated(options(api_key="sk-right")) as simulator:
        run = Run(tmp_path, simulator, workers=5)
        end = run.begin(poster_list(tmp_path / "list.csv", simulator, 40))
        assert isinstance(end.stopped, CredentialsRejected)
        assert end.stopped.exit_code == 2
        assert len(model_requests(simulator)) <= 5
        assert run.outcomes == []
        run.settings = Run(tmp_path, simulator, openai_api_key="sk-right").settings
        assert run.resume().stopped is None
    assert sorted(run.by_row) == list(range(1, 41))


def test_an_empty_account_stops_the_run_and_keeps_what_was_paid(tmp_path: Path) -> None:
    """insufficient_quota is final: exit 4, the answers before it are on disk."""
    with simulated(options(quota_requests=15)) as simulator:
        run = Run(tmp_path, simulator, workers=4)
        end = run.begin(poster_list(tmp_path / "list.csv", simulator, 60))
        answers = [record for record in model_requests(simulator) if record.status == 200]
    assert isinstance(end.stopped, QuotaExhausted)
    assert end.stopped.exit_code == 4
    assert len(answers) == 15
    assert 0 < len(run.outcomes) <= 15


def test_a_budget_is_never_exceeded(tmp_path: Path) -> None:
    """What the server billed stays under --max-cost with twenty requests in flight; the run is resumable."""
    most_usd = 0.002
    with simulated(options(latency_s=0.02, latency_spread=0.5)) as simulator:
        run = Run(tmp_path, simulator, max_cost_usd=most_usd, model="gpt-6-luna")
        end = run.begin(poster_list(tmp_path / "list.csv", simulator, 200))
        billed = sum(r.input_tokens * 0.10 + r.output_tokens * 0.50 for r in model_requests(simulator)) / 1e6
    assert isinstance(end.stopped, BudgetSpent)
    assert 0.7 * most_usd < billed <= most_usd
    assert sum(outcome.cost_usd for outcome in run.outcomes) == pytest.approx(billed, rel=0.15)


def test_a_breaker_stops_a_run_in_which_everything_fails(tmp_path: Path) -> None:
    """The reason is the last fault, and nothing is recorded as a verdict."""
    with simulated(options({Fault.HTTP500: 1.0})) as simulator:
        run = Run(tmp_path, simulator, breaker_failures=8, breaker_s=0, workers=4)
        end = run.begin(poster_list(tmp_path / "list.csv", simulator, 40))
        assert len(model_requests(simulator)) < 20
    assert isinstance(end.stopped, BreakerOpen)
    assert "HTTP 500" in str(end.stopped)


@pytest.mark.parametrize(
    ("fault", "strategies"),
    [
        (Fault.HTTP500, {"crop/full"}),
        (Fault.BROKEN_ANSWER, {"crop/simple", "crop/full"}),
        (Fault.EMPTY, {"crop/simple", "crop/full"}),
        (Fault.CUTOFF, {"crop/simple", "crop/full"}),
        (Fault.REFUSAL, {"poster/full", "crop/full"}),
    ],
)
def test_the_rung_that_answered_is_recorded(tmp_path: Path, fault: Fault, strategies: set[str]) -> None:
    """Each kind of fault has its own next rung."""
    with simulated(options({fault: 0.4})) as simulator:
        run = Run(tmp_path, simulator, min_confidence_pct=0)
        run.begin(poster_list(tmp_path / "list.csv", simulator, 25))
    found = {outcome.strategy for outcome in run.outcomes if outcome.zones}
    assert found == strategies


def test_a_refused_poster_is_unsure_and_an_unreadable_one_an_error(tmp_path: Path) -> None:
    """Neither is ever a verdict."""
    for fault, status, code in (
        (Fault.REFUSAL, Status.UNSURE, ErrorCode.MODEL_REFUSED),
        (Fault.BROKEN_ANSWER, Status.ERROR, ErrorCode.MODEL_UNREADABLE),
    ):
        with simulated(options({fault: 1.0})) as simulator:
            run = Run(tmp_path, simulator, breaker_failures=1000)
            run.begin(poster_list(tmp_path / "list.csv", simulator, 4))
        for outcome in run.outcomes:
            assert (outcome.status, outcome.error and outcome.error.code) == (status, code)
            assert outcome.zones == ()


def test_a_fallback_model_is_asked_last(tmp_path: Path) -> None:
    """After crop and poster are refused, the other model gets the question."""
    with simulated(options({Fault.REFUSAL: 1.0})) as simulator:
        run = Run(tmp_path, simulator, fallback_model="other-model", breaker_failures=1000)
        run.begin(poster_list(tmp_path / "list.csv", simulator, 1))
        assert len(model_requests(simulator)) == 4  # two views, two models


def test_hanging_posters_do_not_stall_the_run(tmp_path: Path) -> None:
    """A third of the images and of the model's answers never come; the rest is judged meanwhile."""
    with simulated(options({Fault.IMAGE_STALL: 0.3, Fault.STALL_ALWAYS: 0.3})) as simulator:
        run = Run(tmp_path, simulator, model_timeout_s=0.3, fetch_timeout_s=0.5, deadline_s=1.0)
        end = run.begin(poster_list(tmp_path / "list.csv", simulator, 60))
    assert end.stopped is None
    assert len(run.by_row) == 60
    codes = {outcome.error.code for outcome in run.outcomes if outcome.error}
    assert codes <= {ErrorCode.FETCH_TIMEOUT, ErrorCode.MODEL_TIMEOUT, ErrorCode.DEADLINE}
    assert codes


def test_waiting_for_the_rate_limit_does_not_count_as_work(tmp_path: Path) -> None:
    """Twenty posters at 480 a minute wait up to 2.5 s each, under a deadline of 1.5 s."""
    with simulated(options()) as simulator:
        run = Run(tmp_path, simulator, requests_per_min=480, deadline_s=1.5, workers=20)
        run.begin(poster_list(tmp_path / "list.csv", simulator, 20))
    assert {outcome.status for outcome in run.outcomes} <= {Status.PASS, Status.FAIL, Status.UNSURE}
    assert max(outcome.timing.wait_s for outcome in run.outcomes) > 1.5


def test_rows_that_cannot_be_used_are_outcomes_too(tmp_path: Path) -> None:
    """An empty address is error/input with its line; the rows beside it are judged."""
    with simulated(options()) as simulator:
        posters = write_list(tmp_path / "list.csv", [simulator.poster_url(1), "", simulator.poster_url(2)])
        run = Run(tmp_path, simulator)
        run.begin(posters)
    error = run.by_row[2].error
    assert error is not None
    assert (error.code, "poster_img_url is empty" in error.message) == (ErrorCode.INPUT, True)
    assert {run.by_row[1].status, run.by_row[3].status} <= {Status.PASS, Status.FAIL, Status.UNSURE}


def test_several_zones_cost_one_request(tmp_path: Path) -> None:
    """Two zones, one request a poster, a verdict for each in the order asked."""
    with simulated(options()) as simulator:
        run = Run(tmp_path, simulator, zones=("red", "logo=0,0.9,1,0.1"), min_confidence_pct=0)
        run.begin(poster_list(tmp_path / "list.csv", simulator, 5))
        assert len(model_requests(simulator)) == 5
    assert {tuple(zone.name for zone in outcome.zones) for outcome in run.outcomes} == {("red", "logo")}


def test_a_server_without_the_responses_api_is_asked_over_chat(tmp_path: Path) -> None:
    """The fallback is said once and loses no poster."""
    with simulated(options(responses_api=False)) as simulator:
        run = Run(tmp_path, simulator, workers=1)
        run.begin(poster_list(tmp_path / "list.csv", simulator, 5))
        paths = Counter(record.path for record in model_requests(simulator))
    assert paths["/v1/responses"] == 1
    assert all(outcome.zones for outcome in run.outcomes)
    assert [
        line["message"] for line in run.log_lines() if "Chat Completions" in line["message"]
    ].__len__() == 1


def test_an_unknown_model_stops_the_run(tmp_path: Path) -> None:
    """A server that knows neither API under that address says 404 for both."""
    with simulated(options()) as simulator:
        run = Run(tmp_path, simulator, openai_base_url=f"{simulator.origin}/nowhere", workers=1)
        end = run.begin(poster_list(tmp_path / "list.csv", simulator, 3))
    assert isinstance(end.stopped, ModelUnknown)
    assert end.stopped.exit_code == 2


def test_errors_are_tried_again_on_request(tmp_path: Path) -> None:
    """resume --retry-errors asks only about the rows in error; what was judged stays as it was."""
    missing = tmp_path / "late.jpg"
    with simulated(options()) as simulator:
        posters = write_list(tmp_path / "list.csv", [simulator.poster_url(1), str(missing)])
        run = Run(tmp_path, simulator)
        end = run.begin(posters)
        assert measured(end).errors == 1
        first = run.by_row[1]
        import httpx2

        missing.write_bytes(httpx2.get(simulator.poster_url(7), trust_env=False).content)
        asked = len(model_requests(simulator))
        end = run.resume(retry_errors=True)
        assert len(model_requests(simulator)) == asked + run.by_row[2].attempts
    assert measured(end).errors == 0
    assert run.by_row[1] == first
    assert run.by_row[2].status is not Status.ERROR


def test_nothing_blocks_the_event_loop(tmp_path: Path) -> None:
    """A blocking call of ours in the loop (a file, a socket, a sleep, a lock) would be an error here."""
    from PIL import Image

    picture = tmp_path / "local.png"
    Image.new("RGB", (60, 90), "navy").save(picture)
    with simulated(options({Fault.HTTP500: 0.1, Fault.BROKEN_ANSWER: 0.1}, seed=1)) as simulator:
        images = [simulator.poster_url(number) for number in range(1, 30)]
        posters = write_list(tmp_path / "list.csv", [*images, str(picture), str(tmp_path / "none.jpg"), ""])
        run = Run(tmp_path, simulator)
        with blockbuster_ctx(scanned_modules="redzone"):
            end = run.begin(posters)
    assert end.stopped is None
    codes = {outcome.error.code for outcome in run.outcomes if outcome.error}
    assert codes <= {ErrorCode.INPUT, ErrorCode.FETCH_MISSING, ErrorCode.MODEL_UNAVAILABLE}
    assert len(run.by_row) == 32


def test_equal_pictures_behind_a_hanging_request_share_its_deadline(tmp_path: Path) -> None:
    """Ten rows of one picture whose request hangs end together, not one deadline after another."""
    with simulated(options({Fault.STALL: 1.0})) as simulator:
        urls = [f"{simulator.poster_url(1)}?copy={copy}" for copy in range(10)]
        run = Run(tmp_path, simulator, deadline_s=1.5, model_timeout_s=60)
        run.begin(write_list(tmp_path / "list.csv", urls))
        assert len(model_requests(simulator)) == 1
    codes = Counter(outcome.error.code for outcome in run.outcomes if outcome.error)
    assert codes == {ErrorCode.DEADLINE: 10}
