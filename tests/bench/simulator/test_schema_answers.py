"""Answers fit their schema, make sense, and stay the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.bench.simulator.schema_answers import answer_to, example_in
from redzone.models import Zone
from redzone.vision.prompts import FullReply, PackedReply, answer_schema

ZONES = (Zone(name="red", x=0.0, y=0.0, w=0.6, h=0.1), Zone(name="foot", x=0.0, y=0.8, w=1.0, h=0.2))

image_ids = st.integers(0, 10**9).map(lambda number: f"{number:064x}")


def answer(*image_ids: str, zones: tuple[Zone, ...] = ZONES, pictures: int = 1) -> Any:
    return answer_to(answer_schema(zones, pictures), *image_ids)


@given(image_ids, st.sampled_from([ZONES, ZONES[:1]]))
def test_an_answer_fits_the_schema(image_id: str, zones: tuple[Zone, ...]) -> None:
    """Every zone once and in order, whatever the picture; the reply model accepts it."""
    reply = FullReply.model_validate_json(json.dumps(answer(image_id, zones=zones)), strict=True)
    assert [zone.zone for zone in reply.zones] == [zone.name for zone in zones]


@given(image_ids)
def test_an_answer_is_the_same_for_the_same_picture(image_id: str) -> None:
    """Equal picture, equal answer."""
    assert answer(image_id) == answer(image_id)


@given(st.lists(image_ids, min_size=3, max_size=3))
def test_a_picture_gets_in_a_pack_what_it_gets_alone(images: list[str]) -> None:
    """packed(a, b, c) == alone(a), alone(b), alone(c), each under its number, in whatever company."""
    packed = answer(*images, pictures=3)
    PackedReply.model_validate_json(json.dumps(packed), strict=True)
    assert packed == {
        "pictures": [{"picture": number, **answer(image)} for number, image in enumerate(images, start=1)]
    }


def test_a_number_without_a_picture_is_an_error() -> None:
    """The schema asks about three pictures, but the request has two."""
    with pytest.raises(ValueError, match="asks for picture 3, but there are 2"):
        answer("a", "b", pictures=3)


@given(image_ids)
def test_a_verdict_does_not_contradict_itself(image_id: str) -> None:
    """Elements exactly where the zone holds any."""
    for zone in answer(image_id)["zones"]:
        assert bool(zone["elements"]) == zone["contains_key_elements"]


def test_about_two_in_five_pictures_fail() -> None:
    """40 % of the verdicts find something, within chance; one in twenty is shaky."""
    zones = [zone for number in range(1000) for zone in answer(f"{number}")["zones"]]
    assert 0.35 < sum(zone["contains_key_elements"] for zone in zones) / len(zones) < 0.45
    assert 0.03 < sum(zone["confidence_pct"] < 60 for zone in zones) / len(zones) < 0.08


def test_without_a_schema_the_example_in_the_prompt_gives_the_shape() -> None:
    """The last JSON object shown is followed: its names stay, its numbers and booleans are answered."""
    example = {
        "zones": [
            {"zone": name, "contains_key_elements": True, "confidence_pct": 90} for name in ("red", "foot")
        ]
    }
    schema = example_in(f"Not this {{one}}. Answer in this form:\n{json.dumps(example)}\nThank you.")
    assert schema is not None
    answers = [answer_to(schema, f"{number}")["zones"] for number in range(50)]
    assert {tuple(zone["zone"] for zone in zones) for zones in answers} == {("red", "foot")}
    assert {zones[0]["contains_key_elements"] for zones in answers} == {True, False}


def test_a_prompt_without_an_example_gives_no_shape() -> None:
    """Braces alone are no example."""
    assert example_in("a {set} of {things") is None


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}},
        {"$ref": "#/$defs/Gone"},
        {"type": "object", "properties": {"a": 3}},
    ],
)
def test_a_schema_that_leads_nowhere_is_an_error(schema: dict[str, Any]) -> None:
    """ValueError, not an endless loop."""
    with pytest.raises(ValueError, match="schema"):
        answer_to(schema, "0")


@pytest.mark.parametrize("keyword", ["pattern", "anyOf", "minLength", "format"])
def test_an_unsupported_keyword_is_an_error_that_names_it(keyword: str) -> None:
    """Also within a property; nothing is ignored silently."""
    schema = {"type": "object", "properties": {"a": {"type": "string", keyword: 1}}}
    with pytest.raises(ValueError, match=f"'{keyword}' is not permitted"):
        answer_to(schema, "0")
