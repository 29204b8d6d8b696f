"""Advice follows from the figures of a run, and quotes them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from redzone.cli import app
from redzone.config.settings import Settings, variables
from redzone.diagnostics import HINTS, Advice, Topic, recommendations
from redzone.errors import ErrorCode
from redzone.telemetry.metrics import RateFigures, RunFacts, Snapshot, Stage
from tests.terminal.snapshots import figures, snapshot

PAGE = Path(__file__).parents[2] / "docs" / "advice.md"
WORKING = {Stage.FETCH: 120.0, Stage.MODEL: 480.0}


def _steady(**changes: Any) -> Snapshot:
    """Five minutes of ten workers who are always busy and wait for nobody; nothing is amiss."""
    values: dict[str, Any] = {
        "elapsed_s": 60.0,
        "rows": 1000,
        "done": 200,
        "passed": 190,
        "failed": 10,
        "unsure": 0,
        "errors": 0,
        "errors_by_code": {},
        "cached": 0,
        "duplicates": 0,
        "requests": 200,
        "workers": 10,
        "lanes": (),
        "rate": RateFigures(requests_last_min=200, requests_limit_per_min=400.0),
        "stage_s": WORKING,
        **changes,
    }
    return snapshot(**values)


def _about(topic: Topic, state: Snapshot, *history: Snapshot) -> Advice:
    (found,) = (advice for advice in recommendations(state, history) if advice.topic is topic)
    return found


LIMITED = {
    "requests": 120,
    "done": 120,
    "passed": 110,
    "stage_s": {Stage.FETCH: 60.0, Stage.WAIT: 366.0, Stage.MODEL: 174.0},
}
ENOUGH = "more workers will not help (10 workers are enough); "
CASES: dict[str, tuple[Topic, Snapshot, str, str]] = {
    "own request limit": (
        Topic.REQUESTS,
        _steady(**LIMITED, rate=RateFigures(requests_last_min=118, requests_limit_per_min=120.0)),
        "Workers waited for the limit 61 % of the time, with 98 % of 120 requests per minute used",
        f"{ENOUGH.replace('10', '4')}raise VISION_REQUESTS_PER_MINUTE or use --pack",
    ),
    "the server's request limit": (
        Topic.REQUESTS,
        _steady(
            rate=RateFigures(
                requests_last_min=198, requests_limit_per_min=200.0, requests_announced_per_min=200.0
            )
        ),
        "99 % of the limit of 200 requests per minute is used",
        f"{ENOUGH}ask the provider for a higher limit or use --pack",
    ),
    "a request limit with packs": (
        Topic.REQUESTS,
        _steady(
            rate=RateFigures(requests_last_min=198, requests_limit_per_min=200.0), facts=RunFacts(pack=4)
        ),
        "99 % of the limit of 200 requests per minute is used",
        f"{ENOUGH}raise VISION_REQUESTS_PER_MINUTE or use a --pack above 4",
    ),
    "a request limit with the largest packs": (
        Topic.REQUESTS,
        _steady(
            rate=RateFigures(requests_last_min=198, requests_limit_per_min=200.0), facts=RunFacts(pack=16)
        ),
        "99 % of the limit of 200 requests per minute is used",
        f"{ENOUGH}raise VISION_REQUESTS_PER_MINUTE",
    ),
    "a delay between requests": (
        Topic.REQUESTS,
        _steady(rate=RateFigures(requests_last_min=119), facts=RunFacts(delay_ms=500)),
        "99 % of the limit of 120 requests per minute is used",
        f"{ENOUGH}lower VISION_REQUEST_DELAY_MS or use --pack",
    ),
    "token limit": (
        Topic.TOKENS,
        _steady(rate=RateFigures(tokens_last_min=190_000, tokens_limit_per_min=200_000.0)),
        "95 % of the limit of 200,000 tokens per minute is used",
        f"{ENOUGH}raise VISION_TOKENS_PER_MINUTE or lower REDZONE_MAX_OUTPUT_TOKENS",
    ),
    "too few workers": (
        Topic.WORKERS,
        _steady(),
        "All 10 workers are busy, 3.00 s per poster, and 50 % of the limit is unused",
        "try --workers 26",
    ),
    "too few workers, no limit known": (
        Topic.WORKERS,
        _steady(rate=RateFigures(requests_last_min=200)),
        "All 10 workers are busy, 3.00 s per poster",
        "try --workers 20",
    ),
    "slow image servers": (
        Topic.IMAGES,
        _steady(stage_s={Stage.FETCH: 480.0, Stage.MODEL: 120.0}),
        "A poster takes 2.40 s to download and 0.60 s to judge",
        "the image servers are slow; try --partial-download, or --workers 26",
    ),
    "a bound on downloads": (
        Topic.IMAGES,
        _steady(stage_s={Stage.READ: 300.0, Stage.FETCH: 60.0, Stage.MODEL: 240.0}, workers=100),
        "Workers waited 50 % of the time for the download limit",
        "raise REDZONE_IMAGES_PER_S, or leave it unset",
    ),
    "slow model": (
        Topic.MODEL,
        _steady(done=40, passed=30, requests=40, rate=RateFigures(requests_last_min=40)),
        "The model takes 12.0 s of the 15.0 s per poster",
        "try a faster --model, or --workers 20",
    ),
    "one processor": (
        Topic.CPU,
        _steady(cpu_s=55.0, facts=RunFacts(cpus=8)),
        "A processor is 92 % busy, 275.0 ms per poster",
        "more workers will not help; split the input into several runs",
    ),
    "all processors": (
        Topic.CPU,
        _steady(cpu_s=225.0, facts=RunFacts(cpus=4, local=True)),
        "The 4 processors are 94 % busy with the local model, 1,125.0 ms per poster",
        "more workers will not help; use a machine with more processors, or --provider openai",
    ),
    "processors that others keep busy": (
        Topic.CPU,
        _steady(cpu_s=30.0, facts=RunFacts(cpus=1, local=True)),
        "The processor is 50 % busy with the local model, 150.0 ms per poster",
        "more workers will not help; use a machine with more processors, or --provider openai",
    ),
    "a shared key": (
        Topic.REJECTIONS,
        _steady(requests=240, rate=RateFigures(requests_last_min=240, rejected=40)),
        "40 of 240 requests (17 %) got a 429 response, and each counts against the limit",
        "the limit is lower than configured, or the key is shared; set VISION_REQUESTS_PER_MINUTE to 200",
    ),
    "held": (
        Topic.HELD,
        _steady(rate=RateFigures(held_for_s=12.4)),
        "The server asked for a pause; 12 s are left",
        "no requests are sent until then; set VISION_REQUESTS_PER_MINUTE below the limit to avoid this",
    ),
    "budget": (
        Topic.BUDGET,
        _steady(cost_usd=0.4, facts=RunFacts(budget_usd=1.0)),
        "$0.4000 of $1.0000 is spent, and 800 posters are left",
        "all of them will cost about $2.0000; raise --max-cost",
    ),
    "errors of one kind": (
        Topic.ERRORS,
        _steady(errors=42, passed=148, errors_by_code={"deadline": 2, "fetch-http-404": 40}),
        "40 of 200 posters (20 %) ended in fetch-http-404 (the image does not exist)",
        "fix the address in the input",
    ),
    "unsure": (
        Topic.UNSURE,
        _steady(unsure=30, passed=160),
        "30 of 200 verdicts (15 %) are unsure",
        "set REDZONE_FALLBACK_MODEL, or review them by hand, lowest confidence first",
    ),
    "unsure local model": (
        Topic.UNSURE,
        _steady(unsure=30, passed=160, facts=RunFacts(local=True)),
        "30 of 200 verdicts (15 %) are unsure",
        "try another model (--provider openai), or review them by hand, lowest confidence first",
    ),
    "retries": (
        Topic.RETRIES,
        _steady(requests=290),
        "90 of 290 requests were retries (after errors or unsure answers)",
        "try another --model, or lower REDZONE_MAX_ATTEMPTS",
    ),
    "cache off": (
        Topic.CACHE,
        _steady(cost_usd=0.02, facts=RunFacts(cache_on=False)),
        "200 posters were sent to the model for $0.0200, and the cache is off",
        "the next run pays for them again; set ENABLE_ANALYSIS_CACHE",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_advice_quotes_its_figure_and_names_the_setting(case: str) -> None:
    """Word for word, because this is what people act on."""
    topic, state, figure, remedy = CASES[case]
    assert _about(topic, state) == Advice(topic, figure, remedy)
    assert str(_about(topic, state)) == f"{figure}: {remedy}."


def test_every_topic_of_a_run_has_a_case() -> None:
    """FEW POSTERS applies to benches only."""
    assert {topic for topic, *_ in CASES.values()} == set(Topic) - {Topic.POSTERS}


def test_the_page_lists_every_topic_of_a_run() -> None:
    """One row each; the image servers have two."""
    rows = re.findall(r"^\| ([a-z0-9 ]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(rows) - {"about"} == set(Topic) - {Topic.POSTERS}


def test_what_the_advice_names_exists() -> None:
    """Each variable is a setting's, each option one of analyze or resume; on the page, too."""
    text = " ".join((*(said for *_, said in CASES.values()), *HINTS.values(), PAGE.read_text("utf-8")))
    known = {variable for name in Settings.model_fields for variable in variables(name)}
    assert set(re.findall(r"[A-Z]+(?:_[A-Z]+)+", text)) <= known
    help_of = CliRunner(env={"COLUMNS": "400"}).invoke
    options = "".join(help_of(app, [name, "--help"]).output for name in ("analyze", "resume"))
    assert [option for option in re.findall(r"--[a-z][a-z-]+", text) if option not in options] == []


