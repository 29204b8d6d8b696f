from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.terminal.formatting import (
    format_cost,
    format_count,
    format_duration,
    format_pct,
    format_rate,
    format_short,
)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0, "0.0s"),
        (-1.0, "0.0s"),
        (0.44, "0.4s"),
        (9.94, "9.9s"),
        (9.97, "10s"),
        (12.4, "12s"),
        (59.6, "1m00s"),
        (330.0, "5m30s"),
        (3599.7, "1h00m"),
        (3900.0, "1h05m"),
        (86_400.0 * 2 + 3600 * 3, "2d03h"),
        (1e12, ">999d"),
        (float("inf"), "unknown"),
        (float("nan"), "unknown"),
        (None, "unknown"),
    ],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: float | None, expected: str) -> None:
    """No "60s", no "0m", nothing longer than a column."""
    assert format_duration(seconds) == expected


@pytest.mark.parametrize(
    ("usd", "expected"),
    [
        (0.0, "$0.00"),
        (0.00001, "<$0.0001"),
        (0.0123, "$0.0123"),
        (0.99999, "$1.00"),
        (12.345, "$12.35"),
        (1234.5, "$1,234.50"),
        (1e15, "$1.0e+15"),
        (-2.5, "-$2.50"),
        (float("nan"), "unknown"),
    ],
)
def test_a_cost_shows_the_decimals_that_matter(usd: float, expected: str) -> None:
    """A poster costs a hundredth of a cent, a run some dollars."""
    assert format_cost(usd) == expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0"),
        (999_999, "999,999"),
        (1_234_567, "1.23M"),
        (12_345_678, "12.3M"),
        (4.5e9, "4.5G"),
        (1e18, "1e+18"),
    ],
)
def test_a_count_keeps_to_its_column(count: float, expected: str) -> None:
    """Exact as long as it is short."""
    assert format_count(count) == expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [(9_999, "9,999"), (21_340, "21.3k"), (99_960, "100k"), (200_000, "200k"), (999_900, "999k")],
)
def test_a_short_count_is_rounded_from_ten_thousand_on(count: float, expected: str) -> None:
    """Tokens per minute are read at a glance."""
    assert format_short(count) == expected


def test_a_rate_has_a_decimal_where_it_says_something() -> None:
    """2.5 a minute is not 2, and 118.4 is 118."""
    assert [format_rate(rate) for rate in (0, 2.5, 9.96, 118.4)] == ["0", "2.5", "10", "118"]


def test_one_hundred_percent_is_only_said_of_all() -> None:
    """999,999 of a million are not all of them."""
    assert format_pct(999_999, 1_000_000) == "99.9 %"
    assert format_pct(5, 5) == "100.0 %"
    assert format_pct(0, 0) == ""


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_no_number_breaks_a_figure(number: float) -> None:
    """Every float has a text, and a duration or a count one that fits its column."""
    assert len(format_duration(number)) <= 7
    assert len(format_count(abs(number))) <= 7
    assert format_cost(number)
    assert format_rate(number)
    assert len(format_short(abs(number))) <= 7
