"""What a model's text says about the zones. Pure.

An answer that a person could read is read: the JSON may be wrapped, its keys and zone names may be written
in another way, its numbers may be fractions or have a per cent sign. Anything else is AnswerUnreadable.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from redzone.models import Question, ZoneVerdict
from redzone.vision.lenient_json import json_values, without_reasoning
from redzone.vision.zone_answers import (
    CONTAINS_KEYS,
    NAME_KEYS,
    AnswerUnreadable,
    get_value,
    match_zone,
    read_zones,
    uses_percent,
)

T = TypeVar("T")
MOST_DEPTH = 5  # objects around the list of zones
_REFUSAL = re.compile(
    r"\b(?:i(?:'m| am) sorry|sorry,|i (?:cannot|can't|won't|am unable to|am not able to)"
    r"|i'm (?:unable|not able) to|(?:unable to|cannot|can't) (?:assist|help|comply))",
    re.IGNORECASE,
)


class AnswerRefused(AnswerUnreadable):
    """The text declines to answer, in plain words."""


def parse_answer(text: str, question: Question, *, complete: bool = True) -> tuple[ZoneVerdict, ...]:
    """The verdicts in a model's text, one per zone of the question in its order.

    With `complete` False the text is known to be cut off, so only whole JSON is read. Raises
    AnswerUnreadable: no JSON, another shape, a zone missing or answered in two ways; AnswerRefused.
    """
    return _first_readable(text, complete, lambda value: read_zones(_unwrap(value, question), question))


def parse_packed(
    text: str, questions: Sequence[Question], *, complete: bool = True
) -> tuple[tuple[ZoneVerdict, ...] | AnswerUnreadable, ...]:
    """For each picture its verdicts, or why there are none: its number is missing or doubled, or its entry
    is unreadable, which says nothing about the others. Raises AnswerUnreadable for the whole text."""

    def read(value: object) -> tuple[tuple[ZoneVerdict, ...] | AnswerUnreadable, ...]:
        by_number = _by_number(value)
        if not by_number:
            raise AnswerUnreadable("it has no numbered pictures")
        in_percent = uses_percent(entry for entries in by_number.values() for entry in entries)
        return tuple(
            _read_picture(number, by_number.get(number, []), question, in_percent)
            for number, question in enumerate(questions, start=1)
        )

    return _first_readable(text, complete, read)


def _first_readable(text: str, complete: bool, read: Callable[[object], T]) -> T:
    """What the first value that fits says. The error is that of the likeliest value."""
    reason: AnswerUnreadable | None = None
    for value in json_values(text, repair=complete):
        try:
            return read(value)
        except AnswerUnreadable as error:
            reason = reason or error
    if reason is not None:
        raise reason
    words = " ".join(without_reasoning(text).split())
    if _REFUSAL.search(words[:300].replace("\u2019", "'")):
        raise AnswerRefused(words[:200])
    raise AnswerUnreadable(f"there is no JSON in it: {words[:80]!r}" if words else "it is empty")


def _unwrap(value: object, question: Question, depth: int = 0) -> list[Mapping[str, object]]:
    """The zones' entries, whatever is around them: an object with `zones`, a list, one bare zone, an object
    with a key per zone, JSON in a string, a function call."""
    if depth > MOST_DEPTH:
        raise AnswerUnreadable("it is nested too deep")
    if isinstance(value, str):
        return _unwrap(_inner_json(value), question, depth + 1)
    if isinstance(value, list):
        return [entry for part in value for entry in _unwrap(part, question, depth + 1)]
    if not isinstance(value, dict):
        raise AnswerUnreadable(f"it is {json.dumps(value)[:40]}, not an object with zones")
    if get_value(value, ("zones",)) is not None:
        return _unwrap_named(get_value(value, ("zones",)), question, depth)
    if isinstance(get_value(value, CONTAINS_KEYS), bool | str | int):
        return [value]
    by_zone = _unwrap_named(value, question, depth) if _names_zones(value, question) else None
    if by_zone:
        return by_zone
    inner = [part for part in value.values() if _may_hold_json(part)]
    if len(inner) == 1:
        return _unwrap(inner[0], question, depth + 1)
    raise AnswerUnreadable("it has no zones")


def _may_hold_json(part: object) -> bool:
    return isinstance(part, dict | list) or (isinstance(part, str) and part.lstrip()[:1] in ("{", "["))


def _names_zones(value: Mapping[str, object], question: Question) -> bool:
    names = [zone.name for zone in question.zones]
    return any(isinstance(part, dict) and match_zone(key, names) for key, part in value.items())


def _unwrap_named(value: object, question: Question, depth: int) -> list[Mapping[str, object]]:
    """The same for the value of `zones`; as an object it may have a key for each zone."""
    if isinstance(value, dict) and get_value(value, CONTAINS_KEYS) is None:
        return [
            {"zone": key, **part} if get_value(part, NAME_KEYS) is None else part
            for key, part in value.items()
            if isinstance(part, dict)
        ]
    return _unwrap(value, question, depth + 1)


def _inner_json(text: str) -> object:
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        found = next(json_values(text), None)
        if found is None:
            raise AnswerUnreadable(f"it is the text {text[:40]!r}") from None
        return found


def _by_number(value: object, depth: int = 0) -> dict[int, list[Mapping[str, object]]]:
    """The pictures' entries by the number that each names."""
    if isinstance(value, str) and depth < MOST_DEPTH:
        return _by_number(_inner_json(value), depth + 1)
    if isinstance(value, dict):
        inner = get_value(value, ("pictures",))
        if inner is not None:
            return _by_number(inner, depth + 1) if depth < MOST_DEPTH else {}
        if _picture_number(get_value(value, ("picture", "picturenumber", "image"))) is None:
            return _by_number_key(value, depth)
        value = [value]
    if not isinstance(value, list):
        raise AnswerUnreadable("it has no list of pictures")
    found: dict[int, list[Mapping[str, object]]] = {}
    for entry in value:
        if not isinstance(entry, dict):
            raise AnswerUnreadable("an entry of its list of pictures is not an object")
        number = _picture_number(get_value(entry, ("picture", "picturenumber", "image")))
        if number is not None:
            found.setdefault(number, []).append(entry)
    return found


def _by_number_key(value: Mapping[str, object], depth: int) -> dict[int, list[Mapping[str, object]]]:
    numbered = [(_picture_number(key), part) for key, part in value.items()]
    found: dict[int, list[Mapping[str, object]]] = {
        number: [part] for number, part in numbered if number is not None and isinstance(part, dict)
    }
    if found:
        return found
    inner = [part for part in value.values() if isinstance(part, dict | list)]
    if len(inner) == 1 and depth < MOST_DEPTH:
        return _by_number(inner[0], depth + 1)
    raise AnswerUnreadable("it has no list of pictures")


def _picture_number(value: object) -> int | None:
    """`2`, `"2"` or `"Picture 2"`."""
    if isinstance(value, str) and (match := re.fullmatch(r"\D{0,12}?(\d{1,3})\W*", value)):
        return int(match[1])
    return value if type(value) is int else None


def _read_picture(
    number: int, entries: Sequence[Mapping[str, object]], question: Question, in_percent: bool
) -> tuple[ZoneVerdict, ...] | AnswerUnreadable:
    if len(entries) != 1:
        how = "is missing" if not entries else f"came {len(entries)} times"
        return AnswerUnreadable(f"the answer about picture {number} {how}")
    try:
        return read_zones(_unwrap(entries[0], question), question, in_percent=in_percent)
    except AnswerUnreadable as error:
        return error
