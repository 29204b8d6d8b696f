"""A response without an answer: the status, the codes and the words of the server. `reactions` decides.

OpenAI and the servers that speak its API put the reason into the status, into `code`, `type` or `status` of
the body, or only into words. Some send an error, or an HTML page, with the status 200. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from redzone.vision.openai.rate_limit_headers import read_allowance, retry_after_s

MESSAGE_CHARS = 300  # of a server's own words in a fault
_PAGE_STARTS = ("<!doctype", "<html", "<head", "<pre", "<?xml")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A server's refusal. `codes` are all its codes and types in lower case, `param` the parameter that it
    names, `words` its own words, `hold_s` the seconds that it asks to wait, `html` whether it is a page."""

    status: int
    codes: frozenset[str]
    code: str
    param: str
    words: str
    hold_s: float | None
    html: bool
    json: bool

    @property
    def kind(self) -> str:
        """Status and code: what equal refusals have in common."""
        return f"{self.status} {self.code}".strip()

    @property
    def message(self) -> str:
        """The status and the server's words, for a fault."""
        return f"HTTP {self.status}: {self.words}"[:MESSAGE_CHARS]


class ResponseRefused(Exception):
    """A response without an answer. Of a 200 that is an error or a page, `status` is what was meant."""

    def __init__(self, status: int, content: bytes, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.content = content
        self.headers: Mapping[str, str] = headers or {}


def read_refusal(
    status: int, headers: Mapping[str, str], content: bytes, clean: Callable[[str], str] = str
) -> Refusal:
    """The parts of a response that is not an answer. `clean` removes the key from the server's words."""
    text = content.decode("utf-8", errors="replace")
    body: object = None
    with suppress(ValueError, RecursionError):
        body = json.loads(text)
    error = _error_object(body)
    codes = frozenset(code.lower() for code in _codes(error))
    html = text.lstrip("\ufeff \r\n\t")[:200].lower().startswith(_PAGE_STARTS)
    words = _page_words(text) if html else _own_words(error) if error else " ".join(text.split())
    hold_s = retry_after_s(headers)
    if hold_s is None:
        hold_s = _hold_in_body(error, words)
    if hold_s is None and status == 429:
        hold_s = _exhausted_s(headers)
    return Refusal(
        status=status,
        codes=codes,
        code=next((code for code in _codes(error) if not code.isdigit()), ""),
        param=_param(error),
        words=clean(words) or "(no message)",
        hold_s=hold_s,
        html=html,
        json=isinstance(body, dict | list),
    )


def _error_object(body: object) -> Mapping[str, object]:
    """The object with the message, wherever it is: in `error`, `errors`, `detail`, a list, or the body."""
    if isinstance(body, list):
        return _error_object(body[0]) if body else {}
    if isinstance(body, str):
        return {"message": body}
    if not isinstance(body, dict):
        return {}
    for name in ("error", "errors", "detail"):
        inner = body.get(name)
        if name == "detail" and isinstance(inner, list):
            return {"message": "; ".join(map(_field_error, inner)), "detail": inner}
        if isinstance(inner, str) and inner:
            more = body.get("message")
            return {**body, name: None, "message": f"{inner}: {more}" if more else inner}
        if isinstance(inner, dict | list) and inner:
            return _error_object(inner)
    return body


def _field_error(item: object) -> str:
    """One entry of FastAPI's `detail`."""
    if not isinstance(item, dict):
        return str(item)
    where = item.get("loc")
    path = ".".join(str(part) for part in where) if isinstance(where, list) else ""
    return f"'{path}': {item.get('msg', '')}"


def _codes(error: Mapping[str, object]) -> Iterator[str]:
    """Everything that names the kind of error: codes, types, Google's status and reasons."""
    for name in ("code", "type", "status", "reason", "error_code"):
        value = error.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value):
            yield str(value)
    inner = error.get("innererror")
    parts = [inner] if isinstance(inner, dict) else []
    for name in ("details", "detail"):
        listed = error.get(name)
        parts += [part for part in listed if isinstance(part, dict)] if isinstance(listed, list) else []
    for part in parts:
        for name in ("reason", "code", "type"):
            if isinstance(part.get(name), str):
                yield str(part[name])


def _param(error: Mapping[str, object]) -> str:
    param = error.get("param")
    detail = error.get("detail")
    if not param and isinstance(detail, list) and detail and isinstance(detail[0], dict):
        where = detail[0].get("loc")
        param = ".".join(str(part) for part in where[1:]) if isinstance(where, list) else None
    return param if isinstance(param, str) else ""


