"""Zones: presets, and the forms in which a user names one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.errors import SettingsInvalid
from redzone.imaging import view_size
from redzone.models import ViewKind, Zone
from redzone.vision.openai.prices import image_tokens
from redzone.zones import PRESETS, parse_zone


def test_the_red_zone_is_where_the_badge_is_drawn() -> None:
    """Left 60 %, top 10 %."""
    assert parse_zone("red", {}) == Zone(name="red", x=0.0, y=0.0, w=0.6, h=0.1)


def test_the_page_about_zones_shows_the_presets_and_true_sizes() -> None:
    """docs/zones.md: its table, and the figures of the zone `red`."""
    page = (Path(__file__).parent.parent / "docs" / "zones.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| ([\d., ]+) \|", page, re.MULTILINE)
    shown = [parse_zone(f"{name}={numbers}", {}) for name, numbers in rows]
    assert shown == list(PRESETS.values())
    for kind in (ViewKind.CROP, ViewKind.POSTER):
        width, height = view_size(1000, 1500, [PRESETS["red"]], kind)
        tokens = image_tokens("gpt-6-luna", width, height)
        assert f"{width}x{height} px, or {tokens} tokens" in page


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_found_by_its_name(name: str) -> None:
    """The key and the zone's own name agree."""
    assert parse_zone(name, {}) is PRESETS[name]
    assert PRESETS[name].name == name


def test_paddings_given_in_pixels_are_covered_whole() -> None:
    """240 of 3000 px at the top and the bottom of a poster, 160 of 1080 px on a cover."""
    assert PRESETS["prime-top"].h * 3000 == pytest.approx(240)
    bottom = PRESETS["prime-bottom"]
    assert bottom.h * 3000 == pytest.approx(240)
    assert bottom.y + bottom.h == pytest.approx(1.0)
    assert 160 <= PRESETS["prime-cover-top"].h * 1080 < 161


def test_a_zone_of_ones_own_is_a_name_and_four_fractions() -> None:
    """Spaces do no harm."""
    expected = Zone(name="logo", x=0.0, y=0.9, w=1.0, h=0.1)
    assert parse_zone("logo=0,0.9,1,0.1", {}) == expected
    assert parse_zone(" logo = 0, 0.9, 1, .1 ", {}) == expected


def test_a_zone_of_the_settings_is_found_by_name_and_wins_over_a_preset() -> None:
    """[zone] in redzone.toml can also redefine `red`."""
    own = {"corner": (0.0, 0.0, 0.3, 0.2), "red": (0.0, 0.0, 0.5, 0.5)}
    assert parse_zone("corner", own) == Zone(name="corner", x=0.0, y=0.0, w=0.3, h=0.2)
    assert parse_zone("red", own).w == 0.5


@pytest.mark.parametrize(
    "text",
    [
        "a=0,0,1",
        "a=0,0,1,1,1",
        "a=",
        "a=left,0,1,1",
        "a=0,0,1.1,1",
        "a=0.5,0,0.6,1",
        "a=0,0,0,1",
        "a=-0.1,0,1,1",
        "a=nan,0,1,1",
        "a=0,0,nan,1",
        "a=0,0,60,10",
        "=0,0,1,1",
        "Big Zone=0,0,1,1",
        "../etc=0,0,1,1",
    ],
)
def test_an_impossible_zone_is_refused_with_an_example(text: str) -> None:
    """The text as given, and the form that is wanted."""
    with pytest.raises(SettingsInvalid, match=r"0,0,0\.6,0\.1") as caught:
        parse_zone(text, {})
    assert repr(text) in str(caught.value)


def test_an_impossible_zone_of_the_settings_is_refused_too() -> None:
    """The same law for redzone.toml."""
    with pytest.raises(SettingsInvalid, match="exceeds the poster"):
        parse_zone("corner", {"corner": (0.9, 0.0, 0.3, 0.2)})


def test_an_unknown_name_lists_what_there_is() -> None:
    """Presets and the zones of redzone.toml."""
    with pytest.raises(SettingsInvalid) as caught:
        parse_zone("rde", {"corner": (0.0, 0.0, 0.3, 0.2)})
    for name in (*PRESETS, "corner"):
        assert name in str(caught.value)


@given(st.text())
def test_any_text_is_a_zone_or_a_refusal(text: str) -> None:
    """Nothing else is raised."""
    try:
        zone = parse_zone(text, {})
    except SettingsInvalid:
        return
    assert 0.0 < zone.w <= 1.0
    assert 0.0 < zone.h <= 1.0


@given(*[st.integers(0, 999)] * 2, *[st.integers(1, 1000)] * 2)
def test_a_zone_written_down_is_read_back(x: int, y: int, w: int, h: int) -> None:
    """Every zone inside the poster, to a thousandth."""
    x, y = min(x, 1000 - w), min(y, 1000 - h)
    zone = Zone(name="any", x=x / 1000, y=y / 1000, w=w / 1000, h=h / 1000)
    assert parse_zone(f"any={zone.x},{zone.y},{zone.w},{zone.h}", {}) == zone
