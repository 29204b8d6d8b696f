"""The question, the shape of its answer, and what is no answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.bench.simulator.requests import check_strict
from redzone.models import ElementKind, Question, View, ViewKind, Wording, Zone, ZoneVerdict
from redzone.vision import prompts
from redzone.vision.prompts import (
    AnswerUnreadable,
    answer_schema,
    heading,
    instruction,
    parse_answer,
    parse_packed,
)

RED = Zone(name="red", x=0.0, y=0.0, w=0.6, h=0.1)
LOGO = Zone(name="logo", x=0.0, y=0.9, w=1.0, h=0.1)

# What is asked under each version, of one picture and of a pack. A changed text needs a new version:
# cached verdicts are kept by it.
ASKED_UNDER = {"1": ("6774eee5a48bbd6a", "606535a04d723ec6")}


def question(wording: Wording = Wording.FULL, *zones: Zone, kind: ViewKind = ViewKind.CROP) -> Question:
    return Question(View(kind, b"", 640, 320), zones or (RED,), wording, "m")


def zone_reply(**changes: Any) -> dict[str, Any]:
    return {
        "zone": "red",
        "justification": "the title's first line",
        "elements": [{"kind": "text", "label": "title"}],
        "contains_key_elements": True,
        "confidence_pct": 90,
    } | changes


def answer(*replies: dict[str, Any]) -> str:
    return json.dumps({"zones": list(replies)})


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
    packed += [json.dumps(answer_schema((RED, LOGO), 4), sort_keys=True), heading(4)]
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


def test_a_full_answer_is_read_whole() -> None:
    """One verdict per zone of the question, in its order, whatever the order of the answer."""
    text = answer(
        zone_reply(zone="logo", elements=[], contains_key_elements=False, confidence_pct=75), zone_reply()
    )
    red, logo = parse_answer(text, question(Wording.FULL, RED, LOGO))
    assert (red.name, red.contains_key_elements, red.confidence_pct) == ("red", True, 90)
    assert [(e.kind, e.label) for e in red.elements] == [(ElementKind.TEXT, "title")]
    assert red.justification == "the title's first line"
    assert logo == ZoneVerdict(
        name="logo", contains_key_elements=False, confidence_pct=75, justification=red.justification
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no",
        "null",
        "[]",
        "{}",
        '{"zones": []}',
        '{"zones": {}}',
        answer(zone_reply())[:-2],
        answer(zone_reply()) + "}",
        f"```json\n{answer(zone_reply())}\n```",
        answer(zone_reply(), zone_reply()),
        answer(zone_reply(zone="blue")),
        answer(zone_reply(), zone_reply(zone="blue")),
        answer(zone_reply(zone="")),
        answer(zone_reply(confidence_pct=101)),
        answer(zone_reply(confidence_pct=-1)),
        answer(zone_reply(confidence_pct=89.5)),
        answer(zone_reply(confidence_pct=None)),
        answer(zone_reply(contains_key_elements="maybe")),
        answer(zone_reply(contains_key_elements=None)),
        answer(zone_reply(elements=[{"kind": "hat", "label": "a hat"}])),
        answer(zone_reply(elements=None)),
        answer(zone_reply(extra=1)),
        answer({"zone": "red", "contains_key_elements": False}),
        '{"zones": [{"zone": "red", "confidence_pct": NaN}]}',
        "[" * 5000,
    ],
)
def test_anything_else_is_unreadable_and_never_a_verdict(text: str) -> None:
    """AnswerUnreadable with a reason, and no other exception."""
    with pytest.raises(AnswerUnreadable, match=r"."):
        parse_answer(text, question())


def test_a_free_zone_with_elements_contradicts_itself() -> None:
    """Neither half can be believed."""
    with pytest.raises(AnswerUnreadable, match="called free but 1 elements"):
        parse_answer(answer(zone_reply(contains_key_elements=False)), question())


def test_a_held_zone_without_a_list_of_elements_is_a_verdict() -> None:
    """The verdict is what was asked; the list only explains it."""
    (verdict,) = parse_answer(answer(zone_reply(elements=[])), question())
    assert verdict.contains_key_elements


def test_a_missing_zone_is_named() -> None:
    """What was asked and what was answered."""
    with pytest.raises(AnswerUnreadable, match="asked about red, logo, answered red"):
        parse_answer(answer(zone_reply()), question(Wording.FULL, RED, LOGO))


@pytest.mark.parametrize("form", ["{}", "Sure!\n```json\n{}\n```\nAnything else?"])
def test_a_simple_answer_may_stand_between_words(form: str) -> None:
    """Small models put prose and code fences round it, and more into it."""
    said = answer({"zone": "red", "contains_key_elements": True, "confidence_pct": 80.0, "mood": "dark"})
    (verdict,) = parse_answer(form.replace("{}", said), question(Wording.SIMPLE))
    assert (verdict.contains_key_elements, verdict.confidence_pct, verdict.elements) == (True, 80.0, ())


@pytest.mark.parametrize("text", ["", "no", "}{", "{", '{"zones": [{"zone": "red"}]}', "{}", '{"zones": []}'])
def test_a_simple_answer_without_a_verdict_is_unreadable(text: str) -> None:
    """The same law for both wordings."""
    with pytest.raises(AnswerUnreadable):
        parse_answer(text, question(Wording.SIMPLE))


NAMES = ["zones", "zone", "contains_key_elements", "confidence_pct", "elements", "kind", "other"]
json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=12,
)


@given(st.text() | json_values.map(json.dumps), st.sampled_from(Wording))
def test_any_text_is_a_whole_answer_or_unreadable(text: str, wording: Wording) -> None:
    """Nothing else is raised, whatever a model says."""
    asked = question(wording, RED, LOGO)
    try:
        verdicts = parse_answer(text, asked)
    except AnswerUnreadable:
        return
    assert [verdict.name for verdict in verdicts] == ["red", "logo"]


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 100), st.text(), st.lists(st.sampled_from(ElementKind))),
        min_size=2, max_size=2,
    )
)  # fmt: skip
def test_a_written_answer_is_read_back(said: list[tuple[bool, int, str, list[ElementKind]]]) -> None:
    """parse(render(verdicts)) == verdicts."""
    replies = [
        zone_reply(
            zone=zone.name, contains_key_elements=holds or bool(kinds), confidence_pct=confidence,
            justification=why, elements=[{"kind": kind, "label": why} for kind in kinds],
        )
        for zone, (holds, confidence, why, kinds) in zip((RED, LOGO), said, strict=True)
    ]  # fmt: skip
    verdicts = parse_answer(answer(*replies), question(Wording.FULL, RED, LOGO))
    for verdict, reply in zip(verdicts, replies, strict=True):
        assert verdict.model_dump(mode="json", exclude={"elements"}) == {
            "name": reply["zone"],
            "contains_key_elements": reply["contains_key_elements"],
            "confidence_pct": reply["confidence_pct"],
            "justification": reply["justification"],
        }
        assert [{"kind": e.kind, "label": e.label} for e in verdict.elements] == reply["elements"]


def packed(*entries: tuple[object, dict[str, Any]]) -> str:
    """An answer about several pictures, as (number, zone) pairs."""
    return json.dumps({"pictures": [{"picture": number, "zones": [zone]} for number, zone in entries]})


def test_a_pack_is_answered_picture_by_picture() -> None:
    """Each under its number, in whatever order they come."""
    free = zone_reply(elements=[], contains_key_elements=False)
    found = parse_packed(packed((3, free), (1, zone_reply()), (2, free)), [question()] * 3)
    assert [f[0].contains_key_elements for f in found if isinstance(f, tuple)] == [True, False, False]


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([(1, zone_reply())], "picture 2 is missing"),
        (
            [(1, zone_reply()), (2, zone_reply()), (2, zone_reply(confidence_pct=50))],
            "picture 2 came 2 times",
        ),
        ([(1, zone_reply()), ("2", zone_reply())], "picture 2 is missing"),
        ([(1, zone_reply()), (True, zone_reply()), (7, zone_reply())], "picture 2 is missing"),
        ([(1, zone_reply()), (2, zone_reply(zone="logo"))], "asked about red, answered logo"),
        ([(1, zone_reply()), (2, zone_reply(confidence_pct=400))], "confidence_pct"),
        ([(1, zone_reply()), (2, zone_reply(contains_key_elements=False))], "called free"),
    ],
)
def test_a_bad_entry_spoils_no_other(entries: list[tuple[object, dict[str, Any]]], reason: str) -> None:
    """A number that is missing or doubled, or an entry that does not fit, is that picture's trouble alone."""
    first, second = parse_packed(packed(*entries), [question()] * 2)
    assert isinstance(first, tuple)
    assert isinstance(second, AnswerUnreadable)
    assert reason in str(second)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pictures": 3}', '{"pictures": [1, 2]}', packed()[:-2]])
def test_a_pack_without_entries_is_unreadable(text: str) -> None:
    with pytest.raises(AnswerUnreadable):
        parse_packed(text, [question()] * 2)


@given(st.permutations(range(1, 9)), st.lists(st.booleans(), min_size=8, max_size=8))
def test_verdicts_follow_the_numbers(order: list[int], fails: list[bool]) -> None:
    """However the model sorts them, no picture gets another one's verdict."""
    replies = {
        number: zone_reply(justification=str(number))
        if fails[number - 1]
        else zone_reply(justification=str(number), elements=[], contains_key_elements=False)
        for number in order
    }
    found = parse_packed(packed(*((n, replies[n]) for n in order)), [question()] * 8)
    told = [(f[0].justification, f[0].contains_key_elements) for f in found if isinstance(f, tuple)]
    assert told == [(str(number), fails[number - 1]) for number in range(1, 9)]


def test_the_schema_of_a_pack_is_strict_and_numbers_the_pictures() -> None:
    schema = answer_schema((RED,), 3)
    check_strict(schema, "schema")
    assert schema["$defs"]["_PictureReply"]["properties"]["picture"]["enum"] == [1, 2, 3]