def _own_words(error: Mapping[str, object]) -> str:
    message = error.get("message") or error.get("msg") or error.get("title")
    text = message if isinstance(message, str) else json.dumps(message or error)
    named = next((code for code in _codes(error) if not code.isdigit()), "")
    text = " ".join(text.split())
    return text if not named or named in text else f"{text} ({named})"


def _page_words(text: str) -> str:
    title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
    inside = " ".join(re.sub(r"<[^>]*>", " ", title[1] if title else text[:500]).split())
    return f"an HTML page{', titled' if title else ':'} {inside[:100]!r}"


_UNITS_S = {
    "ms": 0.001,
    "millisecond": 0.001,
    "s": 1.0,
    "sec": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
    "hour": 3600.0,
    "d": 86400.0,
    "day": 86400.0,
}
_UNIT = r"(ms|millisecond|sec(?:ond)?|s|min(?:ute)?|m|hour|h|day|d)s?\b"
_AGAIN = re.compile(
    rf"(?:again|retry|wait|reset\w*)\s+(?:after|in|for)?\s*(?:about\s+)?((?:\d+(?:\.\d+)?\s*{_UNIT}[\s,]*(?:and\s+)?)+)",
    re.IGNORECASE,
)
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|millisecond|sec|s|min|m|hour|h|day|d)", re.IGNORECASE)


def _seconds(text: str) -> float:
    """Seconds of `8 s`, `1m30s`, `120ms` or `2 minutes`."""
    return sum(float(number) * _UNITS_S[unit.lower()] for number, unit in _AMOUNT.findall(text))


def _hold_in_body(error: Mapping[str, object], words: str) -> float | None:
    """The wait that a body asks for: Google's `retryDelay`, `retry_after`, or "try again in 8 s"."""
    details = error.get("details")
    for part in (error, *(details if isinstance(details, list) else ()), error.get("metadata")):
        if isinstance(part, dict):
            delay = part.get("retryDelay", part.get("retry_after", part.get("retry_after_seconds")))
            if isinstance(delay, str) and _AMOUNT.match(delay):
                return _seconds(delay)
            if isinstance(delay, int | float) and not isinstance(delay, bool) and 0 <= delay < 1e9:
                return float(delay)
    again = _AGAIN.search(re.sub(r"(\d)(m|h|d)(?=\d)", r"\1\2 ", words))
    return _seconds(again[1]) if again else None


def _exhausted_s(headers: Mapping[str, str]) -> float | None:
    """Until the limit of which nothing is left is full again."""
    told = read_allowance(headers)
    if told is None:
        return None
    waits = ((told.remaining_requests, told.reset_requests_s), (told.remaining_tokens, told.reset_tokens_s))
    return max((wait for left, wait in waits if left == 0 and wait is not None), default=None)


def error_inside(answer: object) -> ResponseRefused | None:
    """The error in the JSON of a 200 response, with the status that it should have had; else None."""
    if not isinstance(answer, Mapping):
        return None
    found = answer.get("error")
    choices = answer.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    if isinstance(first, Mapping) and not found:
        found = first.get("error")
        if not found and first.get("finish_reason") == "error":
            found = {"message": "the generation ended with finish_reason error"}
    if not found and answer.get("status") in ("failed", "cancelled"):
        found = {"message": f"the response has the status {answer['status']}"}
    if not found and "choices" in answer and choices is None:
        found = {"message": answer.get("message") or answer.get("msg") or "the answer has no choices"}
    if not found:
        return None
    body = found if isinstance(found, Mapping) else {"message": str(found)}
    return ResponseRefused(_meant_status(body), json.dumps({"error": body}).encode())


_MEANT = (
    (404, re.compile(r"unexpected endpoint|not.?found|unknown (?:endpoint|path|route)", re.IGNORECASE)),
    (429, re.compile(r"rate.?limit|too.?many|insufficient_quota|resource.?exhausted|quota", re.IGNORECASE)),
    (401, re.compile(r"unauthori[sz]ed|authentication|api.?key", re.IGNORECASE)),
    (402, re.compile(r"insufficient.(?:credit|balance)|billing", re.IGNORECASE)),
    (
        400,
        re.compile(r"invalid|bad.?request|unsupported|content.?filter|moderation|not supp", re.IGNORECASE),
    ),
)


def _meant_status(error: Mapping[str, object]) -> int:
    for name in ("code", "status", "status_code", "http_status"):
        value = error.get(name)
        if isinstance(value, str | int) and re.fullmatch(r"[45]\d\d", str(value)):
            return int(value)
    text = " ".join((*_codes(error), str(error.get("message"))))
    return next((status for status, words in _MEANT if words.search(text)), 500)
