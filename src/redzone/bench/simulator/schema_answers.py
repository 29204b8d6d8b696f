"""An answer to any JSON Schema: it fits the schema, makes sense where it knows the names, and is the
same for the same picture, whether it is asked about alone or beside others.

Understood: type (also a list of types), properties, items, prefixItems, enum, const, anyOf, oneOf,
$ref into the document, minItems, maxItems, minimum, maximum, exclusiveMinimum, exclusiveMaximum,
minLength, maxLength. Every property is answered, required or not. `pattern` and `format` are not looked at.

A list whose items have a `picture` that is one of some numbers has an item for each number, which is what the
picture of that number gets alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redzone.bench.simulator.seeded_random import generator

FAIL_SHARE = 0.4
# One in twenty verdicts is a shaky one, so that a confidence threshold has something to catch.
SHAKY_SHARE = 0.05
MAX_DEPTH = 12
MAX_HOPS = 100

Schema = Mapping[str, Any]

_LABELS = {
    "text": ("title lettering", "tagline", "credits"),
    "logo": ("studio logo", "series logo"),
    "face": ("face in profile", "eyes and forehead"),
}
_ZONE_NAMES = ("zone", "name")
_NUMBER = "picture"
_PROSE = ("justification", "reason", "reasoning", "explanation", "description")


def answer_to(schema: Schema, *image_ids: str) -> Any:
    """A JSON value that fits the schema, drawn by the identity of the first picture, numbered parts of it by
    that of their own. Raises ValueError for a schema that cannot be followed."""
    try:
        return _Writer(schema, image_ids).write(schema, _Place())
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"the schema cannot be followed: {error!r}") from error


def example_in(prompt: str) -> Schema | None:
    """A schema of the last JSON object that the prompt shows as an example, or None: its strings stay
    as they are, its numbers and booleans are to be answered."""
    start = prompt.find("{")
    example = None
    decoder = json.JSONDecoder()
    while start >= 0:
        try:
            example, end = decoder.raw_decode(prompt, start)
        except ValueError:
            end = start + 1
        start = prompt.find("{", end)
    return _schema_of(example) if example else None


def _schema_of(value: Any) -> Schema:
    match value:
        case dict():
            return {"type": "object", "properties": {name: _schema_of(part) for name, part in value.items()}}
        case list():
            return {"type": "array", "prefixItems": [_schema_of(part) for part in value]}
        case bool():
            return {"type": "boolean"}
        case int():
            return {"type": "integer"}
        case float():
            return {"type": "number"}
        case _:
            return {"const": value}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the answer the writer is: the property's name, the verdict that encloses it, the kind of
    element that a label belongs to, and the depth."""

    name: str = ""
    fails: bool = False
    kind: str = ""
    depth: int = 0

    def below(self, name: str, fails: bool, kind: str) -> _Place:
        return _Place(name, fails, kind, self.depth + 1)


