"""Questions and answers as the Responses API and Chat Completions have them. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from redzone.errors import ErrorCode, ModelFault, Retry
from redzone.models import Allowance, Question, Reply, Tokens, View, ViewKind, Wording, Zone, ZoneVerdict
from redzone.vision import prompts

_PICTURE = "data:image/jpeg;base64,"


class Api(StrEnum):
    """The two ways to ask; the value is the path under the base URL."""

    RESPONSES = "/responses"
    CHAT = "/chat/completions"


def request_bytes(api: Api, question: Question, max_output_tokens: int) -> bytes:
    """The request's body, JSON. All but the picture is the same for a whole run, so it is made once."""
    kind, zones, wording = question.view.kind, question.zones, question.wording
    before, after = _around_the_picture(api, question.model, (kind, zones, wording), max_output_tokens)
    return before + base64.b64encode(question.view.data) + after


@lru_cache(maxsize=64)
def _around_the_picture(
    api: Api, model: str, asked: tuple[ViewKind, tuple[Zone, ...], Wording], max_output_tokens: int
) -> tuple[bytes, bytes]:
    kind, zones, wording = asked
    question = Question(View(kind, b"", 0, 0), zones, wording, model)
    body = _BODIES[api](question, max_output_tokens)
    before, after = json.dumps(body).split(_PICTURE)
    return (before + _PICTURE).encode(), after.encode()


def _responses_body(question: Question, max_output_tokens: int) -> dict[str, Any]:
    text = {"type": "input_text", "text": prompts.instruction(question)}
    picture = {"type": "input_image", "image_url": _PICTURE, "detail": "high"}
    body: dict[str, Any] = {
        "model": question.model,
        "store": False,
        "max_output_tokens": max_output_tokens,
        "input": [{"role": "user", "content": [text, picture]}],
    }
    if question.wording is Wording.FULL:
        schema = prompts.answer_schema(question.zones)
        body["text"] = {"format": {"type": "json_schema", "name": "zones", "schema": schema, "strict": True}}
    return body


def _chat_body(question: Question, max_output_tokens: int) -> dict[str, Any]:
    text = {"type": "text", "text": prompts.instruction(question)}
    picture = {"type": "image_url", "image_url": {"url": _PICTURE}}
    body: dict[str, Any] = {
        "model": question.model,
        "max_tokens": max_output_tokens,
        "messages": [{"role": "user", "content": [text, picture]}],
    }
    if question.wording is Wording.FULL:
        schema = prompts.answer_schema(question.zones)
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "zones", "schema": schema, "strict": True},
        }
    return body


@dataclass(frozen=True, slots=True)
class _Said:
    """The parts of an answer that matter, whatever API it came over."""

    text: str = ""
    refusal: str = ""
    cut_off: str = ""
    tokens: Tokens = Tokens()  # noqa: RUF009  frozen


def read_reply(api: Api, body: bytes, question: Question, allowance: Allowance | None) -> Reply:
    """The body of a 200 as a value: the verdicts, or why there are none."""
    try:
        said = _READERS[api](json.loads(body))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        # a server or a proxy answered 200 with something that is no answer of this API
        fault = ModelFault(
            ErrorCode.MODEL_UNREADABLE,
            f"the server's answer is broken: {error}",
            Retry.TRANSIENT,
            may_be_charged=True,
        )
        return Reply(fault, question.model, allowance=allowance)
    return Reply(_judge(said, question), question.model, said.tokens, allowance)


def _judge(said: _Said, question: Question) -> tuple[ZoneVerdict, ...] | ModelFault:
    """The verdicts, or a fault that tells a refusal, an empty, a cut-off and a broken answer apart."""
    if said.refusal:
        return ModelFault(ErrorCode.MODEL_REFUSED, f"the model refused: {said.refusal[:200]}")
    if said.cut_off:
        return ModelFault(ErrorCode.MODEL_UNREADABLE, f"the answer was cut off: {said.cut_off}")
    if not said.text.strip():
        return ModelFault(ErrorCode.MODEL_UNREADABLE, "the answer was empty")
    try:
        return prompts.parse_answer(said.text, question)
    except prompts.AnswerUnreadable as error:
        return ModelFault(ErrorCode.MODEL_UNREADABLE, f"the answer cannot be read: {error}")


def _read_responses(data: Any) -> _Said:
    parts = [part for item in data["output"] if item["type"] == "message" for part in item["content"]]
    usage = data.get("usage") or {}
    reason = (data.get("incomplete_details") or {}).get("reason", "")
    refusal = "".join(part["refusal"] for part in parts if part["type"] == "refusal")
    return _Said(
        text="".join(part["text"] for part in parts if part["type"] == "output_text"),
        refusal=refusal or ("content filter" if reason == "content_filter" else ""),
        cut_off=reason,
        tokens=_tokens(usage, "input_tokens", "output_tokens"),
    )


def _read_chat(data: Any) -> _Said:
    choice = data["choices"][0]
    message = choice["message"]
    usage = data.get("usage") or {}
    reason = choice.get("finish_reason")
    return _Said(
        text="".join([message.get("content") or ""]),  # anything but a text is a TypeError
        refusal="".join([message.get("refusal") or ""])
        or ("content filter" if reason == "content_filter" else ""),
        cut_off="max_output_tokens" if reason == "length" else "",
        tokens=_tokens(usage, "prompt_tokens", "completion_tokens"),
    )


def _tokens(usage: Mapping[str, Any], input_name: str, output_name: str) -> Tokens:
    """What the answer says it took; 0 where it says nothing or null."""
    return Tokens(input=usage.get(input_name) or 0, output=usage.get(output_name) or 0)


_READERS: Mapping[Api, Callable[[Any], _Said]] = {Api.RESPONSES: _read_responses, Api.CHAT: _read_chat}
_BODIES: Mapping[Api, Callable[[Question, int], dict[str, Any]]] = {
    Api.RESPONSES: _responses_body,
    Api.CHAT: _chat_body,
}
