"""Tokens and dollars of a request, by the published rules."""

from __future__ import annotations

import math
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.config.settings import Settings
from redzone.models import Tokens
from redzone.vision.openai.prices import Price, image_tokens, price_of, prices_as_of, shutdown_of


def test_a_price_is_per_million_tokens() -> None:
    """Input and output apart."""
    assert Price(0.10, 0.50).cost_usd(Tokens(input=1_000_000, output=2_000_000)) == pytest.approx(1.10)
    assert Price(0.10, 0.50).cost_usd(Tokens()) == 0.0


def test_the_default_model_has_a_price_and_is_not_being_switched_off() -> None:
    """Nobody begins with an unknown cost or a dying model."""
    model = Settings().model
    assert price_of(model) == Price(0.10, 0.50)
    assert shutdown_of(model) is None


def test_the_price_list_has_a_date() -> None:
    """Every public number says where it comes from."""
    assert date.fromisoformat(prices_as_of()) <= date(2100, 1, 1)


def test_a_dated_name_has_the_price_of_its_family() -> None:
    """`gpt-6-luna-2026-09-01`; no other ending is cut off."""
    assert price_of("gpt-6-luna-2026-09-01") == price_of("gpt-6-luna")
    assert shutdown_of("gpt-5-nano-2025-08-07") == date(2026, 12, 11)
    assert price_of("gpt-4o-mini-transcribe") is None


@pytest.mark.parametrize("model", ["qwen2.5-vl", "", "gpt-7", "2026-09-01", "-2026-09-01"])
def test_an_unknown_model_has_no_price_rather_than_a_wrong_one(model: str) -> None:
    """None, never 0."""
    assert price_of(model) is None
    assert shutdown_of(model) is None


def test_a_known_model_without_a_listed_price_has_none() -> None:
    """The list knows its tokens and its end."""
    assert price_of("gpt-4o") is None
    assert shutdown_of("gpt-4o") == date(2027, 1, 14)


@pytest.mark.parametrize(
    ("model", "width", "height", "tokens"),
    [
        # 32 x 47 patches x 1.2
        ("gpt-6-luna", 1000, 1500, 1805),
        ("gpt-6-luna", 32, 32, 2),
        ("gpt-6-luna", 33, 32, 3),
        ("a-server-of-ones-own", 1000, 1500, 1805),
        # scaled to 768 x 1152: 2 x 3 tiles
        ("gpt-4o-mini", 1000, 1500, 36_835),
        ("gpt-4o", 1000, 1500, 85 + 6 * 170),
        # scaled to 2048, then to 768 x 768
        ("gpt-4o", 4096, 4096, 85 + 4 * 170),
        ("gpt-4o", 512, 512, 85 + 170),
        # scaled to 768 x 1024, which is two tiles high, not three
        ("gpt-4o", 900, 1200, 85 + 4 * 170),
    ],
)
def test_pictures_are_billed_by_the_published_rule(model: str, width: int, height: int, tokens: int) -> None:
    """Examples worked out by hand from the documentation."""
    assert image_tokens(model, width, height) == tokens


@given(st.integers(1, 8000), st.integers(1, 8000))
def test_tiles_are_counted_as_in_exact_arithmetic(width: int, height: int) -> None:
    """No tile too many or too few by rounding."""
    scale = min(Fraction(1), Fraction(2048, max(width, height)))
    scale = min(scale, Fraction(768, min(width, height)))
    tiles = math.ceil(width * scale / 512) * math.ceil(height * scale / 512)
    assert image_tokens("gpt-4o", width, height) == 85 + 170 * tiles


@given(st.integers(1, 4000), st.integers(1, 4000))
def test_a_larger_picture_never_takes_fewer_patches(width: int, height: int) -> None:
    """In either direction."""
    tokens = image_tokens("gpt-6-luna", width, height)
    assert 1 <= tokens <= image_tokens("gpt-6-luna", width + 1, height)
    assert tokens <= image_tokens("gpt-6-luna", width, height + 1)
