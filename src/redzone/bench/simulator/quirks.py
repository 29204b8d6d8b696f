"""Quirks of real OpenAI-compatible servers: error responses, unusual bodies, and answers in odd forms.

Each was reported of a gateway or a local server; the messages are typical, not quoted.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from redzone.bench.simulator.faults import Fault
from redzone.bench.simulator.http_server import HttpReply
from redzone.bench.simulator.requests import ApiError, ModelRequest

RETRY_S = 1
DAY_S = 86_400
REDIRECTED = "redirected"
REFUSAL = "I'm sorry, but I can't help with this picture."
_HTML = b"<!doctype html><title>403 Forbidden</title><h1>Access denied</h1><p>Blocked by the firewall."
_RETRY_DELAY = [
    {
        "error": {
            "code": 429,
            "message": "You exceeded your current rate.",
            "status": "RESOURCE_EXHAUSTED",
            "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{RETRY_S}s"}],
        }
    }
]
_REASONING = 'The zone {"zone": "?"} has letters in it, I think.'


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """An error response: status, message, the body's `type` and `code`, and headers."""

    status: int
    message: str
    kind: str = "invalid_request_error"
    code: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


_ERRORS = {
    Fault.HTTP500: ErrorReply(500, "the server had an error", "server_error"),
    Fault.HTTP503: ErrorReply(503, "the server is overloaded", "server_error", "server_is_overloaded"),
    Fault.SLOW_DOWN: ErrorReply(
        429,
        "the rate of requests rose too fast",
        "requests",
        "slow_down",
        (("retry-after", "2"), ("retry-after-ms", "1001")),
    ),
    Fault.QUOTA_TYPE: ErrorReply(429, "You exceeded your current quota.", "insufficient_quota"),
    Fault.HTTP402: ErrorReply(402, "Insufficient credits. Add more to continue.", "payment_required"),
    Fault.BUDGET_400: ErrorReply(
        400, "Budget has been exceeded: spent 5.0, max 5.0", "budget_exceeded", "400"
    ),
    Fault.KEY_400: ErrorReply(400, "API key not valid.", "INVALID_ARGUMENT", "API_KEY_INVALID"),
    Fault.NO_VISION: ErrorReply(404, "No endpoints found that support image input", "not_found_error"),
    Fault.DAY_LIMIT: ErrorReply(
        429,
        "Rate limit exceeded: free-models-per-day",
        "requests",
        "rate_limit_exceeded",
        (("retry-after", str(DAY_S)),),
    ),
    Fault.RETRY_TEXT: ErrorReply(
        429, f"Rate limit reached. Please try again in {RETRY_S}s.", "requests", "rate_limit_exceeded"
    ),
    Fault.RETRY_DATE: ErrorReply(429, "Too many requests", "requests", "rate_limit_exceeded"),
    Fault.TOO_LARGE: ErrorReply(
        429, "Request too large: Limit 1000, Requested 1200.", "tokens", "rate_limit_exceeded"
    ),
    Fault.CONTENT_FILTER: ErrorReply(
        400, "The response was filtered by the content management policy.", "", "content_filter"
    ),
    Fault.MODERATION: ErrorReply(403, "The input was flagged by moderation.", "moderation_error", "403"),
}
# The parameter of each API that the server does not know.
_UNKNOWN = {
    Fault.NO_MAX_TOKENS: ("max_tokens", "max_completion_tokens", "max_output_tokens"),
    Fault.NO_STORE: ("store",),
    Fault.NO_FORMAT: ("response_format", "text"),
    Fault.NO_DETAIL: ("detail",),
}
# These affect only some requests: those with the parameter, or those not redirected yet.
CONDITIONAL = frozenset({Fault.REDIRECT, *_UNKNOWN})


def error_reply(fault: Fault | None, request: ModelRequest, now: datetime) -> HttpReply | None:
    """Return the error response of a fault, or None if the fault has none for this request."""
    if fault is Fault.HTML_403:
        return HttpReply(403, _HTML, "text/html; charset=utf-8")
    if fault is Fault.RETRY_DELAY:
        return HttpReply(429, json.dumps(_RETRY_DELAY).encode())
    if fault is Fault.REDIRECT and not request.redirected:
        return HttpReply(307, headers=[("location", f"{request.api}?{REDIRECTED}=1")])
    if fault in _UNKNOWN:
        unknown = next((name for name in _UNKNOWN[fault] if name in request.parameters), None)
        if unknown is None:
            return None
        unknown = "text.format" if unknown == "text" else unknown
        error = ApiError(
            400, f"Unknown parameter: '{unknown}'.", "invalid_request_error", "unknown_parameter", unknown
        )
        return HttpReply(400, error.body)
    if fault not in _ERRORS:
        return None
    found = _ERRORS[fault]
    headers = list(found.headers)
    if fault is Fault.RETRY_DATE:
        at = now.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=RETRY_S + 1)
        headers.append(("retry-after", format_datetime(at, usegmt=True)))
    error = ApiError(found.status, found.message, found.kind, found.code)
    return HttpReply(found.status, error.body, headers=headers)


