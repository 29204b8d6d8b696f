"""One zone's entry in an answer, however it is written, as a verdict. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from redzone.models import Element, ElementKind, Question, Wording, ZoneVerdict

SIMPLE_CONFIDENCE_PCT = 75.0  # where a simple answer gives none
GUESS_PCT = 50.0  # the most that an answer which contradicts itself is worth
MOST_CHARS = 2000  # of a justification or a label

NAME_KEYS = ("zone", "zonename", "name", "zoneid", "id")
CONTAINS_KEYS = ("containskeyelements", "containskeyelement", "haskeyelements", "contains")
_CONFIDENCE = ("confidencepct", "confidence", "confidencepercent", "confidencepercentage", "certainty")
_ELEMENTS = ("elements", "keyelements", "keyelementsfound", "detectedelements")
_REASON = ("justification", "reason", "reasoning", "explanation", "rationale")
_KIND = ("kind", "type", "category", "element")
_LABEL = ("label", "description", "text", "name")
_TRUE = frozenset({"true", "yes", "y", "1"})
_FALSE = frozenset({"false", "no", "n", "0"})
_KIND_WORDS: Mapping[ElementKind, frozenset[str]] = {
    ElementKind.TEXT: frozenset(
        {"text", "title", "credit", "tagline", "name", "word", "letter", "caption", "lettering", "subtitle"}
        | {"rating", "number", "typography", "writing"}
    ),
    ElementKind.LOGO: frozenset(
        {"logo", "brand", "mark", "emblem", "logotype", "wordmark", "trademark", "watermark", "icon"}
    ),
    ElementKind.FACE: frozenset(
        {"face", "facial", "eye", "mouth", "nose", "chin", "forehead", "person", "portrait", "head"}
        | {"people", "character", "actor", "actress"}
    ),
}
# The question itself names these as no key elements.
_NOT_KEY = frozenset(
    {"none", "nothing", "empty", "na", "no", "sky", "scenery", "texture", "background", "plain", "hair"}
    | {"hat", "hats", "hand", "hands", "clothing", "clothes", "object", "objects"}
)


class AnswerUnreadable(ValueError):
    """The text is no answer to the question; the message says why."""


def fold_name(name: object) -> str:
    """Letters and digits of a name, in lower case."""
    return re.sub(r"[^a-z0-9]+", "", str(name).lower())


def get_value(entry: Mapping[str, object], names: Sequence[str]) -> object:
    """The value under the first of the names, however it is written; None where there is none."""
    folded = {fold_name(key): value for key, value in entry.items()}
    return next((folded[name] for name in names if name in folded), None)


@dataclass(frozen=True, slots=True)
class _Scale:
    """How the answer writes confidences. `in_percent`: another number of it is above 1. `integers`: the
    schema asks for whole per cent."""

    in_percent: bool
    integers: bool


def read_zones(
    entries: Sequence[Mapping[str, object]], question: Question, *, in_percent: bool = False
) -> tuple[ZoneVerdict, ...]:
    """One verdict per zone of the question, in its order; entries about other zones are passed over.

    `in_percent`: a confidence elsewhere in the answer is above 1. Raises AnswerUnreadable: a zone is missing,
    answered in two ways, or its entry cannot be read.
    """
    names = [zone.name for zone in question.zones]
    full = question.wording is Wording.FULL
    scale = _Scale(in_percent or uses_percent(entries), full)
    by_name: dict[str, ZoneVerdict] = {}
    for entry in entries:
        name = _zone_name(get_value(entry, NAME_KEYS), names, alone=len(entries) == 1)
        if name is None:
            continue  # a zone that nobody asked about
        verdict = _read_zone(name, entry, scale)
        if by_name.setdefault(name, verdict) != verdict:
            raise AnswerUnreadable(f"zone {name} is answered in two ways")
    if len(by_name) < len(names):
        answered = ", ".join(str(get_value(entry, NAME_KEYS))[:40] for entry in entries)
        raise AnswerUnreadable(f"asked about {', '.join(names)}, answered {answered or 'none'}")
    return tuple(by_name[name] for name in names)


def _zone_name(value: object, names: Sequence[str], *, alone: bool) -> str | None:
    """The zone that is meant; a single entry without a name is about a single zone."""
    if value is None:
        return names[0] if alone and len(names) == 1 else None
    return match_zone(str(value), names)


def match_zone(value: str, names: Sequence[str]) -> str | None:
    """The name that is meant, such as `red` by `Red zone`; None where it is none, or not one only."""
    if value in names:
        return value
    folded = fold_name(value)
    forms = {folded, folded.removeprefix("the"), folded.removesuffix("zone"), folded.removeprefix("zone")}
    fits = [name for name in names if fold_name(name) in forms]
    return fits[0] if len(fits) == 1 else None


def _read_zone(name: str, entry: Mapping[str, object], scale: _Scale) -> ZoneVerdict:
    contains = _bool(get_value(entry, CONTAINS_KEYS), name)
    confidence_pct = _percent(get_value(entry, _CONFIDENCE), name, scale)
    elements = tuple(_elements(get_value(entry, _ELEMENTS), contains))
    if elements and not contains:  # neither half can be believed
        confidence_pct = min(confidence_pct, GUESS_PCT)
    return ZoneVerdict(
        name=name,
        contains_key_elements=contains,
        confidence_pct=confidence_pct,
        elements=elements,
        justification=_words(get_value(entry, _REASON)),
    )


def _bool(value: object, name: str) -> bool:
    folded = fold_name(value)
    if isinstance(value, bool | str | int) and folded in _TRUE | _FALSE:
        return folded in _TRUE
    raise AnswerUnreadable(f"zone {name}: contains_key_elements is {json.dumps(value)[:40]}")


def _number(value: object) -> float | None:
    """A number, or one in a text such as `95 %`; NaN and booleans are none."""
    if isinstance(value, str):
        match = re.fullmatch(r"\s*[~≈]?\s*(-?\d{1,9}(?:[.,]\d{1,9})?)\s*(?:%|percent|/\s*100)?\s*", value)
        return float(match[1].replace(",", ".")) if match else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def uses_percent(entries: Iterable[object]) -> bool:
    """Whether a confidence anywhere in these entries is above 1."""
    for entry in entries:
        if isinstance(entry, list) and uses_percent(entry):
            return True
        if isinstance(entry, dict):
            if (_number(get_value(entry, _CONFIDENCE)) or 0.0) > 1.0:
                return True
            if uses_percent(part for part in entry.values() if isinstance(part, dict | list)):
                return True
    return False


def _percent(value: object, name: str, scale: _Scale) -> float:
    """0 to 100. A number up to 1 is a fraction, but for a 1 that is a whole per cent."""
    if value is None and not scale.integers:
        return SIMPLE_CONFIDENCE_PCT
    number = _number(value)
    if number is None or not 0.0 <= number <= 100.0:
        raise AnswerUnreadable(f"zone {name}: confidence_pct is {json.dumps(value)[:40]}")
    whole = scale.in_percent or (scale.integers and isinstance(value, int))
    if number > 1.0 or (number == 1.0 and whole):
        return number
    return round(number * 100.0, 4)


def _elements(value: object, contains: bool) -> list[Element]:
    """What is listed; what the question names as no key element is left out."""
    if isinstance(value, dict):
        value = [value]
    if isinstance(value, str):
        value = re.split(r"[,;]", value)
    found: list[Element] = []
    for item in value if isinstance(value, list) else ():
        named = isinstance(item, dict)
        kind, label = (get_value(item, _KIND), get_value(item, _LABEL)) if named else (item, None)
        element = _element(_words(kind), _words(label), contains)
        if element is not None:
            found.append(element)
    return found


def _element(kind: str, label: str, contains: bool) -> Element | None:
    words = re.findall(r"[a-z]+", kind.lower())
    if fold_name(kind) in {each.value for each in ElementKind}:
        return Element(kind=ElementKind(fold_name(kind)), label=label)
    label = label or kind
    for each in (words, re.findall(r"[a-z]+", label.lower())):
        for element_kind, known in _KIND_WORDS.items():
            if any(word in known or word.removesuffix("s") in known for word in each):
                return Element(kind=element_kind, label=label)
        if not each or any(word in _NOT_KEY for word in each):
            return None
    # of an unknown kind: it explains nothing, but beside "free" it is a contradiction
    return None if contains else Element(kind=ElementKind.TEXT, label=f"{kind}: {label}"[:MOST_CHARS])


def _words(value: object) -> str:
    """A short text that every file can hold: no lone surrogates, no NUL."""
    if value is None or isinstance(value, dict | list):
        return ""
    text = str(value)[:MOST_CHARS].replace("\x00", "")
    return text.encode("utf-8", "replace").decode()
