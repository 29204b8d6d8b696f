"""How `Retry-After` headers are read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.retry_after import LONGEST_S, read_retry_after

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("1.5", 1.5),
        (".25", 0.25),
        ("Sun, 01 Nov 2026 12:01:00 GMT", 60.0),
        ("Sun, 01 Nov 2026 12:01:00 -0000", 60.0),
        ("Sun, 01 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("1e9", None),
        ("999999999999", None),
        ("Sun, 01 Nov 9999 12:00:00 GMT", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    headers = {} if value is None else {"retry-after": value}
    assert read_retry_after(headers, NOW) == seconds


def test_milliseconds_win_over_seconds_unless_they_are_unreadable() -> None:
    assert read_retry_after({"retry-after-ms": "250", "retry-after": "9"}, NOW) == 0.25
    assert read_retry_after({"retry-after-ms": "-3", "retry-after": "9"}, NOW) == 9.0


@given(st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms"]), st.text(max_size=40)))
def test_any_text_is_a_bounded_wait_or_none(headers: dict[str, str]) -> None:
    seconds = read_retry_after(headers, NOW)
    assert seconds is None or 0.0 <= seconds <= LONGEST_S
