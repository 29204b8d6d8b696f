"""From what happened to a poster to the outcome that is recorded."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.engine.outcome import PosterStats, VerdictResult, error_outcome, judged_outcome, overall_status
from redzone.errors import DeadlineFault, ErrorCode, InputFault, ModelFault, PosterFault, Retry
from redzone.models import BadRow, Poster, Source, Status, Timing, Tokens, ZoneVerdict

NOON = datetime(2026, 10, 3, 12, tzinfo=UTC)
POSTER = Poster(
    row=7, id="0007", image="https://posters.example/7.jpg", title="The Long Way Up", group="award"
)


def verdict(holds: bool, confidence_pct: float = 90.0, name: str = "red") -> ZoneVerdict:
    return ZoneVerdict(name=name, contains_key_elements=holds, confidence_pct=confidence_pct)


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        ([verdict(False)], Status.PASS),
        ([verdict(True)], Status.FAIL),
        ([verdict(False, 59.9)], Status.UNSURE),
        ([verdict(True, 59.9)], Status.UNSURE),
        ([verdict(False, 60.0)], Status.PASS),
        ([verdict(False), verdict(True)], Status.FAIL),
        ([verdict(False), verdict(False, 10)], Status.UNSURE),
        ([verdict(True), verdict(False, 10)], Status.FAIL),
        ([verdict(False), verdict(True, 10)], Status.UNSURE),
        ([], Status.UNSURE),
    ],
)
def test_a_sure_element_fails_a_doubt_is_unsure_and_only_sure_freedom_passes(
    verdicts: list[ZoneVerdict], status: Status
) -> None:
    """In this order; without any verdict nothing is sure."""
    assert overall_status(verdicts, 60.0) is status


verdicts = st.builds(verdict, st.booleans(), st.floats(0, 100))


@given(st.lists(verdicts, min_size=1, max_size=5), st.floats(0, 100))
def test_a_pass_means_that_every_zone_is_surely_free(given_: list[ZoneVerdict], least: float) -> None:
    """And a fail that one surely is not; the order of the zones does not matter."""
    status = overall_status(given_, least)
    assert status is overall_status(given_[::-1], least)
    sure = [v for v in given_ if v.confidence_pct >= least]
    assert (status is Status.FAIL) == any(v.contains_key_elements for v in sure)
    if status is Status.PASS:
        assert len(sure) == len(given_)


@given(st.lists(verdicts, min_size=1, max_size=5), st.floats(0, 100), st.floats(0, 100))
def test_a_higher_threshold_never_makes_a_verdict_surer(
    given_: list[ZoneVerdict], one: float, other: float
) -> None:
    """It turns pass and fail into unsure, never into each other."""
    low, high = overall_status(given_, min(one, other)), overall_status(given_, max(one, other))
    if low is not high:
        assert high is Status.UNSURE


def test_a_judgement_is_as_sure_as_its_least_sure_zone() -> None:
    """The figure by which the best answer is chosen."""
    result = VerdictResult((verdict(False, 90), verdict(True, 70)), Source.MODEL, "crop/full", "m")
    assert result.confidence_pct == 70
    assert result.status(75) is Status.UNSURE
    assert result.status(60) is Status.FAIL


def _stats(row: Poster | BadRow = POSTER) -> PosterStats:
    return PosterStats(
        row, started_s=100.0, fetch_s=0.12345, wait_s=1.0, model_s=2.0, attempts=3,
        tokens=Tokens(input=500, output=60), cost_usd=0.0001, sha256="ab",
    )  # fmt: skip


def test_a_judged_poster_carries_what_it_took() -> None:
    """Row, words, verdicts, source, attempts, tokens, dollars and seconds to the millisecond."""
    result = VerdictResult((verdict(True),), Source.CACHE, "poster/full", "gpt-6-luna")
    outcome = judged_outcome(_stats(), result, Status.FAIL, now_s=104.00049, at=NOON)
    assert (outcome.row, outcome.id, outcome.title, outcome.group, outcome.image) == (
        7, "0007", "The Long Way Up", "award", "https://posters.example/7.jpg",
    )  # fmt: skip
    assert (outcome.status, outcome.zones) == (Status.FAIL, (verdict(True),))
    assert (outcome.source, outcome.strategy, outcome.model) == (Source.CACHE, "poster/full", "gpt-6-luna")
    assert (outcome.attempts, outcome.tokens, outcome.cost_usd) == (3, Tokens(input=500, output=60), 0.0001)
    assert outcome.timing == Timing(fetch_s=0.123, wait_s=1.0, model_s=2.0, total_s=4.0)
    assert (outcome.image_sha256, outcome.error, outcome.finished_at) == ("ab", None, NOON)


@pytest.mark.parametrize("status", [Status.PASS, Status.FAIL, Status.UNSURE])
def test_a_judged_poster_has_no_error(status: Status) -> None:
    """Doubt is no error either."""
    result = VerdictResult((verdict(False),), Source.MODEL, "crop/full", "m")
    assert judged_outcome(_stats(), result, status, 101.0, NOON).error is None


@pytest.mark.parametrize("code", ErrorCode)
@pytest.mark.parametrize("retry", Retry)
def test_a_fault_is_never_a_verdict(code: ErrorCode, retry: Retry) -> None:
    """A refusal is unsure, everything else an error; the code, the message and the money are kept."""
    outcome = error_outcome(_stats(), PosterFault(code, "why", retry), 101.0, NOON)
    assert outcome.status is (Status.UNSURE if code is ErrorCode.MODEL_REFUSED else Status.ERROR)
    assert (outcome.zones, outcome.source, outcome.strategy, outcome.model) == ((), None, None, None)
    assert outcome.error is not None
    assert (outcome.error.code, outcome.error.message) == (code, "why")
    assert outcome.error.retryable == (retry is not Retry.NO)
    assert (outcome.attempts, outcome.cost_usd, outcome.image_sha256) == (3, 0.0001, "ab")


def test_a_bad_row_becomes_an_outcome_with_its_number() -> None:
    """No row is ever dropped."""
    row = BadRow(row=9, reason="poster_img_url is empty", id="0009", title="Untitled", group="award")
    outcome = error_outcome(PosterStats(row, 0.0), InputFault(row.reason), 0.0, NOON)
    assert (outcome.row, outcome.id, outcome.title, outcome.group) == (9, "0009", "Untitled", "award")
    assert (outcome.image, outcome.status) == ("", Status.ERROR)
    assert outcome.error is not None
    assert (outcome.error.code, outcome.error.message) == (ErrorCode.INPUT, "poster_img_url is empty")


def test_what_may_pass_is_marked_so() -> None:
    """For `resume --retry-errors` and its reader."""
    assert error_outcome(_stats(), DeadlineFault("late"), 1.0, NOON).error.retryable  # type: ignore[union-attr]  # it has one
    refused = ModelFault(ErrorCode.MODEL_REFUSED, "no")
    assert not error_outcome(_stats(), refused, 1.0, NOON).error.retryable  # type: ignore[union-attr]  # it has one