class _Writer:
    def __init__(self, root: Schema, image_ids: Sequence[str]) -> None:
        self._root = root
        self._image_ids = image_ids
        self._rng = generator("answer", image_ids[0])

    def write(self, schema: Schema, place: _Place) -> Any:
        schema = self._resolve(schema, place)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._rng.choice(schema["enum"])
        match _type_of(schema):
            case "object":
                return self._write_object(schema, place)
            case "array":
                return self._write_array(schema, place)
            case "boolean":
                return place.fails if place.name == "contains_key_elements" else self._rng.random() < 0.5
            case "integer" | "number" as kind:
                return self._write_number(schema, place, whole=kind == "integer")
            case "string":
                return self._write_string(schema, place)
            case _:
                return None

    def _resolve(self, schema: Schema, place: _Place) -> Schema:
        """Follow references and choose among alternatives until the schema says what to write."""
        for _ in range(MAX_HOPS):
            if "$ref" in schema:
                schema = self._follow(schema["$ref"])
            elif "anyOf" in schema or "oneOf" in schema:
                schema = self._choose(schema.get("anyOf") or schema["oneOf"], place)
            else:
                return schema
        raise ValueError("the schema's references lead in a circle")

    def _follow(self, reference: str) -> Schema:
        target: Any = self._root
        for part in reference.removeprefix("#").strip("/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")] if part else target
        found: Schema = target
        return found

    def _choose(self, options: Sequence[Schema], place: _Place) -> Schema:
        nothing = [option for option in options if option.get("type") == "null"]
        something = [option for option in options if option.get("type") != "null"]
        # a quarter stays empty; beyond MAX_DEPTH everything that may, so that recursion ends
        if nothing and (not something or place.depth > MAX_DEPTH or self._rng.random() < 0.25):
            return nothing[0]
        return self._rng.choice(something)

    def _write_object(self, schema: Schema, place: _Place) -> dict[str, Any]:
        properties: Mapping[str, Schema] = schema.get("properties", {})
        verdict = "contains_key_elements" in properties
        fails = self._rng.random() < FAIL_SHARE if verdict else place.fails
        kind = ""
        if "kind" in properties:
            kind = str(self.write(properties["kind"], place.below("kind", fails, "")))
        written = {
            name: kind if name == "kind" else self.write(part, place.below(name, fails, kind))
            for name, part in properties.items()
        }
        if {"x", "y", "w", "h"} <= properties.keys():
            _keep_inside(written)
        return written

    def _write_array(self, schema: Schema, place: _Place) -> list[Any]:
        first: Sequence[Schema] = schema.get("prefixItems", ())
        below = place.below(place.name, place.fails, place.kind)
        written = [self.write(part, below) for part in first]
        items: Schema = self._resolve(schema.get("items") or {}, place)
        if not items:
            return written
        numbers = self._values_of(items, _NUMBER, place)
        if numbers:
            return [self._write_picture(items, number) for number in numbers]
        least, most = schema.get("minItems", 0), schema.get("maxItems", math.inf)
        for key in _ZONE_NAMES:
            names = self._values_of(items, key, place)
            if names and least <= len(names) <= most:
                return [self.write(_pin(items, key, name), below) for name in names]
        missing = self._count(least, most, place) - len(written)
        return written + [self.write(items, below) for _ in range(missing)]

    def _write_picture(self, items: Schema, number: int) -> Any:
        """The item of a numbered picture, as if it were the whole answer to a question about it alone."""
        if not 1 <= number <= len(self._image_ids):
            raise ValueError(f"the schema asks for picture {number}, and there are {len(self._image_ids)}")
        alone = _Writer(self._root, self._image_ids[number - 1 : number])
        return alone.write(_pin(items, _NUMBER, number), _Place())

    def _values_of(self, items: Schema, key: str, place: _Place) -> Sequence[Any]:
        """The values that an item's property may have, in their order; none where they are not listed."""
        if key not in items.get("properties", {}):
            return ()
        found = self._resolve(items["properties"][key], place)
        return found.get("enum") or ([found["const"]] if "const" in found else ())

    def _count(self, least: int, most: float, place: _Place) -> int:
        if place.name == "elements":
            wanted = self._rng.randint(1, 2) if place.fails else 0
        else:
            wanted = 0 if place.depth > MAX_DEPTH else 1
        return int(min(max(wanted, least), most))

    def _write_number(self, schema: Schema, place: _Place, *, whole: bool) -> float:
        low, high = _bounds(schema, whole=whole)
        if place.name in ("confidence_pct", "confidence"):
            of_one = high <= 1 or (place.name == "confidence" and not whole and math.isinf(high))
            shaky = self._rng.random() < SHAKY_SHARE
            value = self._rng.uniform(20, 55) if shaky else self._rng.uniform(70, 99)
            value = value / 100 if of_one else value
        else:
            bottom = low if math.isfinite(low) else min(0.0, high)
            value = self._rng.uniform(bottom, high if math.isfinite(high) else bottom + (10 if whole else 1))
        value = min(max(round(value, 0 if whole else 4), low), high)
        return int(value) if whole else value

    def _write_string(self, schema: Schema, place: _Place) -> str:
        if place.name == "label":
            text = self._rng.choice(_LABELS.get(place.kind, ("lettering",)))
        elif place.name == "kind":
            text = self._rng.choice(tuple(_LABELS))
        elif place.name in _PROSE:
            text = "Lettering or a face reaches into it." if place.fails else "Only plain background in it."
        else:
            text = "simulated"
        text = text.ljust(schema.get("minLength", 0), ".")
        return text[: schema.get("maxLength")]


def _type_of(schema: Schema) -> str:
    kinds = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kinds, str):
        return kinds
    return next((kind for kind in kinds if kind != "null"), "null")


def _bounds(schema: Schema, *, whole: bool) -> tuple[float, float]:
    low = schema.get("minimum", -math.inf)
    high = schema.get("maximum", math.inf)
    if "exclusiveMinimum" in schema:
        low = max(low, math.nextafter(schema["exclusiveMinimum"], math.inf))
    if "exclusiveMaximum" in schema:
        high = min(high, math.nextafter(schema["exclusiveMaximum"], -math.inf))
    if whole:
        low = math.ceil(low) if math.isfinite(low) else low
        high = math.floor(high) if math.isfinite(high) else high
    return low, high


def _pin(items: Schema, key: str, value: Any) -> Schema:
    return {**items, "properties": {**items["properties"], key: {"const": value}}}


def _keep_inside(box: dict[str, Any]) -> None:
    """Shrink a box of fractions so that it does not reach beyond the picture."""
    for start, length in (("x", "w"), ("y", "h")):
        if isinstance(box[start], float) and isinstance(box[length], float) and 0 <= box[start] <= 1:
            box[length] = min(box[length], round(1 - box[start], 4))
