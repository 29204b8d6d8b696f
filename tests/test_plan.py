"""Settings resolved once, and how many workers they come to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.config.settings import Settings
from redzone.errors import SettingsInvalid
from redzone.plan import GUESSED_WORKING_S, WITHOUT_A_LIMIT, Provider, make_plan, workers_needed

OPENAI = Provider("openai", "gpt-6-luna", "as asked")


def test_workers_follow_littles_law_with_headroom() -> None:
    """600 a minute are 10 a second; at 3 s each that is 30 in progress, with 30 % more and 2 spare."""
    assert workers_needed(600, 3.0, 200) == 41


def test_without_a_measured_time_it_is_guessed() -> None:
    """The first posters of a run."""
    assert workers_needed(600, None, 200) == workers_needed(600, GUESSED_WORKING_S, 200)


def test_without_a_known_rate_there_is_a_fixed_number() -> None:
    """A server that announces no limit."""
    assert workers_needed(None, 3.0, 200) == WITHOUT_A_LIMIT
    assert workers_needed(None, None, 8) == 8


@given(st.none() | st.floats(0.1, 1e6), st.none() | st.floats(0.0, 1e4), st.integers(1, 2000))
def test_there_is_always_a_worker_and_never_too_many(
    rate: float | None, working_s: float | None, most: int
) -> None:
    """1 to `most`; and, within that, enough for the rate."""
    workers = workers_needed(rate, working_s, most)
    assert 1 <= workers <= most
    if rate is not None and working_s is not None:
        assert workers >= min(most, rate / 60 * working_s)


def test_a_plan_has_every_choice_made() -> None:
    """Models in the order in which they are asked, their known prices, and the bounds of the workers."""
    settings = Settings(model="gpt-6-luna", fallback_model="a-model-of-ours", pack=4, max_workers=100)
    plan = make_plan(settings, OPENAI)
    assert plan.models == ("gpt-6-luna", "a-model-of-ours")
    assert set(plan.prices) == {"gpt-6-luna"}
    assert (plan.workers, plan.max_workers, plan.pack, plan.connections) == (None, 400, 4, 100)
    assert [zone.name for zone in plan.zones] == ["red"]


def test_a_budget_needs_a_price_for_every_model() -> None:
    """Otherwise it could not be kept."""
    settings = Settings(model="gpt-6-luna", fallback_model="a-model-of-ours", max_cost_usd=1.0)
    with pytest.raises(SettingsInvalid, match="a-model-of-ours"):
        make_plan(settings, OPENAI)


def test_prices_are_set_together() -> None:
    """One without the other is a mistake."""
    with pytest.raises(SettingsInvalid, match="both"):
        make_plan(Settings(input_usd_per_mtok=1.0), OPENAI)
