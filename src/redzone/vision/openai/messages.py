"""The JSON of requests, in the Responses API and in Chat Completions. `replies` reads the answers. Pure."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from redzone.models import Question, View, ViewKind, Wording, Zone, ZoneMark
from redzone.vision import prompts

_Part = dict[str, Any]
_PICTURE = "data:image/jpeg;base64,"
_REASONING_MODEL = re.compile(r"(?:.*/)?(?:gpt-[5-9]|o[1-9])(?!.*chat)")
EFFORT = "low"


class Api(StrEnum):
    """The two ways to ask; the value is the path under the base URL."""

    RESPONSES = "/responses"
    CHAT = "/chat/completions"


@dataclass(frozen=True, slots=True)
class RequestShape:
    """Which API is asked, and the parameters that its server does not accept."""

    api: Api
    omitted: frozenset[str] = frozenset()

    def sends(self, parameter: str) -> bool:
        """Whether a parameter is part of a request."""
        return parameter not in self.omitted


def sent_parameters(shape: RequestShape) -> tuple[str, ...]:
    """The parameters of this shape that a server may not know and that a request can do without."""
    if shape.api is Api.RESPONSES:
        names: tuple[str, ...] = ("store", "max_output_tokens", "response_format", "reasoning", "detail")
    else:
        limit = "max_tokens" if shape.sends("max_tokens") else "max_completion_tokens"
        names = (limit, "response_format", "reasoning")
    return tuple(name for name in names if shape.sends(name))


def request_bytes(shape: RequestShape, questions: Sequence[Question], max_output_tokens: int) -> bytes:
    """The body, JSON, of a request about one picture, or about several that are asked about alike.

    Everything but the pictures is the same for a whole run, so it is made once.
    """
    first = questions[0]
    kind = first.view.kind, first.zones, first.wording
    marks = tuple(question.view.marks for question in questions)
    parts = _around_the_pictures(shape, first.model, kind, marks, max_output_tokens)
    body = [parts[0]]
    for question, after in zip(questions, parts[1:], strict=True):
        body += (base64.b64encode(question.view.data), after)
    return b"".join(body)


@lru_cache(maxsize=256)
def _around_the_pictures(
    shape: RequestShape,
    model: str,
    kind: tuple[ViewKind, tuple[Zone, ...], Wording],
    marks: tuple[tuple[ZoneMark, ...], ...],
    max_output_tokens: int,
) -> tuple[bytes, ...]:
    view, zones, wording = kind
    questions = [Question(View(view, b"", 0, 0, each), zones, wording, model) for each in marks]
    body = _BODIES[shape.api](shape, questions, max_output_tokens)
    parts = json.dumps(body).split(_PICTURE)
    return (*(f"{part}{_PICTURE}".encode() for part in parts[:-1]), parts[-1].encode())


def _content(
    shape: RequestShape, questions: Sequence[Question], text: Callable[[str], _Part], picture: _Part
) -> list[_Part]:
    """The instruction and the picture; each of several pictures has its number before it."""
    with_form, several = not shape.sends("response_format"), len(questions) > 1
    parts = [text(prompts.instruction(questions[0], len(questions), with_form=with_form))]
    for number, question in enumerate(questions, start=1):
        parts += [text(prompts.heading(number, question)), picture] if several else [picture]
    return parts


def _responses_body(
    shape: RequestShape, questions: Sequence[Question], max_output_tokens: int
) -> dict[str, Any]:
    picture = {"type": "input_image", "image_url": _PICTURE}
    if shape.sends("detail"):
        picture["detail"] = "high"
    content = _content(shape, questions, lambda text: {"type": "input_text", "text": text}, picture)
    question, pictures = questions[0], len(questions)
    body: dict[str, Any] = {"model": question.model, "input": [{"role": "user", "content": content}]}
    if shape.sends("store"):
        body["store"] = False
    if shape.sends("max_output_tokens"):
        body["max_output_tokens"] = max_output_tokens * pictures
    if shape.sends("reasoning") and reasons(question.model):
        body["reasoning"] = {"effort": EFFORT}
    if question.wording is Wording.FULL and shape.sends("response_format"):
        body["text"] = {"format": {"type": "json_schema", **_schema(question, pictures)}}
    return body


def _chat_body(shape: RequestShape, questions: Sequence[Question], max_output_tokens: int) -> dict[str, Any]:
    picture = {"type": "image_url", "image_url": {"url": _PICTURE}}
    content = _content(shape, questions, lambda text: {"type": "text", "text": text}, picture)
    question, pictures = questions[0], len(questions)
    body: dict[str, Any] = {"model": question.model, "messages": [{"role": "user", "content": content}]}
    limit = "max_tokens" if shape.sends("max_tokens") else "max_completion_tokens"
    if shape.sends(limit):
        body[limit] = max_output_tokens * pictures
    if shape.sends("reasoning") and reasons(question.model):
        body["reasoning_effort"] = EFFORT
    if question.wording is Wording.FULL and shape.sends("response_format"):
        body["response_format"] = {"type": "json_schema", "json_schema": _schema(question, pictures)}
    return body


def reasons(model: str) -> bool:
    """Whether a model, by its name, is one that reasons and takes an effort."""
    return _REASONING_MODEL.match(model) is not None


def _schema(question: Question, pictures: int) -> dict[str, Any]:
    schema = prompts.answer_schema(question.zones, pictures)
    return {"name": "zones" if pictures == 1 else "pictures", "schema": schema, "strict": True}


_BODIES: Mapping[Api, Callable[[RequestShape, Sequence[Question], int], dict[str, Any]]] = {
    Api.RESPONSES: _responses_body,
    Api.CHAT: _chat_body,
}
