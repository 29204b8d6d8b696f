"""Whole runs against servers whose answers or refusals are odd: what is recorded, charged and remembered."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from redzone.errors import BreakerOpen, BudgetSpent
from redzone.models import Status
from tests.scripted_model import Said, local_list, said, scripted
from tests.simulated import Run


def verdict(**changes: Any) -> str:
    zone = {"zone": "red", "justification": "sky", "elements": [], "contains_key_elements": False}
    return json.dumps({"zones": [zone | {"confidence_pct": 90} | changes]})


def run(folder: Path, base_url: str, **settings: Any) -> Run:
    given = {"openai_base_url": base_url, "openai_api_key": "sk-test-0123456789", "workers": 4}
    return Run(folder, None, **{**given, **settings})


def test_the_same_refusal_of_every_poster_stops_the_run_within_seconds(tmp_path: Path) -> None:
    """Not after the whole list: nothing was accepted, and the rest stays pending."""

    def refuse(number: int, request: dict[str, Any]) -> Said:
        return 400, b'{"error": {"message": "tenant is misconfigured", "code": "bad_tenant"}}'

    with scripted(refuse) as model:
        job = run(tmp_path, model.base_url, workers=20)
        end = job.begin(local_list(tmp_path, 60))
        assert isinstance(end.stopped, BreakerOpen)
        assert "tenant is misconfigured" in str(end.stopped)
        assert len(job.outcomes) < 20
        assert len(model.requests) < 80


def test_some_refused_posters_among_accepted_ones_stop_nothing(tmp_path: Path) -> None:
    def answer(number: int, request: dict[str, Any]) -> Said:
        return said(verdict()) if number % 4 == 1 else (400, b'{"error": {"message": "odd one"}}')

    with scripted(answer) as model:
        job = run(tmp_path, model.base_url, workers=1)
        end = job.begin(local_list(tmp_path, 20))
    assert end.stopped is None
    assert len(job.outcomes) == 20


def test_a_stray_400_costs_one_request_and_the_full_answer_is_kept(tmp_path: Path) -> None:
    """The full question is asked again before the simple one."""

    def answer(number: int, request: dict[str, Any]) -> Said:
        return (400, b'{"error": {"message": "glitch"}}') if number == 2 else said(verdict())

    with scripted(answer) as model:
        job = run(tmp_path, model.base_url, workers=1)
        job.begin(local_list(tmp_path, 2))
        assert len(model.requests) == 3
    assert [outcome.strategy for outcome in job.outcomes] == ["crop/full"] * 2
    assert [outcome.attempts for outcome in job.outcomes] == [1, 2]


def test_free_beside_elements_is_looked_at_again_and_then_unsure_with_both(tmp_path: Path) -> None:
    """Never an error: the answers were paid for."""
    both = verdict(elements=[{"kind": "text", "label": "title"}], confidence_pct=95)
    with scripted(lambda _number, _request: said(both)) as model:
        job = run(tmp_path, model.base_url, min_confidence_pct=0.0)
        job.begin(local_list(tmp_path, 1))
        assert len(model.requests) == 2
    (outcome,) = job.outcomes
    assert (outcome.status, outcome.error) == (Status.UNSURE, None)
    assert (outcome.zones[0].contains_key_elements, outcome.zones[0].elements[0].label) == (False, "title")


def test_a_second_look_settles_a_contradiction(tmp_path: Path) -> None:
    def answer(number: int, request: dict[str, Any]) -> Said:
        return said(verdict(elements=[{"kind": "text", "label": "title"}] if number == 1 else []))

    with scripted(answer) as model:
        job = run(tmp_path, model.base_url)
        job.begin(local_list(tmp_path, 1))
    assert [(outcome.status, outcome.strategy) for outcome in job.outcomes] == [(Status.PASS, "poster/full")]


def test_a_verdict_that_is_there_when_the_deadline_comes_is_the_outcome(tmp_path: Path) -> None:
    """Unsure, but paid for."""

    def answer(number: int, request: dict[str, Any]) -> Said:
        if number > 1:
            time.sleep(2)
        return said(verdict(confidence_pct=55))

    with scripted(answer) as model:
        job = run(tmp_path, model.base_url, deadline_s=1)
        job.begin(local_list(tmp_path, 1))
    (outcome,) = job.outcomes
    assert (outcome.status, outcome.error, outcome.zones[0].confidence_pct) == (Status.UNSURE, None, 55.0)
    assert outcome.attempts == 2


@pytest.mark.parametrize("usage", [None, {"input_tokens": -1, "output_tokens": 3}, {}])
def test_an_answer_whose_tokens_are_not_known_is_charged_with_the_estimate(
    tmp_path: Path, usage: Any
) -> None:
    """So that --max-cost holds; the verdict counts all the same."""
    prices = {"input_usd_per_mtok": 100.0, "output_usd_per_mtok": 100.0}
    with scripted(lambda _number, _request: said(verdict(), usage=usage)) as model:
        job = run(tmp_path, model.base_url, workers=1, max_cost_usd=0.5, **prices)
        end = job.begin(local_list(tmp_path, 30))
        assert isinstance(end.stopped, BudgetSpent)
        assert 1 <= len(model.requests) < 10
    assert all(outcome.status is Status.PASS and outcome.cost_usd > 0.05 for outcome in job.outcomes)
    assert sum(outcome.cost_usd for outcome in job.outcomes) <= 0.5


def test_an_unsure_verdict_is_remembered_only_as_far_as_it_was_looked_into(tmp_path: Path) -> None:
    """With one attempt the whole poster was not shown: a later run shows it. After both views it is kept."""
    with scripted(lambda _number, _request: said(verdict(confidence_pct=55))) as model:
        posters = local_list(tmp_path, 1)
        run(tmp_path, model.base_url, max_attempts=1).begin(posters)
        assert len(model.requests) == 1
        run(tmp_path, model.base_url).begin(posters)
        assert len(model.requests) == 3
        run(tmp_path, model.base_url).begin(posters)
        assert len(model.requests) == 3
