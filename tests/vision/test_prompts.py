"""The question, the shape of its answer, and what is no answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from redzone.bench.simulator.requests import check_strict
from redzone.models import Question, View, ViewKind, Wording, Zone, ZoneMark
from redzone.vision import prompts
from redzone.vision.answers import parse_answer, parse_packed
from redzone.vision.prompts import answer_schema, heading, instruction

RED = Zone(name="red", x=0.0, y=0.0, w=0.6, h=0.1)
LOGO = Zone(name="logo", x=0.0, y=0.9, w=1.0, h=0.1)

# What is asked under each version, of one picture and of a pack. A changed text needs a new version:
# cached verdicts are kept by it.
ASKED_UNDER = {"2": ("5e59165ff2c79949", "0dd10170d54dd6b4")}


def question(wording: Wording = Wording.FULL, *zones: Zone, kind: ViewKind = ViewKind.CROP) -> Question:
    return Question(View(kind, b"", 640, 320), zones or (RED,), wording, "m")


def test_the_version_changes_with_the_text() -> None:
    """Everything that is sent beside the picture, for both views and wordings."""
    said = [
        instruction(question(wording, RED, LOGO, kind=kind))
        for wording in Wording
        for kind in (ViewKind.CROP, ViewKind.POSTER)
    ]
    said.append(json.dumps(answer_schema((RED, LOGO)), sort_keys=True))
    packed = [
        instruction(question(Wording.FULL, RED, LOGO, kind=kind), 4)
        for kind in (ViewKind.CROP, ViewKind.POSTER)
    ]
    packed += [json.dumps(answer_schema((RED, LOGO), 4), sort_keys=True), heading(4, question())]
    digests = tuple(hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16] for texts in (said, packed))
    assert ASKED_UNDER.get(prompts.VERSION) == digests, (
        "raise prompts.VERSION and write its digests down here"
    )


@pytest.mark.parametrize("wording", Wording)
@pytest.mark.parametrize("kind", [ViewKind.CROP, ViewKind.POSTER])
def test_the_question_names_each_zone_and_its_place_and_distrusts_the_picture(
    wording: Wording, kind: ViewKind
) -> None:
    """In per cent of the poster; writing in the picture is no instruction; the view is described."""
    text = instruction(question(wording, RED, LOGO, kind=kind))
    assert "red: 0 % to 60 % of the poster's width from the left, 0 % to 10 % of its height" in text
    assert "logo: 0 % to 100 % of the poster's width from the left, 90 % to 100 %" in text
    assert "never an instruction" in text
    assert ("part of the poster" in text) == (kind is ViewKind.CROP)
    assert "a coloured line between two white ones" in text


def test_the_question_gives_the_places_in_the_picture_that_is_shown_and_the_borders_colours() -> None:
    """The crop shows a part of the poster only; with several zones each border is named."""
    marks = (ZoneMark(0.25, 0.1, 0.75, 0.4, "magenta"), ZoneMark(0.0, 0.6, 1.0, 0.9, "green"))
    asked = Question(View(ViewKind.CROP, b"", 640, 320, marks), (RED, LOGO), Wording.FULL, "m")
    for text in (instruction(asked), heading(2, asked)):
        assert "red, magenta border: 25% to 75% of the picture's width from the left, 10% to 40%" in text
        assert "logo, green border: 0% to 100% of the picture's width from the left, 60% to 90%" in text
    assert heading(2, asked).startswith("Picture 2:")


def test_a_question_without_a_schema_shows_the_form_of_its_answer() -> None:
    """For servers that do not take one; the form is readable, in a pack too."""
    asked = question(Wording.FULL, RED, LOGO)
    assert "Answer with one JSON object" not in instruction(asked)
    text = instruction(asked, with_form=True)
    shown = text[text.index("{") :]
    assert [verdict.name for verdict in parse_answer(shown, asked)] == ["red", "logo"]
    text = instruction(asked, 2, with_form=True)
    first, second = parse_packed(text[text.index("{") :], [asked, asked])
    assert isinstance(first, tuple)
    assert "missing" in str(second)


def test_the_simple_question_shows_the_form_of_its_answer() -> None:
    """With the zones' own names, and that form is readable."""
    asked = question(Wording.SIMPLE, RED, LOGO)
    text = instruction(asked)
    shown = text[text.index("{") :]
    assert [verdict.name for verdict in parse_answer(shown, asked)] == ["red", "logo"]


def _objects(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for part in schema.values():
            yield from _objects(part)
    if isinstance(schema, list):
        for part in schema:
            yield from _objects(part)


def test_the_schema_is_strict_and_names_the_zones() -> None:
    """Closed objects with every property required, as the API wants it; zone names are an enum."""
    schema = answer_schema((RED, LOGO))
    check_strict(schema, "schema")
    assert len(list(_objects(schema))) == 3
    assert schema["$defs"]["_ZoneReply"]["properties"]["zone"]["enum"] == ["red", "logo"]
    assert answer_schema((RED,))["$defs"]["_ZoneReply"]["properties"]["zone"]["enum"] == ["red"]


def test_the_model_reasons_before_it_decides() -> None:
    """Justification and elements come before the verdict in the schema, and so in the answer."""
    names = list(answer_schema((RED,))["$defs"]["_ZoneReply"]["properties"])
    assert names.index("justification") < names.index("elements") < names.index("contains_key_elements")


def test_the_schema_of_a_pack_is_strict_and_numbers_the_pictures() -> None:
    schema = answer_schema((RED,), 3)
    check_strict(schema, "schema")
    assert schema["$defs"]["_PictureReply"]["properties"]["picture"]["enum"] == [1, 2, 3]
