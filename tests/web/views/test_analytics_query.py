"""Which runs the analytics are about, in an address and out of it."""

from __future__ import annotations

from datetime import date
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.errors import UsageError
from redzone.models import Status
from redzone.runs import new_run_id
from redzone.web.services.run_status import RunState, RunStatus
from redzone.web.views.analytics_query import MOST_RUNS, AnalyticsQuery
from tests.web.homes import NOON, record_at

IDS = [new_run_id(NOON, Random(number)) for number in range(4)]  # noqa: S311  the same ids every time
DAY = 24 * 60

_days = st.none() | st.dates(date(2000, 1, 1), date(2100, 1, 1))
_ids = st.sampled_from(["", *IDS])
scopes = st.builds(
    AnalyticsQuery,
    _days,
    _days,
    st.lists(st.sampled_from(IDS), unique=True, max_size=4).map(tuple),
    _ids,
    _ids,
)


def _run(day: int, done: int = 4) -> RunStatus:
    return RunStatus(record_at(day * DAY), RunState.FINISHED, {Status.PASS: done}, 0.0, 60.0, None)


@given(scopes)
def test_an_address_gives_the_scope_back(query: AnalyticsQuery) -> None:
    """Empty fields of a form say nothing, nor does what is for somebody else."""
    assert AnalyticsQuery.of(query.pairs) == query
    assert AnalyticsQuery.of([*query.pairs, ("until", ""), ("run", ""), ("x", "y")]) == query


@pytest.mark.parametrize(
    ("name", "value"), [("since", "yesterday"), ("until", "2026-13-01"), ("run", "../x"), ("after", "newest")]
)
def test_what_is_no_day_and_no_run_is_said_to_be_none(name: str, value: str) -> None:
    """By the name of the field, with its value."""
    with pytest.raises(UsageError, match=f"{name}: '{value}' is no"):
        AnalyticsQuery.of([(name, value)])


def test_a_time_includes_its_first_and_its_last_day() -> None:
    """Days of UTC."""
    runs = [_run(day) for day in range(5)]
    query = AnalyticsQuery(since=date(2026, 10, 4), until=date(2026, 10, 6))
    assert query.within(runs) == runs[1:4]
    assert AnalyticsQuery().within(runs) == runs


def test_without_a_choice_the_newest_runs_that_found_something_are_looked_at() -> None:
    """Not all of hundreds; a choice counts within the time only."""
    runs = [_run(day, done=day % 2) for day in range(3 * MOST_RUNS)]
    selected = AnalyticsQuery().selected(runs)
    assert len(selected) == MOST_RUNS
    assert selected == runs[1 : 2 * MOST_RUNS : 2]
    chosen = AnalyticsQuery(since=date(2026, 10, 4), chosen=(runs[0].id, runs[2].id))
    assert chosen.selected(runs) == [runs[2]]
