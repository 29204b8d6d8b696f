"""Questions as a client puts them, for the tests of the simulator."""

from __future__ import annotations

import base64
from typing import Any

from openai import AsyncOpenAI

from redzone.bench.simulator.artwork import poster_file
from redzone.bench.simulator.server import Simulator

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["zone", "contains_key_elements", "confidence_pct"],
    "properties": {
        "zone": {"type": "string", "enum": ["red"]},
        "contains_key_elements": {"type": "boolean"},
        "confidence_pct": {"type": "integer", "minimum": 0, "maximum": 100},
    },
}


def client_of(simulator: Simulator, api_key: str = "simulated") -> AsyncOpenAI:
    return AsyncOpenAI(base_url=simulator.base_url, api_key=api_key, max_retries=0, timeout=5)


def data_uri(number: int) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(poster_file(number, None, ".jpg")).decode()


def response_question(number: int = 1, **changes: Any) -> dict[str, Any]:
    """The arguments of client.responses.create."""
    content = [
        {"type": "input_text", "text": "Is the zone free?"},
        {"type": "input_image", "image_url": data_uri(number), "detail": "high"},
    ]
    return {
        "model": "gpt-6-luna",
        "store": False,
        "max_output_tokens": 200,
        "input": [{"role": "user", "content": content}],
        "text": {"format": {"type": "json_schema", "name": "zone", "schema": SCHEMA, "strict": True}},
    } | changes


def chat_question(number: int = 1, **changes: Any) -> dict[str, Any]:
    """The arguments of client.chat.completions.create."""
    content = [
        {"type": "text", "text": "Is the zone free?"},
        {"type": "image_url", "image_url": {"url": data_uri(number)}},
    ]
    json_schema = {"name": "zone", "schema": SCHEMA, "strict": True}
    return {
        "model": "gpt-6-luna",
        "max_completion_tokens": 200,
        "messages": [{"role": "user", "content": content}],
        "response_format": {"type": "json_schema", "json_schema": json_schema},
    } | changes


def packed_schema(pictures: int) -> dict[str, Any]:
    """SCHEMA for each of some numbered pictures."""
    item = {
        **SCHEMA,
        "required": ["picture", *SCHEMA["required"]],
        "properties": {"picture": {"type": "integer", "enum": [*range(1, pictures + 1)]}}
        | SCHEMA["properties"],
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["pictures"],
        "properties": {"pictures": {"type": "array", "items": {"$ref": "#/$defs/Picture"}}},
        "$defs": {"Picture": item},
    }


def packed_response_question(*numbers: int, **changes: Any) -> dict[str, Any]:
    """The arguments of client.responses.create, about several posters at once."""
    content: list[dict[str, Any]] = [{"type": "input_text", "text": "Is the zone free?"}]
    for place, number in enumerate(numbers, start=1):
        content.append({"type": "input_text", "text": f"Picture {place}:"})
        content.append({"type": "input_image", "image_url": data_uri(number), "detail": "high"})
    schema = packed_schema(len(numbers))
    return {
        **response_question(),
        "max_output_tokens": 200 * len(numbers),
        "input": [{"role": "user", "content": content}],
        "text": {"format": {"type": "json_schema", "name": "zones", "schema": schema, "strict": True}},
    } | changes


def packed_chat_question(*numbers: int, **changes: Any) -> dict[str, Any]:
    """The arguments of client.chat.completions.create, about several posters at once."""
    content: list[dict[str, Any]] = [{"type": "text", "text": "Is the zone free?"}]
    for place, number in enumerate(numbers, start=1):
        content.append({"type": "text", "text": f"Picture {place}:"})
        content.append({"type": "image_url", "image_url": {"url": data_uri(number)}})
    json_schema = {"name": "zones", "schema": packed_schema(len(numbers)), "strict": True}
    return {
        **chat_question(),
        "max_completion_tokens": 200 * len(numbers),
        "messages": [{"role": "user", "content": content}],
        "response_format": {"type": "json_schema", "json_schema": json_schema},
    } | changes
