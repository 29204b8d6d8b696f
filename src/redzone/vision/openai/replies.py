"""The body of a 200 response as verdicts, from the Responses API and from Chat Completions. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redzone.errors import ErrorCode, ModelFault, Retry
from redzone.models import Allowance, Question, Reply, Tokens, ZoneVerdict
from redzone.vision import answers
from redzone.vision.openai.messages import Api
from redzone.vision.openai.refusals import ResponseRefused, error_inside
from redzone.vision.zone_answers import AnswerUnreadable

_Result = tuple[ZoneVerdict, ...] | ModelFault
_INPUT_NAMES = ("input_tokens", "prompt_tokens")
_OUTPUT_NAMES = ("output_tokens", "completion_tokens")
_TEXT_TYPES = ("output_text", "text", "input_text")
_PAGE = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|body|pre|\?xml)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Message:
    """The parts of an answer that matter, from either API. `texts`: where the verdicts may be, the likeliest
    first. `tokens` None: the usage is missing or makes no sense."""

    texts: tuple[str, ...] = ()
    refusal: str = ""
    cut_off: str = ""
    tokens: Tokens | None = None


def read_replies(
    api: Api, body: bytes, questions: Sequence[Question], allowance: Allowance | None
) -> tuple[Reply, ...]:
    """The body of a 200 as a reply to each question: its verdicts, or why there are none. Tokens are split
    evenly; together they are what the server reported. Raises ResponseRefused for an error or a page."""
    model = questions[0].model
    try:
        data = _load(body)
        error = error_inside(data)
        if error is not None:
            raise error
        message = _READERS[api](data)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        if _PAGE.match(body):
            raise ResponseRefused(200, body) from None
        # a server or a proxy returned 200 with something that is no answer of this API
        fault = ModelFault(
            ErrorCode.MODEL_UNREADABLE,
            f"the server's answer is broken: {error}",
            Retry.TRANSIENT,
            may_be_charged=True,
        )
        return (Reply(fault, model, allowance=allowance),) * len(questions)
    known = message.tokens is not None
    shares = (message.tokens or Tokens()).split(len(questions))
    return tuple(
        Reply(result, model, tokens, allowance, known)
        for result, tokens in zip(_judge(message, questions), shares, strict=True)
    )


def _load(body: bytes) -> Any:
    if body.lstrip()[:6] in (b"data: ", b"event:"):
        return _from_stream(body.decode("utf-8", "replace"))
    try:
        return json.loads(body)
    except UnicodeDecodeError:
        return json.loads(body.decode("utf-8", "replace"))


def _from_stream(text: str) -> Any:
    """The answer of a server that streams although nobody asked it to."""
    chunks = [json.loads(line[5:]) for line in text.splitlines() if re.match(r"data:\s*\{", line)]
    for chunk in reversed(chunks):
        if isinstance(chunk.get("response"), dict):
            return chunk["response"]
    choices = [choice for chunk in chunks for choice in chunk.get("choices") or ()]
    content = "".join((choice.get("delta") or {}).get("content") or "" for choice in choices)
    reason = next((choice["finish_reason"] for choice in choices if choice.get("finish_reason")), None)
    usage = next((chunk["usage"] for chunk in reversed(chunks) if chunk.get("usage")), None)
    error = next((chunk["error"] for chunk in chunks if chunk.get("error")), None)
    message = {"message": {"content": content}, "finish_reason": reason}
    return {"choices": [message], "usage": usage, "error": error}


def _judge(message: _Message, questions: Sequence[Question]) -> tuple[_Result, ...]:
    """The verdicts, or a fault that tells a refusal, an empty, a cut-off and a broken answer apart."""
    texts = [text for text in message.texts if text.strip()]
    if message.refusal:
        fault = _refused(message.refusal)
    elif not texts and not message.cut_off:
        fault = ModelFault(ErrorCode.MODEL_UNREADABLE, "the answer was empty")
    else:
        reason: AnswerUnreadable | None = None
        for text in texts:
            try:
                return tuple(map(_result, _parse(text, questions, complete=not message.cut_off)))
            except AnswerUnreadable as error:
                reason = reason or error
        fault = _cut_off(message.cut_off) if message.cut_off or reason is None else _unreadable(reason)
    return (fault,) * len(questions)


def _parse(
    text: str, questions: Sequence[Question], *, complete: bool
) -> tuple[tuple[ZoneVerdict, ...] | AnswerUnreadable, ...]:
    if len(questions) == 1:
        return (answers.parse_answer(text, questions[0], complete=complete),)
    return answers.parse_packed(text, questions, complete=complete)


def _result(found: tuple[ZoneVerdict, ...] | AnswerUnreadable) -> _Result:
    return _unreadable(found) if isinstance(found, AnswerUnreadable) else found


def _refused(words: str) -> ModelFault:
    return ModelFault(ErrorCode.MODEL_REFUSED, f"the model refused: {words[:200]}")


def _cut_off(reason: str) -> ModelFault:
    return ModelFault(
        ErrorCode.MODEL_UNREADABLE, f"the answer was cut off: {reason}; raise REDZONE_MAX_OUTPUT_TOKENS"
    )


def _unreadable(error: AnswerUnreadable) -> ModelFault:
    if isinstance(error, answers.AnswerRefused):
        return _refused(str(error))
    return ModelFault(ErrorCode.MODEL_UNREADABLE, f"the answer cannot be read: {error}")


# ---- the two APIs


def _read_responses(data: Any) -> _Message:
    items = data["output"]
    texts: list[str] = []
    reasoning: list[str] = []
    refusals: list[str] = []
    for item in items:
        kind = item["type"]
        if kind == "message":
            text, refusal = _content(item["content"])
            texts.append(text)
            refusals.append(refusal)
        elif kind == "function_call":
            texts.append(_arguments(item.get("arguments")))
        elif kind == "reasoning":
            parts = item.get("content") or ()
            reasoning += [part.get("text") or "" for part in parts if isinstance(part, dict)]
    incomplete = data.get("incomplete_details")
    reason = str(incomplete.get("reason") or "") if isinstance(incomplete, dict) else ""
    return _Message(
        texts=("".join(texts), *_others(texts), "".join(reasoning)),
        refusal="".join(refusals) or ("content filter" if reason == "content_filter" else ""),
        cut_off=reason,
        tokens=_tokens(data.get("usage")),
    )


def _read_chat(data: Any) -> _Message:
    choice = data["choices"][0]
    message = choice.get("message")
    if message is None and isinstance(choice.get("text"), str):
        message = {"content": choice["text"]}  # the older completions API
    text, refusal = _content(message.get("content"))
    calls = [call.get("function") for call in message.get("tool_calls") or ()]
    calls.append(message.get("function_call"))
    arguments = [_arguments(call.get("arguments")) for call in calls if isinstance(call, dict)]
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    reason = str(choice.get("finish_reason") or "").lower()
    filtered = reason in ("content_filter", "safety", "prohibited_content")
    return _Message(
        texts=(text, *arguments, reasoning if isinstance(reasoning, str) else ""),
        refusal="".join([message.get("refusal") or "", refusal]) or ("content filter" if filtered else ""),
        cut_off="max_output_tokens" if reason in ("length", "max_tokens") else "",
        tokens=_tokens(data.get("usage")),
    )


def _others(texts: Sequence[str]) -> Sequence[str]:
    return texts[::-1] if len(texts) > 1 else ()


def _content(content: Any) -> tuple[str, str]:
    """Text and refusal of a message's content: a text, an object, or parts of several kinds. Anything else
    is a TypeError or a KeyError."""
    if content is None or isinstance(content, str):
        return content or "", ""
    if isinstance(content, dict):
        if "type" not in content:
            return json.dumps(content), ""
        content = [content]
    text = "".join(_part_text(part) for part in content if part["type"] in _TEXT_TYPES)
    return text, "".join(part["refusal"] for part in content if part["type"] == "refusal")


def _part_text(part: Mapping[str, Any]) -> str:
    text = part["text"]
    return "".join([text["value"] if isinstance(text, dict) else text])


def _arguments(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value) if value else ""


def _tokens(usage: Any) -> Tokens | None:
    """What the answer says it took; None unless both numbers are there and make sense."""
    if not isinstance(usage, Mapping):
        return None
    found = [
        _count(next((usage[name] for name in names if name in usage), None))
        for names in (_INPUT_NAMES, _OUTPUT_NAMES)
    ]
    if found[0] is None or found[1] is None:
        return None
    return Tokens(input=found[0], output=found[1])


def _count(value: Any) -> int | None:
    """A number of tokens, rounded up; None where it is none."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,12}", value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        return None
    return math.ceil(value)


_READERS: Mapping[Api, Callable[[Any], _Message]] = {Api.RESPONSES: _read_responses, Api.CHAT: _read_chat}
