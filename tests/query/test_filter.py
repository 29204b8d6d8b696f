"""What a filter says for itself; what it admits is a law, in `test_index_laws.py`."""

from __future__ import annotations

import pytest

from redzone.errors import UsageError
from redzone.models import BadRow, Poster, Status
from redzone.query import Filter

POSTER = Poster(1, "0001", "https://posters.example/1.jpg", "The Long Way Up", "award")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("status", "passed", "status: 'passed' is not one of pass, fail, unsure, error"),
        ("kind", "hand", "kind: 'hand' is not one of text, logo, face"),
        ("source", "x", "source: 'x' is not one of model, local, cache, duplicate"),
        ("code", "404", "code: '404' is not one of input, fetch-timeout, "),
        ("reviewed", "maybe", "reviewed: 'maybe' is not yes or no"),
        ("disagreed", "maybe", "disagreed: 'maybe' is not yes or no"),
        ("min_confidence", "high", "min_confidence: 'high' is not a number"),
        ("max_confidence", "101", "max_confidence: 101 is not between 0 and 100"),
        ("min_confidence", "nan", "min_confidence: nan is not between 0 and 100"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_what_can(name: str, value: str, said: str) -> None:
    """A filter that means nothing would show everything."""
    with pytest.raises(UsageError, match=f"^{said.replace('(', '.')}"):
        Filter.from_query([(name, value)])


def test_a_query_is_short_and_always_in_the_same_order() -> None:
    """So that one filter has one address."""
    wanted = Filter(
        statuses=frozenset({Status.UNSURE, Status.FAIL}),
        groups=frozenset({"", "kids"}),
        confidence_min=60.0,
        reviewed=False,
        disagreed=True,
        text="50% _",
    )
    assert wanted.to_query() == [
        ("status", "fail"),
        ("status", "unsure"),
        ("group", "kids"),
        ("ungrouped", "yes"),
        ("min_confidence", "60"),
        ("reviewed", "no"),
        ("disagreed", "yes"),
        ("text", "50% _"),
    ]
    assert Filter().to_query() == []


@pytest.mark.parametrize(
    "wanted",
    [
        Filter(),
        Filter(reviewed=False),
        Filter(disagreed=False),
        Filter(groups=frozenset({"award", "kids"})),
        Filter(text="long WAY"),
        Filter(text="AWARD"),
        Filter(text="0001"),
    ],
)
def test_a_pending_row_passes_what_it_can_answer(wanted: Filter) -> None:
    """Nobody has reviewed it, and it has an id, a title and a group."""
    assert wanted.admits_pending(POSTER)


@pytest.mark.parametrize(
    "query",
    [
        ("status", "pass"),
        ("group", "kids"),
        ("ungrouped", "yes"),
        ("kind", "face"),
        ("reviewed", "yes"),
        ("disagreed", "yes"),
        ("source", "model"),
        ("code", "input"),
        ("min_confidence", "0"),
        ("max_confidence", "100"),
        ("text", "short"),
    ],
)
def test_a_pending_row_has_no_verdict_to_pass_by(query: tuple[str, str]) -> None:
    """No status, no confidence, no kinds, no source and no error."""
    assert not Filter.from_query([query]).admits_pending(POSTER)
    assert Filter().admits_pending(BadRow(2, "url is empty"))
