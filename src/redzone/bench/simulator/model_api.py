"""The vision API of the simulator: what it lets in, what it answers, and what goes wrong with it."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

from redzone.bench.simulator.faults import MODEL_SIDE, PACKED, PERMANENT, Fault, choose_fault
from redzone.bench.simulator.http_server import HttpReply, HttpRequest, ReplyEnd
from redzone.bench.simulator.options import SimulatorOptions, pack_factor
from redzone.bench.simulator.rate_limits import Admitted, LimitScope, RateGate, Rejected
from redzone.bench.simulator.replies import ReplyText, rate_headers, retry_headers, write_answer
from redzone.bench.simulator.request_log import PlannedReply
from redzone.bench.simulator.requests import (
    CHARS_PER_TOKEN,
    ApiError,
    ModelEndpoint,
    ModelRequest,
    bad_request,
    count_tokens,
    read_request,
)
from redzone.bench.simulator.schema_answers import answer_to, example_in
from redzone.bench.simulator.seeded_random import fraction, generator

SLOW_DOWN_S = 1.0
REFUSAL = "I'm sorry, but I can't help with this picture."

_NO_SCHEMA = {
    "type": "object",
    "properties": {
        "contains_key_elements": {"type": "boolean"},
        "confidence_pct": {"type": "integer"},
        "justification": {"type": "string"},
    },
}
_STANDARD = NormalDist()
_ENDINGS = {
    Fault.RESET: ReplyEnd.RESET,
    Fault.STALL: ReplyEnd.STALL,
    Fault.STALL_ALWAYS: ReplyEnd.STALL,
    Fault.HALF: ReplyEnd.HALF,
}
_ERRORS = {
    Fault.HTTP500: (500, "the server had an error", "server_error", None),
    Fault.HTTP503: (503, "the server is overloaded", "server_error", "server_is_overloaded"),
    Fault.SLOW_DOWN: (429, "the rate of requests rose too fast", "requests", "slow_down"),
}


@dataclass(frozen=True, slots=True)
class ModelPlan(PlannedReply):
    """A plan whose reply carries rate headers, written when it goes out. `admitted` is what the gate
    charged; None for a rejected request."""

    admitted: Admitted | None = None


class ModelApi:
    """Plans the answers to POST /v1/responses and /v1/chat/completions.

    Every request that is let in by its key counts against the rate limit, whatever becomes of it. The
    tokens charged up front (input plus max_output_tokens) are corrected when an answer goes out; a
    request that fails keeps its whole charge.
    """

    def __init__(self, options: SimulatorOptions) -> None:
        self._options = options
        self._shares = {kind: share for kind, share in options.faults.items() if kind in MODEL_SIDE}
        self._shares_alone = {kind: share for kind, share in self._shares.items() if kind not in PACKED}
        self._gate = RateGate(options.limits)
        self._seen: Counter[str] = Counter()
        self._answers = 0

    def refuse(self, request: HttpRequest) -> PlannedReply | None:
        """The answer to a wrong key, or None."""
        key = self._options.api_key
        if key is None or request.headers.get("authorization") == f"Bearer {key}":
            return None
        error = ApiError(401, "the API key is not valid", "invalid_request_error", "invalid_api_key")
        return PlannedReply(HttpReply(401, error.body))

    def plan(self, api: ModelEndpoint, request: HttpRequest, now_s: float, wall_s: int) -> PlannedReply:
        """Decide what becomes of the request."""
        options = self._options
        if api is ModelEndpoint.RESPONSES and not options.responses_api:
            return PlannedReply(HttpReply(404, b'{"detail":"Not Found"}'))
        refusal = self.refuse(request)
        if refusal:
            return refusal
        if options.quota_requests is not None and self._answers >= options.quota_requests:
            error = ApiError(429, "the account has no credit", "insufficient_quota", "insufficient_quota")
            return ModelPlan(HttpReply(429, error.body))
        asked = _read(api, request.body)
        image, pictures = (
            (asked.subjects[0], len(asked.image_ids)) if isinstance(asked, ModelRequest) else (None, 0)
        )
        verdict = self._gate.admit(asked.reserved_tokens if isinstance(asked, ModelRequest) else 0, now_s)
        if isinstance(verdict, Rejected):
            return ModelPlan(self._reject(verdict), image_sha256=image, pictures=pictures)
        if isinstance(asked, ApiError):
            return ModelPlan(HttpReply(asked.status, asked.body), admitted=verdict)
        return self._plan_answer(asked, verdict, wall_s)

    def close(self, plan: PlannedReply, now_s: float) -> HttpReply:
        """The reply as it goes out, with the rate headers of this instant."""
        if not isinstance(plan, ModelPlan):
            return plan.reply
        used = plan.input_tokens + plan.output_tokens
        if plan.admitted and used:
            self._gate.settle(plan.admitted, used, now_s)
        if not self._options.announce:
            return plan.reply
        return replace(plan.reply, headers=[*plan.reply.headers, *rate_headers(self._gate.allowance(now_s))])

    def _plan_answer(self, asked: ModelRequest, admitted: Admitted, wall_s: int) -> ModelPlan:
        image, pictures = asked.subjects[0], len(asked.image_ids)
        self._seen[image] += 1
        turn = self._seen[image]
        fault = self._fault(asked, turn)
        delay_s = self._latency_s(image, turn) * pack_factor(pictures)
        plan = ModelPlan(
            HttpReply(200), delay_s, fault, image_sha256=image, pictures=pictures, admitted=admitted
        )
        if fault in _ERRORS:
            error = ApiError(*_ERRORS[fault])
            hint = retry_headers(SLOW_DOWN_S) if fault is Fault.SLOW_DOWN else []
            return replace(plan, reply=HttpReply(error.status, error.body, headers=hint))
        try:
            said = _say(asked, fault)
        except ValueError as broken:
            error = bad_request(str(broken), "invalid_json_schema", "schema")
            return replace(plan, reply=HttpReply(error.status, error.body), fault=None)
        self._answers += 1
        body = write_answer(asked, said, self._answers, wall_s)
        if fault is Fault.BROKEN_JSON:
            return replace(plan, reply=HttpReply(200, body[: len(body) * 2 // 3]))
        if fault in _ENDINGS:
            return replace(plan, reply=HttpReply(200, body, ending=_ENDINGS[fault]))
        return replace(
            plan, reply=HttpReply(200, body), input_tokens=asked.input_tokens, output_tokens=said.tokens
        )

    def _fault(self, asked: ModelRequest, turn: int) -> Fault | None:
        """What hits a request: what hits any of its pictures for ever, else what hits its first one now."""
        shares = self._shares if len(asked.image_ids) > 1 else self._shares_alone
        hits = [choose_fault(shares, self._options.seed, subject, turn) for subject in asked.subjects]
        return next((hit for hit in hits if hit in PERMANENT), hits[0])

    def _latency_s(self, image: str, turn: int) -> float:
        options = self._options
        if not options.latency_spread:
            return options.latency_s
        draw = min(max(fraction(options.seed, "latency", image, turn), 1e-9), 1 - 1e-9)
        return options.latency_s * math.exp(options.latency_spread * _STANDARD.inv_cdf(draw))

    def _reject(self, rejected: Rejected) -> HttpReply:
        limit = self._options.rpm if rejected.scope is LimitScope.REQUESTS else self._options.tpm
        message = f"rate limit reached: {limit} {rejected.scope} per minute"
        error = ApiError(429, message, rejected.scope, "rate_limit_exceeded")
        return HttpReply(429, error.body, headers=retry_headers(rejected.retry_after_s))


def _read(api: ModelEndpoint, body: bytes) -> ModelRequest | ApiError:
    try:
        return read_request(api, body)
    except ApiError as error:
        return error


def _say(asked: ModelRequest, fault: Fault | None) -> ReplyText:
    """What the model says of the picture. Raises ValueError for a schema that cannot be followed."""
    if fault is Fault.REFUSAL:
        return ReplyText(None, refusal=REFUSAL)
    if fault is Fault.EMPTY:
        return ReplyText(None if asked.api is ModelEndpoint.RESPONSES else "")
    answer = answer_to(asked.schema or example_in(asked.prompt) or _NO_SCHEMA, *asked.subjects)
    if fault in PACKED:
        _mix_up(answer, fault, asked.image_ids)
    text = json.dumps(answer)
    if fault is Fault.BROKEN_ANSWER:
        return ReplyText(text[: len(text) // 3])  # with less missing, it could still be read
    if fault is Fault.CUTOFF:
        return ReplyText(text[: len(text) // 2], cut=True)
    if asked.max_output_tokens and count_tokens(text) > asked.max_output_tokens:
        return ReplyText(text[: asked.max_output_tokens * CHARS_PER_TOKEN], cut=True)
    return ReplyText(text)


def _mix_up(answer: Any, fault: Fault, image_ids: Sequence[str]) -> None:
    """Leave one numbered picture out, or tell it under another one's number, so that this one is there twice
    with two verdicts and nobody can say which is its own."""
    match answer:
        case {"pictures": [_, _, *_] as entries}:
            lost, doubled = generator("pack", *image_ids).sample(range(len(entries)), 2)
            if fault is Fault.PACK_DOUBLED:
                entries[lost]["picture"] = entries[doubled]["picture"]
            else:
                del entries[lost]
