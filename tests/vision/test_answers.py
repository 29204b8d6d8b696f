"""What a model's text says about the zones: exact answers, nearly right ones, and what is no answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.models import ElementKind, Question, View, ViewKind, Wording, Zone, ZoneVerdict
from redzone.vision.answers import AnswerRefused, parse_answer, parse_packed
from redzone.vision.zone_answers import AnswerUnreadable

RED = Zone(name="red", x=0.0, y=0.0, w=0.6, h=0.1)
LOGO = Zone(name="logo", x=0.0, y=0.9, w=1.0, h=0.1)


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
        answer(zone_reply())[:40],
        answer(zone_reply(), zone_reply(confidence_pct=50)),
        answer(zone_reply(zone="blue")),
        answer(zone_reply(zone="")),
        answer(zone_reply(confidence_pct=101)),
        answer(zone_reply(confidence_pct=-1)),
        answer(zone_reply(confidence_pct=None)),
        answer(zone_reply(confidence_pct="high")),
        answer(zone_reply(contains_key_elements="maybe")),
        answer(zone_reply(contains_key_elements=None)),
        answer({"zone": "red", "contains_key_elements": False}),
        '{"zones": [{"zone": "red", "confidence_pct": NaN}]}',
        "<think>" + answer(zone_reply()) + "</think>",
        "[" * 5000,
    ],
)
def test_anything_else_is_unreadable_and_never_a_verdict(text: str) -> None:
    """AnswerUnreadable with a reason, and no other exception."""
    with pytest.raises(AnswerUnreadable, match=r"."):
        parse_answer(text, question())


def test_a_free_zone_with_elements_contradicts_itself() -> None:
    """Neither half can be believed: both are kept, at the confidence of a guess at most."""
    (verdict,) = parse_answer(answer(zone_reply(contains_key_elements=False)), question())
    assert verdict.contradictory
    assert (verdict.contains_key_elements, verdict.confidence_pct, len(verdict.elements)) == (False, 50.0, 1)


def free(**changes: Any) -> dict[str, Any]:
    return zone_reply(contains_key_elements=False, elements=[], justification="sky") | changes


FREE = answer(free())
SHAPES = {
    "fence": f"```json\n{FREE}\n```",
    "fence in prose": f"Here you are:\n```\n{FREE}\n```\nAnything else?",
    "prose": f"The zone {{red}} is free.\n{FREE}\nHope it helps!",
    "think": f"<think>\nDraft: {answer(zone_reply())} {{sky}}\n</think>\n\n{FREE}",
    "think without an opening tag": f"The zone shows {{sky}}.\n</think>\n{FREE}",
    "think without a closing tag": f"<think>It shows sky.\n{FREE}",
    "harmony": f"<|channel|>analysis<|message|>{{sky}}<|end|><|channel|>final<|message|>{FREE}",
    "two objects": f"{FREE}\n{FREE}",
    "a draft, then the answer": f"{answer(zone_reply())}\nOn second thought:\n{FREE}",
    "a text of JSON": json.dumps(FREE),
    "a text of JSON in a fence": f"```json\n{json.dumps(FREE)}\n```",
    "one zone": json.dumps(free()),
    "a list": json.dumps([free()]),
    "a list of the whole": f"[{FREE}]",
    "by name": json.dumps({"zones": {"red": {k: v for k, v in free().items() if k != "zone"}}}),
    "by name alone": json.dumps({"Red": {k: v for k, v in free().items() if k != "zone"}}),
    "inside a result": json.dumps({"result": {"zones": [free()]}}),
    "a function call": json.dumps({"name": "zones", "arguments": FREE}),
    "trailing comma": FREE[:-1] + ",}",
    "apostrophes": str(json.loads(FREE)),
    "no last bracket": FREE[:-1],
    "one bracket too many": FREE + "}",
    "a raw line break": FREE.replace("sky", "line\nbreak"),
    "a comment": FREE.replace('"zones"', '/* the answer */ "zones"'),
    "another case": answer(free(zone="Red")),
    "the zone": answer(free(zone="red zone")),
    "no name": answer({k: v for k, v in free().items() if k != "zone"}),
    "more zones": answer(free(), free(zone="blue")),
    "said twice": answer(free(), free()),
    "other keys": answer({"Zone": "red", "containsKeyElements": "no", "confidence": "90 %"}),
    "more keys": answer(free(mood="dark")),
    "no elements": answer(free(elements=None)),
    "elements of none": answer(free(elements="none")),
    "no key elements": answer(free(elements=[{"kind": "hat", "label": "a hat"}])),
    "byte order mark": "\ufeff" + FREE,
}


@pytest.mark.parametrize("wording", Wording)
@pytest.mark.parametrize("shape", SHAPES)
def test_an_answer_that_a_person_could_read_is_read(shape: str, wording: Wording) -> None:
    """In the full question too, so that one request is enough."""
    (verdict,) = parse_answer(SHAPES[shape], question(wording))
    assert (verdict.name, verdict.contains_key_elements, verdict.confidence_pct) == ("red", False, 90.0)
    assert not verdict.contradictory


def test_objects_for_one_zone_each_are_one_answer() -> None:
    text = f"{json.dumps(free())}\n{json.dumps(zone_reply(zone='Logo'))}"
    red, logo = parse_answer(text, question(Wording.FULL, RED, LOGO))
    assert (red.contains_key_elements, logo.contains_key_elements) == (False, True)


@pytest.mark.parametrize(
    ("said", "wording", "pct"),
    [
        (0.95, Wording.FULL, 95.0),
        (0.57, Wording.FULL, 57.0),
        ("0.95", Wording.SIMPLE, 95.0),
        ("95%", Wording.FULL, 95.0),
        ("95 %", Wording.FULL, 95.0),
        ("92,5", Wording.FULL, 92.5),
        (92.5, Wording.FULL, 92.5),
        (1.0, Wording.FULL, 100.0),
        (1, Wording.SIMPLE, 100.0),
        (1, Wording.FULL, 1.0),
        (0, Wording.FULL, 0.0),
        (100, Wording.FULL, 100.0),
    ],
)
def test_a_confidence_up_to_1_is_a_fraction(said: object, wording: Wording, pct: float) -> None:
    """But for a whole 1 where the schema asks for whole per cent: that is the safe reading."""
    (verdict,) = parse_answer(answer(free(confidence_pct=said)), question(wording))
    assert verdict.confidence_pct == pct


def test_a_1_beside_per_cents_is_one_per_cent() -> None:
    """The answer's other numbers explain it; 0.95 is a fraction even there."""
    asked = question(Wording.SIMPLE, RED, LOGO)
    red, _ = parse_answer(answer(free(confidence_pct=1), free(zone="logo")), asked)
    assert red.confidence_pct == 1.0
    red, _ = parse_answer(answer(free(confidence_pct=0.95), free(zone="logo")), asked)
    assert red.confidence_pct == 95.0


