"""Questions and answers as the Responses API and Chat Completions have them. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from redzone.errors import ErrorCode, ModelFault, Retry
from redzone.models import Allowance, Question, Reply, Tokens, View, ViewKind, Wording, Zone, ZoneVerdict
from redzone.vision import prompts

_Part = dict[str, Any]
_PICTURE = "data:image/jpeg;base64,"


class Api(StrEnum):
    """The two ways to ask; the value is the path under the base URL."""

    RESPONSES = "/responses"
    CHAT = "/chat/completions"


def request_bytes(api: Api, questions: Sequence[Question], max_output_tokens: int) -> bytes:
    """The body, JSON, of a request about one picture, or about several that are asked about alike.

    All but the pictures is the same for a whole run, so it is made once.
    """
    first = questions[0]
    asked = first.view.kind, first.zones, first.wording
    parts = _round_the_pictures(api, first.model, asked, len(questions), max_output_tokens)
    body = [parts[0]]
    for question, after in zip(questions, parts[1:], strict=True):
        body += (base64.b64encode(question.view.data), after)
    return b"".join(body)


@lru_cache(maxsize=256)
def _round_the_pictures(
    api: Api,
    model: str,
    asked: tuple[ViewKind, tuple[Zone, ...], Wording],
    pictures: int,
    max_output_tokens: int,
) -> tuple[bytes, ...]:
    kind, zones, wording = asked
    question = Question(View(kind, b"", 0, 0), zones, wording, model)
    parts = json.dumps(_BODIES[api](question, pictures, max_output_tokens)).split(_PICTURE)
    return (*(f"{part}{_PICTURE}".encode() for part in parts[:-1]), parts[-1].encode())


def _content(question: Question, pictures: int, text: Callable[[str], _Part], picture: _Part) -> list[_Part]:
    """The instruction and the picture; of several pictures each has its number before it."""
    parts = [text(prompts.instruction(question, pictures))]
    for number in range(1, pictures + 1):
        parts += [text(prompts.heading(number)), picture] if pictures > 1 else [picture]
    return parts


def _responses_body(question: Question, pictures: int, max_output_tokens: int) -> dict[str, Any]:
    picture = {"type": "input_image", "image_url": _PICTURE, "detail": "high"}
    content = _content(question, pictures, lambda text: {"type": "input_text", "text": text}, picture)
    body: dict[str, Any] = {
        "model": question.model,
        "store": False,
        "max_output_tokens": max_output_tokens * pictures,
        "input": [{"role": "user", "content": content}],
    }
    if question.wording is Wording.FULL:
        body["text"] = {"format": {"type": "json_schema", **_schema(question, pictures)}}
    return body


def _chat_body(question: Question, pictures: int, max_output_tokens: int) -> dict[str, Any]:
    picture = {"type": "image_url", "image_url": {"url": _PICTURE}}
    content = _content(question, pictures, lambda text: {"type": "text", "text": text}, picture)
    body: dict[str, Any] = {
        "model": question.model,
        "max_tokens": max_output_tokens * pictures,
        "messages": [{"role": "user", "content": content}],
    }
    if question.wording is Wording.FULL:
        body["response_format"] = {"type": "json_schema", "json_schema": _schema(question, pictures)}
    return body


def _schema(question: Question, pictures: int) -> dict[str, Any]:
    schema = prompts.answer_schema(question.zones, pictures)
    return {"name": "zones" if pictures == 1 else "pictures", "schema": schema, "strict": True}


@dataclass(frozen=True, slots=True)
class _Said:
    """The parts of an answer that matter, whatever API it came over."""

    text: str = ""
    refusal: str = ""
    cut_off: str = ""
    tokens: Tokens = Tokens()  # noqa: RUF009  frozen


def read_replies(
    api: Api, body: bytes, questions: Sequence[Question], allowance: Allowance | None
) -> tuple[Reply, ...]:
    """The body of a 200 as a value for each question: its verdicts, or why there are none. Tokens are split
    evenly; together they are what the server reported."""
    model = questions[0].model
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
        return (Reply(fault, model, allowance=allowance),) * len(questions)
    shares = said.tokens.split(len(questions))
    return tuple(
        Reply(result, model, tokens, allowance)
        for result, tokens in zip(_judge(said, questions), shares, strict=True)
    )


def _judge(said: _Said, questions: Sequence[Question]) -> tuple[tuple[ZoneVerdict, ...] | ModelFault, ...]:
    """The verdicts, or a fault that tells a refusal, an empty, a cut-off and a broken answer apart."""
    if said.refusal:
        fault = ModelFault(ErrorCode.MODEL_REFUSED, f"the model refused: {said.refusal[:200]}")
    elif said.cut_off:
        fault = ModelFault(ErrorCode.MODEL_UNREADABLE, f"the answer was cut off: {said.cut_off}")
    elif not said.text.strip():
        fault = ModelFault(ErrorCode.MODEL_UNREADABLE, "the answer was empty")
    else:
        try:
            return tuple(map(_readable, _parse(said.text, questions)))
        except prompts.AnswerUnreadable as error:
            fault = _unreadable(error)
    return (fault,) * len(questions)


def _parse(
    text: str, questions: Sequence[Question]
) -> tuple[tuple[ZoneVerdict, ...] | prompts.AnswerUnreadable, ...]:
    if len(questions) == 1:
        return (prompts.parse_answer(text, questions[0]),)
    return prompts.parse_packed(text, questions)


def _readable(
    found: tuple[ZoneVerdict, ...] | prompts.AnswerUnreadable,
) -> tuple[ZoneVerdict, ...] | ModelFault:
    return _unreadable(found) if isinstance(found, prompts.AnswerUnreadable) else found


def _unreadable(error: prompts.AnswerUnreadable) -> ModelFault:
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
_BODIES: Mapping[Api, Callable[[Question, int, int], dict[str, Any]]] = {
    Api.RESPONSES: _responses_body,
    Api.CHAT: _chat_body,
}
