"""Answers fit their schema, make sense, and stay the same."""

from __future__ import annotations

import json
from functools import cache
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from redzone.bench.simulator.schema_answers import answer_to, example_in
from redzone.models import ElementKind

image_ids = st.integers(0, 10**9).map(lambda number: f"{number:064x}")


class Rectangle(BaseModel):
    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)
    w: float = Field(ge=0, le=1)
    h: float = Field(ge=0, le=1)


class Part(BaseModel):
    kind: ElementKind
    label: str
    box: Rectangle | None


class Judged(BaseModel):
    model_config = ConfigDict(extra="forbid")
    zone: Literal["red", "foot"]
    justification: str
    elements: list[Part]
    contains_key_elements: bool
    confidence_pct: int = Field(ge=0, le=100)


class Full(BaseModel):
    zones: list[Judged]


class Alone(BaseModel):
    zone: Literal["red"]
    contains_key_elements: bool
    confidence: float = Field(ge=0, le=1)
    elements: list[str]


class Single(BaseModel):
    zones: list[Alone]


class Numbered(BaseModel):
    picture: int = Field(json_schema_extra={"enum": [1, 2, 3]})
    zones: list[Judged]


class Packed(BaseModel):
    pictures: list[Numbered]


class Odd(BaseModel):
    fixed: Literal["a"]
    some: list[Annotated[int, Field(gt=3, lt=5)]] = Field(min_length=2, max_length=3)
    text: str = Field(min_length=20, max_length=22)
    short: str = Field(max_length=3)
    either: int | str | None
    share: float = Field(gt=0.25, le=0.33333)
    pair: tuple[int, bool]
    nested: Odd | None
    children: list[Odd]
    nothing: None


@cache
def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


def answer(model: type[BaseModel], *image_ids: str) -> Any:
    return answer_to(schema_of(model), *image_ids)


@given(image_ids, st.sampled_from([Full, Single, Odd, Rectangle]))
def test_an_answer_fits_the_schema(image_id: str, model: type[BaseModel]) -> None:
    """Whatever the picture, the answer validates, references, bounds, unions and recursion included."""
    model.model_validate_json(json.dumps(answer(model, image_id)), strict=True)


@given(image_ids)
def test_an_answer_is_the_same_for_the_same_picture(image_id: str) -> None:
    """Equal picture, equal answer."""
    assert answer(Full, image_id) == answer(Full, image_id)


@given(st.lists(image_ids, min_size=3, max_size=3))
def test_a_picture_gets_in_a_pack_what_it_gets_alone(images: list[str]) -> None:
    """packed(a, b, c) == alone(a), alone(b), alone(c), each under its number, in whatever company."""
    packed = answer(Packed, *images)
    Packed.model_validate_json(json.dumps(packed), strict=True)
    assert packed == {
        "pictures": [
            {"picture": number, **answer(Full, image)} for number, image in enumerate(images, start=1)
        ]
    }


def test_a_number_without_a_picture_is_an_error() -> None:
    """The schema asks about three pictures, and two are there."""
    with pytest.raises(ValueError, match="asks for picture 3, and there are 2"):
        answer(Packed, "a", "b")


@given(image_ids)
def test_a_verdict_does_not_contradict_itself(image_id: str) -> None:
    """Every zone once and in order; elements exactly where the zone holds any; boxes inside the poster."""
    full = Full.model_validate(answer(Full, image_id))
    assert [zone.zone for zone in full.zones] == ["red", "foot"]
    for zone in full.zones:
        assert bool(zone.elements) == zone.contains_key_elements
        boxes = [part.box for part in zone.elements if part.box]
        assert all(box.x + box.w <= 1 + 1e-9 and box.y + box.h <= 1 + 1e-9 for box in boxes)


def test_a_zone_that_is_the_only_one_is_named_once() -> None:
    """An enum of one name becomes a const in the schema; the list still has exactly that zone."""
    single = Single.model_validate(answer(Single, "0"))
    assert [zone.zone for zone in single.zones] == ["red"]
    assert 0 < single.zones[0].confidence <= 1


def test_about_two_in_five_pictures_fail() -> None:
    """40 % of the verdicts find something, within chance; one in twenty is shaky."""
    zones = [zone for number in range(1000) for zone in answer(Full, f"{number}")["zones"]]
    assert 0.35 < sum(zone["contains_key_elements"] for zone in zones) / len(zones) < 0.45
    assert 0.03 < sum(zone["confidence_pct"] < 60 for zone in zones) / len(zones) < 0.08


def test_without_a_schema_the_example_in_the_prompt_gives_the_shape() -> None:
    """The last JSON object shown is followed: its names stay, its numbers and booleans are answered."""
    example = {"zones": [{"zone": "red", "contains_key_elements": True, "confidence_pct": 90}]}
    schema = example_in(f"Not this {{one}}. Answer in this form:\n{json.dumps(example)}\nThank you.")
    assert schema is not None
    answers = [answer_to(schema, f"{number}")["zones"] for number in range(50)]
    assert {len(zones) for zones in answers} == {1}
    assert {zones[0]["zone"] for zones in answers} == {"red"}
    assert {zones[0]["contains_key_elements"] for zones in answers} == {True, False}


def test_a_prompt_without_an_example_gives_no_shape() -> None:
    """Braces alone are no example."""
    assert example_in("a {set} of {things") is None


@pytest.mark.parametrize(
    "schema", [{"$ref": "#"}, {"$ref": "#/$defs/Gone"}, {"type": "object", "properties": {"a": 3}}]
)
def test_a_schema_that_leads_nowhere_is_an_error(schema: dict[str, Any]) -> None:
    """ValueError, not an endless loop."""
    with pytest.raises(ValueError, match="schema"):
        answer_to(schema, "0")
