"""Which API a server has and which parameters it accepts, as its refusals tell."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from redzone.errors import ErrorCode, ModelFault, Retry
from redzone.vision.openai.messages import Api, RequestShape, sent_parameters
from redzone.vision.openai.reactions import is_unmistakable
from redzone.vision.openai.refusals import Refusal

# With these a server may mean that it does not have the route; 200 is a page instead of an answer.
ROUTE_STATUSES = frozenset({200, 400, 403, 404, 405, 422, 500, 501})
_SPELLINGS = {
    "response_format": ("response_format", "text.format", "json_schema", "text"),
    "reasoning": ("reasoning", "reasoning_effort", "reasoning.effort"),
}
_PLAIN_WORDS = frozenset({"text", "detail", "store", "reasoning"})  # a parameter only between quotes
_UNKNOWN = re.compile(
    "unsupported|not supported|does(?: not|n't) support|unknown|unrecogni[sz]ed|unexpected|not permitted"
    "|not allowed|extra|unavailable|not available|must be|cannot find field|no such|deprecated|removed",
    re.IGNORECASE,
)
_UNKNOWN_CODES = frozenset(
    {"unsupported_parameter", "unknown_parameter", "unsupported_value", "extra_forbidden"}
    | {"unrecognized_parameter"}
)


class Dialect:
    """The shape of requests that the server accepts. Each thing learned is announced once, by `notice`."""

    def __init__(self, notice: Callable[[str], None]) -> None:
        self._notice = notice
        self._proven = False
        self._refused_route: Refusal | None = None
        self.shape = RequestShape(Api.RESPONSES)

    def accepted(self, shape: RequestShape) -> None:
        """A request of this shape brought an answer: its API is the one to use."""
        if not self._proven:
            self._proven = True
            self.shape = replace(self.shape, api=shape.api)

    def adapt(self, shape: RequestShape, refusal: Refusal) -> ModelFault | Refusal:
        """A fault that repeats the question in another shape, or the refusal that has to be dealt with."""
        if is_unmistakable(refusal):
            return refusal
        parameter = unknown_parameter(shape, refusal)
        if parameter is not None:
            return self._omit(parameter, refusal)
        if self._proven or refusal.status not in ROUTE_STATUSES:
            return refusal
        if shape.api is Api.RESPONSES:
            return self._try_chat(refusal)
        if self._refused_route is not None and refusal.status in (404, 405):
            # neither route exists as such, so the first refusal was about something else
            self.shape = replace(self.shape, api=Api.RESPONSES)
            return self._refused_route
        return refusal

    def _try_chat(self, refusal: Refusal) -> ModelFault | Refusal:
        if self._refused_route is None:
            self._refused_route = refusal
            self.shape = replace(self.shape, api=Api.CHAT)
            self._notice(f"no Responses API ({refusal.message[:120]}); using Chat Completions from here on")
        elif self.shape.api is Api.RESPONSES:
            return refusal  # Chat has been tried
        return _again(refusal)

    def _omit(self, parameter: str, refusal: Refusal) -> ModelFault:
        if parameter not in self.shape.omitted:
            self.shape = replace(self.shape, omitted=self.shape.omitted | {parameter})
            instead = ", max_completion_tokens is sent instead" if parameter == "max_tokens" else ""
            self._notice(f"the server does not accept {parameter}{instead} ({refusal.message[:120]})")
        return _again(refusal)


def _again(refusal: Refusal) -> ModelFault:
    return ModelFault(ErrorCode.MODEL_UNAVAILABLE, refusal.message, Retry.ADAPTED)


def unknown_parameter(shape: RequestShape, refusal: Refusal) -> str | None:
    """The parameter of the request that the server says it does not know; None where it names none."""
    if refusal.status not in (400, 404, 422, 500, 501) or refusal.html:
        return None
    if not (refusal.codes & _UNKNOWN_CODES or _UNKNOWN.search(refusal.words)):
        return None
    sent = sent_parameters(shape)
    for parameter in sent:
        if refusal.param and refusal.param.removeprefix("body.") in _SPELLINGS.get(parameter, (parameter,)):
            return parameter
    places = [(_mentioned(parameter, refusal.words), parameter) for parameter in sent]
    found = [each for each in places if each[0] >= 0]
    return min(found)[1] if found else None


def _mentioned(parameter: str, words: str) -> int:
    """Where the words name the parameter, in any spelling; -1 where they do not."""
    for spelling in _SPELLINGS.get(parameter, (parameter,)):
        name = re.escape(spelling)
        quoted = rf"""[`'"\u2018\u201c.]{name}(?=[`'"\u2019\u201d.\s]|$)"""
        pattern = quoted if spelling in _PLAIN_WORDS else rf"(?<![\w]){name}(?![\w])"
        if spelling in _PLAIN_WORDS:
            pattern = rf"{quoted}|(?:parameter|argument|field|supplied|property|name):?\s+{name}\b"
        found = re.search(pattern, words, re.IGNORECASE)
        if found:
            return found.start()
    return -1