def change_answer(fault: Fault | None, answer: Any) -> str:
    """Return the text of the answer, as JSON or as the fault changes it."""
    _change_verdicts(fault, answer)
    text = json.dumps(answer)
    return _TEXTS[fault](text, answer) if fault in _TEXTS else text


_TEXTS: dict[Fault | None, Callable[[str, Any], str]] = {
    Fault.FENCED: lambda text, _: f"```json\n{text}\n```",
    Fault.PROSE: lambda text, _: f"Here is my answer:\n\n{text}\n\nLet me know if {{you}} need more.",
    Fault.THINK: lambda text, _: f"<think>\n{_REASONING}\n</think>\n\n{text}",
    Fault.THINK_UNOPENED: lambda text, _: f"{_REASONING}\n</think>\n\n{text}",
    Fault.TRAILING_COMMA: lambda text, _: text[:-1].replace("}]", "},]") + ",}",
    Fault.JSON_STRING: lambda text, _: json.dumps(text),
    Fault.TWO_OBJECTS: lambda text, _: f"{text}\n{text}",
    Fault.BARE_ZONES: lambda _, answer: json.dumps(_bare(answer)),
    Fault.PLAIN_REFUSAL: lambda *_: REFUSAL,
}


def change_body(fault: Fault | None, body: dict[str, Any]) -> dict[str, Any]:
    """Return the response body as the fault changes it."""
    match fault:
        case Fault.ERROR_200:
            return {"error": {"message": "Provider returned error", "code": 502}}
        case Fault.FAILED_200:
            return {**body, **_failed(body)}
        case Fault.EMPTY_200:
            return {**body, **({"choices": None} if "choices" in body else {"output": None})}
        case Fault.NO_USAGE:
            return {name: part for name, part in body.items() if name != "usage"}
        case Fault.NEGATIVE_USAGE:
            return {**body, "usage": _change_numbers(body["usage"], lambda _: -1)}
        case Fault.FRACTIONAL_USAGE:
            return {**body, "usage": _change_numbers(body["usage"], lambda count: count + 0.5)}
        case Fault.PARTS | Fault.REASONING if "choices" in body:
            (choice,) = body["choices"]
            text = choice["message"]["content"]
            message: dict[str, Any] = {"content": [{"type": "text", "text": text}]}
            if fault is Fault.REASONING:
                message = {"content": None, "reasoning_content": text}
            return {**body, "choices": [{**choice, "message": {**choice["message"], **message}}]}
        case _:
            return body


def change_reply(fault: Fault | None, reply: HttpReply) -> HttpReply:
    """Return the HTTP response as the fault changes it."""
    match fault:
        case Fault.HTTP201:
            return replace(reply, status=201)
        case Fault.GZIP:
            headers = [*reply.headers, ("content-encoding", "gzip")]
            return replace(reply, body=gzip.compress(reply.body), headers=headers)
        case _:
            return reply


def _failed(body: dict[str, Any]) -> dict[str, Any]:
    error = {"message": "The model failed to generate a response.", "code": "server_error"}
    if "choices" not in body:
        return {"status": "failed", "error": error, "output": [], "usage": None}
    message = {"role": "assistant", "content": ""}
    return {"choices": [{"index": 0, "message": message, "finish_reason": "error", "error": error}]}


def _change_numbers(usage: Any, change: Callable[[int], float]) -> Any:
    if isinstance(usage, dict):
        return {name: _change_numbers(part, change) for name, part in usage.items()}
    return change(usage)


def _bare(answer: Any) -> Any:
    match answer:
        case {"zones": [zone]}:
            return zone
        case {"zones": list(entries)} | {"pictures": list(entries)}:
            return entries
        case _:
            return answer


def _change_verdicts(fault: Fault | None, answer: Any) -> None:
    for verdict in _verdicts(answer):
        match fault:
            case Fault.ZONE_CASE:
                verdict["zone"] = str(verdict.get("zone", "")).title()
            case Fault.OTHER_KIND:
                for element in verdict.get("elements", ()):
                    element["kind"] = "lettering"
            case Fault.FRACTION:
                verdict["confidence_pct"] = verdict.get("confidence_pct", 90) / 100
            case Fault.PERCENT:
                verdict["confidence_pct"] = f"{verdict.get('confidence_pct', 90)}%"
            case Fault.CONTRADICTION:
                verdict["contains_key_elements"] = False
                verdict["elements"] = [{"kind": "text", "label": "title lettering"}]


def _verdicts(answer: Any) -> Iterator[dict[str, Any]]:
    match answer:
        case {"contains_key_elements": _}:
            yield answer
        case dict():
            for part in answer.values():
                yield from _verdicts(part)
        case list():
            for part in answer:
                yield from _verdicts(part)