@pytest.mark.parametrize(
    ("element", "kind", "label"),
    [
        ({"kind": "title", "label": "ALIEN"}, ElementKind.TEXT, "ALIEN"),
        ({"kind": "Text", "label": "x"}, ElementKind.TEXT, "x"),
        ({"type": "credits", "description": "names"}, ElementKind.TEXT, "names"),
        ({"kind": "person", "label": "a man"}, ElementKind.FACE, "a man"),
        ({"kind": "brand mark", "label": "N"}, ElementKind.LOGO, "N"),
        ("title text", ElementKind.TEXT, "title text"),
    ],
)
def test_an_element_of_another_word_has_its_kind(element: object, kind: ElementKind, label: str) -> None:
    (verdict,) = parse_answer(answer(zone_reply(elements=[element])), question())
    assert [(found.kind, found.label) for found in verdict.elements] == [(kind, label)]


def test_an_element_of_an_unknown_word_contradicts_a_free_zone() -> None:
    """Beside a held zone it only explains nothing."""
    odd = [{"kind": "spaceship", "label": "in the corner"}]
    (verdict,) = parse_answer(answer(free(elements=odd)), question())
    assert verdict.contradictory
    (verdict,) = parse_answer(answer(zone_reply(elements=odd)), question())
    assert (verdict.contains_key_elements, verdict.elements) == (True, ())


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with identifying people in this image.",
        "I\u2019m sorry, I can\u2019t assist with that request.",
        "<think>a face</think>Sorry, I cannot comply.",
        "I am unable to view images.",
    ],
)
def test_a_refusal_in_plain_words_is_a_refusal(text: str) -> None:
    with pytest.raises(AnswerRefused):
        parse_answer(text, question())


def test_a_cut_off_answer_is_not_repaired() -> None:
    """What is missing at its end may be the rest of a number."""
    text = FREE[: FREE.index("90") + 1]
    with pytest.raises(AnswerUnreadable):
        parse_answer(text, question(), complete=False)
    assert parse_answer(FREE, question(), complete=False)


def test_texts_are_such_that_every_file_can_hold_them() -> None:
    text = FREE.replace("sky", "a \\ud800 b \\u0000")
    (verdict,) = parse_answer(text, question())
    assert verdict.justification == "a ? b "
    (verdict,) = parse_answer(answer(free(justification="x" * 200_000)), question())
    assert len(verdict.justification) == 2000


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


texts = st.text(st.characters(exclude_characters="\0", codec="utf-8"))


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 100), texts, st.lists(st.sampled_from(ElementKind))),
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
        ([(1, zone_reply()), ("two", zone_reply())], "picture 2 is missing"),
        ([(1, zone_reply()), (True, zone_reply()), (7, zone_reply())], "picture 2 is missing"),
        ([(1, zone_reply()), (2, zone_reply(zone="logo"))], "asked about red, answered logo"),
        ([(1, zone_reply()), (2, zone_reply(confidence_pct=400))], "confidence_pct"),
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


@pytest.mark.parametrize(
    "text",
    [
        packed(("1", zone_reply()), ("Picture 2", free())),
        json.dumps([{"picture": 1, **zone_reply()}, {"picture": 2, **free()}]),
        json.dumps({"Picture 1": zone_reply(), "Picture 2": {"zones": [free()]}}),
        f"<think>two of them</think>```json\n{packed((1, zone_reply()), (2, free()))}\n```",
        json.dumps(packed((1, zone_reply()), (2, free()))),
        packed((1, zone_reply()), (2, free(confidence_pct=0.9)))[:-1] + ",}",
    ],
)
def test_a_pack_that_a_person_could_read_is_read(text: str) -> None:
    found = parse_packed(text, [question()] * 2)
    assert [f[0].contains_key_elements for f in found if isinstance(f, tuple)] == [True, False]


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
