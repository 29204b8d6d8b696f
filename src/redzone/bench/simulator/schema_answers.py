"""Writes answers for the JSON Schemas of redzone's own questions, the same for the same picture whether it is
alone in a request or in a pack.

Supported are objects, arrays, booleans, numbers, strings, enums, constants and references to `$defs`; other
keywords are rejected. Every property is answered. An array whose items have a `picture` or `zone` that is an
enum gets an item for each of its values; the item of a picture is what that picture gets alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from redzone.bench.simulator.seeded_random import generator

FAIL_SHARE = 0.4
# One verdict in twenty has a low confidence, so that confidence thresholds have an effect.
SHAKY_SHARE = 0.05
KEYWORDS = frozenset(
    {"$defs", "$ref", "type", "properties", "required", "additionalProperties", "items"}
    | {"enum", "const", "minimum", "maximum", "title", "description"}
)

Schema = Mapping[str, Any]

_LABELS = {
    "text": ("title lettering", "tagline", "credits"),
    "logo": ("studio logo", "series logo"),
    "face": ("face in profile", "eyes and forehead"),
}
_PICTURE = "picture"


def answer_to(schema: Schema, *image_ids: str) -> Any:
    """Return a JSON value that fits the schema, determined by the first picture, and in each numbered part by
    its own picture. Raises ValueError for an unsupported or broken schema."""
    try:
        return _Writer(schema, image_ids).write(schema)
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"invalid schema: {error!r}") from error


def example_in(prompt: str) -> Schema | None:
    """Return a schema for the last JSON object in the prompt, or None: an example whose strings are fixed and
    whose numbers and booleans are to be answered."""
    start = prompt.find("{")
    example = None
    decoder = json.JSONDecoder()
    while start >= 0:
        try:
            example, end = decoder.raw_decode(prompt, start)
        except ValueError:
            end = start + 1
        start = prompt.find("{", end)
    return _schema_of([example]) if example else None


def _schema_of(values: Sequence[Any]) -> Schema:
    """Return a schema for values of one shape; their strings become an enum."""
    match values[0]:
        case dict() as first:
            parts = {name: _schema_of([value[name] for value in values]) for name in first}
            return {"type": "object", "properties": parts}
        case list() as first:
            return {"type": "array", "items": _schema_of(first)}
        case bool():
            return {"type": "boolean"}
        case int() | float():
            return {"type": "integer"}
        case _:
            return {"type": "string", "enum": list(values)}


class _Writer:
    """Writes one answer. `fails` is the verdict that encloses a part, `kind` that of the element."""

    def __init__(self, root: Schema, image_ids: Sequence[str]) -> None:
        self._root = root
        self._image_ids = image_ids
        self._rng = generator("answer", image_ids[0])

    def write(self, schema: Schema, name: str = "", fails: bool = False, kind: str = "") -> Any:
        schema = self._resolve(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._rng.choice(schema["enum"])
        match schema["type"]:
            case "object":
                return self._write_object(schema, fails)
            case "array":
                return self._write_array(schema, name, fails)
            case "boolean":
                return fails if name == "contains_key_elements" else self._rng.random() < 0.5
            case "integer" | "number":
                return self._write_number(schema, name)
            case "string":
                return self._write_string(name, fails, kind)
            case other:
                raise ValueError(f"invalid schema: the type {other!r} is not permitted")

    def _resolve(self, schema: Schema) -> Schema:
        """Follow references. Raises ValueError for unsupported keywords."""
        unsupported = sorted(schema.keys() - KEYWORDS)
        if unsupported:
            raise ValueError(f"invalid schema: {unsupported[0]!r} is not permitted")
        if "$ref" not in schema:
            return schema
        target: Schema = self._root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
        return self._resolve(target)

    def _write_object(self, schema: Schema, fails: bool) -> dict[str, Any]:
        properties: Mapping[str, Schema] = schema["properties"]
        if "contains_key_elements" in properties:
            fails = self._rng.random() < FAIL_SHARE
        written: dict[str, Any] = {}
        for name, part in properties.items():
            written[name] = self.write(part, name, fails, str(written.get("kind", "")))
        return written

    def _write_array(self, schema: Schema, name: str, fails: bool) -> list[Any]:
        items = self._resolve(schema["items"])
        properties = items.get("properties", {})
        if _PICTURE in properties:
            return [self._write_picture(items, number) for number in properties[_PICTURE]["enum"]]
        if "enum" in properties.get("zone", {}):
            return [self.write(_pin(items, "zone", zone)) for zone in properties["zone"]["enum"]]
        count = 1 if name != "elements" else self._rng.randint(1, 2) if fails else 0
        return [self.write(items, name, fails) for _ in range(count)]

    def _write_picture(self, items: Schema, number: int) -> Any:
        if not 1 <= number <= len(self._image_ids):
            raise ValueError(f"the schema asks for picture {number}, but there are {len(self._image_ids)}")
        alone = _Writer(self._root, self._image_ids[number - 1 : number])
        return alone.write(_pin(items, _PICTURE, number))

    def _write_number(self, schema: Schema, name: str) -> int | float:
        low, high = schema.get("minimum", 0), schema.get("maximum", 100)
        if name == "confidence_pct":
            low, high = (20, 55) if self._rng.random() < SHAKY_SHARE else (70, 99)
        value = self._rng.uniform(low, high)
        return round(value) if schema["type"] == "integer" else round(value, 4)

    def _write_string(self, name: str, fails: bool, kind: str) -> str:
        if name == "label":
            return self._rng.choice(_LABELS.get(kind, ("lettering",)))
        if name == "justification":
            return "Lettering or a face reaches into it." if fails else "Only plain background in it."
        return "simulated"


def _pin(items: Schema, name: str, value: Any) -> Schema:
    return {**items, "properties": {**items["properties"], name: {"const": value}}}