@settings(max_examples=300, deadline=None)
@given(figures, st.lists(figures, max_size=3))
def test_no_snapshot_breaks_the_advice(state: Snapshot, history: list[Snapshot]) -> None:
    """Whatever the figures, and however they contradict each other: each advice quotes one."""
    for advice in recommendations(state, history):
        assert re.search(r"\d|inf|nan", advice.figure)
        assert advice.remedy


def test_an_empty_run_gets_no_advice() -> None:
    """Nor does one that has just started, or one whose verdicts all came from the cache."""
    nothing = _steady(
        elapsed_s=0.0,
        rows=0,
        done=0,
        passed=0,
        failed=0,
        requests=0,
        workers=0,
        stage_s={},
        rate=RateFigures(),
    )
    assert recommendations(nothing) == ()
    assert recommendations(_steady(elapsed_s=9.0)) == ()
    assert recommendations(_steady(done=19, passed=9, requests=19)) == ()
    assert recommendations(_steady(cached=200, requests=0, stage_s={Stage.FETCH: 2.0})) == ()


def test_idle_workers_are_not_too_few() -> None:
    """The list may be at its end, or the input slow to read."""
    assert recommendations(_steady(stage_s={Stage.FETCH: 90.0, Stage.MODEL: 310.0})) == ()


