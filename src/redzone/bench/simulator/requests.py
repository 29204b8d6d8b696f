"""Parses requests of both model APIs, counts their tokens and finds their errors."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from io import BytesIO
from typing import Any

from PIL import Image, UnidentifiedImageError

PATCH_PX = 32
PATCH_FACTOR = 1.2
CHARS_PER_TOKEN = 4
MAGIC = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png", b"RIFF": "image/webp"}
# Output tokens reserved for a request without max_output_tokens.
DEFAULT_RESERVE_TOKENS = 1024


class ModelEndpoint(StrEnum):
    """The paths of the two model APIs."""

    RESPONSES = "/v1/responses"
    CHAT = "/v1/chat/completions"


class ApiError(Exception):
    """A response with an error body. `kind` is the body's `type`."""

    def __init__(
        self, status: int, message: str, kind: str, code: str | None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = json.dumps(
            {"error": {"message": message, "type": kind, "param": param, "code": code}}
        ).encode()


def bad_request(message: str, code: str | None = None, param: str | None = None) -> ApiError:
    """Return a 400 of the API."""
    return ApiError(400, message, "invalid_request_error", code, param)


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """A parsed request. `image_ids` are the sha256 of each picture's bytes, in order; tokens are counted by
    OpenAI's published rule. `parameters` are the names of the body's fields, and `detail` if a picture has
    it; `redirected` requests followed a redirect."""

    api: ModelEndpoint
    model: str
    prompt: str
    image_ids: tuple[str, ...]
    schema: Mapping[str, Any] | None
    input_tokens: int
    max_output_tokens: int | None
    parameters: frozenset[str] = frozenset()
    redirected: bool = False

    @property
    def subjects(self) -> tuple[str, ...]:
        """The ids of the pictures, or without any the prompt's sha256."""
        return self.image_ids or (sha256(self.prompt.encode()).hexdigest(),)

    @property
    def reserved_tokens(self) -> int:
        """Tokens charged to the rate limit before the answer."""
        return self.input_tokens + (self.max_output_tokens or DEFAULT_RESERVE_TOKENS)


def count_tokens(text: str) -> int:
    """Estimate the tokens of a text: four characters each."""
    return math.ceil(len(text) / CHARS_PER_TOKEN)


def image_tokens(width: int, height: int) -> int:
    """Return the tokens of a picture of that size in px: patches of 32 px times a factor."""
    return math.ceil(math.ceil(width / PATCH_PX) * math.ceil(height / PATCH_PX) * PATCH_FACTOR)


def read_request(api: ModelEndpoint, body: bytes) -> ModelRequest:
    """Parse the body. Raises ApiError as the API would respond."""
    try:
        request = json.loads(body)
    except ValueError:
        raise bad_request("the body is not valid JSON") from None
    if not isinstance(request, dict) or not isinstance(request.get("model"), str):
        raise bad_request("missing required parameter: 'model'", "missing_required_parameter", "model")
    texts, images = _read_parts(api, request)
    schema = _read_schema(api, request)
    prompt = "\n".join(texts)
    tokens = count_tokens(prompt) + (count_tokens(json.dumps(schema)) if schema else 0)
    for _, width, height in images:
        tokens += image_tokens(width, height)
    limit = request.get("max_output_tokens" if api is ModelEndpoint.RESPONSES else "max_completion_tokens")
    return ModelRequest(
        api=api,
        model=request["model"],
        prompt=prompt,
        image_ids=tuple(image for image, _, _ in images),
        schema=schema,
        input_tokens=tokens,
        max_output_tokens=limit if limit is not None else request.get("max_tokens"),
        parameters=frozenset(request) | ({"detail"} if b'"detail"' in body else set()),
    )


def _read_parts(
    api: ModelEndpoint, request: Mapping[str, Any]
) -> tuple[list[str], list[tuple[str, int, int]]]:
    key = "input" if api is ModelEndpoint.RESPONSES else "messages"
    if key not in request:
        raise bad_request(f"missing required parameter: {key!r}", "missing_required_parameter", key)
    texts: list[str] = [request["instructions"]] if request.get("instructions") else []
    images: list[tuple[str, int, int]] = []
    for part in _content_parts(request[key], key):
        match part:
            case {"type": "input_text" | "output_text" | "text", "text": str(text)}:
                texts.append(text)
            case {"type": "input_image", "image_url": str(url)}:
                images.append(_read_image(url))
            case {"type": "image_url", "image_url": {"url": str(url)}}:
                images.append(_read_image(url))
            case _:
                raise bad_request(f"{key}: unknown type of a content part", "invalid_value", key)
    return texts, images


def _content_parts(messages: Any, key: str) -> Iterator[Any]:
    if isinstance(messages, str):
        yield {"type": "text", "text": messages}
        return
    for message in messages if isinstance(messages, list) else [None]:
        match message:
            case {"content": str(text)}:
                yield {"type": "text", "text": text}
            case {"content": list(parts)}:
                yield from parts
            case _:
                raise bad_request(f"{key}: a message has no content", "invalid_type", key)


def _read_image(url: str) -> tuple[str, int, int]:
    """Return (sha256, width, height) of a picture in a data URI. Only the picture's header is read."""
    head, comma, coded = url.partition(",")
    broken = bad_request(
        "the image is not a base64 data URI of a JPEG, PNG or WebP picture",
        "invalid_image_format",
        "image_url",
    )
    if not comma or not head.startswith("data:image/") or not head.endswith(";base64"):
        raise broken
    try:
        data = base64.b64decode(coded, validate=True)
        mime = next((mime for magic, mime in MAGIC.items() if data.startswith(magic)), None)
        if mime != head[len("data:") : -len(";base64")]:
            raise broken
        with Image.open(BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as image:
            width, height = image.size
    except (binascii.Error, UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError):
        raise broken from None
    return sha256(data).hexdigest(), width, height


def _read_schema(api: ModelEndpoint, request: Mapping[str, Any]) -> Mapping[str, Any] | None:
    where, format_ = "text.format", (request.get("text") or {}).get("format")
    if api is ModelEndpoint.CHAT:
        where, format_ = "response_format", request.get("response_format")
    if not format_ or format_.get("type") != "json_schema":
        return None
    config = format_ if api is ModelEndpoint.RESPONSES else format_.get("json_schema", {})
    if not isinstance(config.get("schema"), dict) or not config.get("name"):
        raise bad_request("a JSON schema needs a name and a schema", "missing_required_parameter", where)
    schema: Mapping[str, Any] = config["schema"]
    if config.get("strict"):
        check_strict(schema, where)
    return schema


def check_strict(schema: Any, where: str) -> None:
    """Raise ApiError unless every object in the schema is closed and requires all of its properties, as the
    API demands of strict schemas."""
    if isinstance(schema, Sequence) and not isinstance(schema, str):
        for part in schema:
            check_strict(part, where)
    if not isinstance(schema, Mapping):
        return
    if schema.get("type") == "object" or isinstance(schema.get("properties"), Mapping):
        names = set(schema.get("properties", {}))
        if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != names:
            raise bad_request(
                f"a strict schema needs additionalProperties: false and all properties required in every "
                f"object; the object with {sorted(names)} does not comply",
                "invalid_json_schema",
                where,
            )
    for part in schema.values():
        check_strict(part, where)
