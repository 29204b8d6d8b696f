"""Untrusted text made safe to show."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.text import clean

HOSTILE = st.text(
    st.sampled_from("\x1b[]0;m\\\x07\x9b\x9c\x9d\x90P^_\r\n\t ab\u202e\u2066\ud800\x85\x00\u2028é")
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x9b1;31mred", "red"),
        ("\x1b]0;new window title\x07film", "film"),
        ("\x1b]8;;https://evil.example/\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bP+q544e\x1b\\film", "film"),
        ("\x1b]0;never ended", "0;never ended"),
        ("a\x1bcb\x08\x00\x7f", "ab"),
        ("evil\u202egnp.exe\u2066", "evilgnp.exe"),
        ("two\r\nlines\tand\u2028more", "two lines and more"),
        ("half \ud800", "half \ufffd"),
        ("[/bold] [red]not markup", "[/bold] [red]not markup"),
        ("Amélie 天 👩‍🚀", "Amélie 天 👩‍🚀"),
    ],
)
def test_escapes_and_controls_go_and_text_stays(text: str, shown: str) -> None:
    """Terminal sequences go with their payload; letters of any script, joiners and brackets stay."""
    assert clean(text) == shown


@given(text=HOSTILE | st.text(), keep=st.booleans())
def test_nothing_that_a_terminal_obeys_is_left(text: str, keep: bool) -> None:
    """No control character, no bidi control, always UTF-8, and cleaning twice changes nothing."""
    shown = clean(text, keep_lines=keep)
    allowed = {"\n", "\t"} if keep else set()
    assert not {char for char in shown if unicodedata.category(char) in {"Cc", "Cs"}} - allowed
    assert not set(shown) & set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2028\u2029")
    assert shown.encode().decode() == shown
    assert clean(shown, keep_lines=keep) == shown


@given(text=st.text("ab\n", max_size=20), limit=st.integers(1, 10))
def test_a_limit_cuts_with_a_sign(text: str, limit: int) -> None:
    """Never longer than the limit, and whole where it fits."""
    shown = clean(text, limit)
    assert len(shown) <= limit
    assert (shown == clean(text)) == (len(text) <= limit) or shown.endswith("…")


def test_lines_are_kept_where_asked() -> None:
    """Every kind of break becomes one newline; tabs stay."""
    assert clean("a\r\nb\rc\n\td\x0b", keep_lines=True) == "a\nb\nc\n\td "


@pytest.mark.parametrize("piece", ["\x1b]", "\x1b[", "\x9d", "\x1b ", "\x1b[0"])
def test_a_long_hostile_text_costs_linear_time(piece: str) -> None:
    """A megabyte of openings without an end takes well under a second (quadratic: minutes)."""
    begin = time.perf_counter()
    clean(piece * 500_000)
    assert time.perf_counter() - begin < 5