def test_waiting_that_no_limit_explains_is_no_bottleneck() -> None:
    """A careful start, or the pauses after refusals of which there is an advice of its own."""
    waiting = {Stage.WAIT: 400.0, Stage.MODEL: 200.0}
    assert recommendations(_steady(stage_s=waiting)) == ()
    refused = _steady(stage_s=waiting, rate=RateFigures(requests_last_min=200, rejected=40))
    assert [advice.topic for advice in recommendations(refused)] == [Topic.REJECTIONS]


def test_the_last_minute_decides_where_there_is_a_history() -> None:
    """Refusals and waits of an hour ago are over, those of another process were never ours."""
    before = _steady(
        requests=900,
        done=500,
        passed=490,
        elapsed_s=3000.0,
        rate=RateFigures(rejected=400),
        stage_s={Stage.WAIT: 20_000.0, Stage.MODEL: 10_000.0},
    )
    now = _steady(
        requests=1100,
        done=700,
        passed=690,
        elapsed_s=3060.0,
        rate=RateFigures(requests_last_min=200, rejected=400),
        stage_s={Stage.WAIT: 20_000.0, Stage.MODEL: 10_600.0},
    )
    assert Topic.REJECTIONS in {advice.topic for advice in recommendations(now)}
    other = _steady(elapsed_s=2000.0, earlier=3)
    assert _about(Topic.WORKERS, now, other, before).figure.startswith("All 10 workers are busy")
    assert Topic.REJECTIONS not in {advice.topic for advice in recommendations(now, [other, before])}


def test_the_most_urgent_comes_first() -> None:
    """What stops the run before what slows it, that before what spoils its results."""
    state = _steady(
        errors=42,
        passed=118,
        unsure=30,
        errors_by_code={"fetch-http-404": 40},
        cost_usd=0.4,
        facts=RunFacts(budget_usd=1.0, cache_on=False),
        requests=290,
        rate=RateFigures(requests_last_min=290, requests_limit_per_min=300.0, rejected=20, held_for_s=5.0),
    )
    assert [advice.topic for advice in recommendations(state)] == [
        Topic.HELD,
        Topic.BUDGET,
        Topic.REQUESTS,
        Topic.REJECTIONS,
        Topic.ERRORS,
        Topic.UNSURE,
        Topic.RETRIES,
        Topic.CACHE,
    ]


def test_an_unknown_code_of_a_newer_version_is_reported_too() -> None:
    """Without a hint there is the log."""
    state = _steady(errors=40, passed=150, errors_by_code={"model-asleep": 40})
    assert str(_about(Topic.ERRORS, state)).endswith("ended in model-asleep: see the run's log.")


@pytest.mark.parametrize("code", ErrorCode)
def test_every_kind_of_error_has_a_remedy(code: ErrorCode) -> None:
    """The hint of the summary, cause and remedy apart."""
    advice = _about(Topic.ERRORS, _steady(errors=40, passed=150, errors_by_code={code.value: 40}))
    assert advice.remedy in HINTS[code]
    assert len(advice.remedy) > 10
