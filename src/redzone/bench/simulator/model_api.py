"""The vision API of the simulator: admission, answers and faults."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from statistics import NormalDist
from typing import Any

from redzone.bench.simulator import quirks
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


@dataclass(frozen=True, slots=True)
class ModelPlan(PlannedReply):
    """A plan whose reply gets rate limit headers when it is sent. `admitted` is the charge of the rate gate,
    None for a rejected request."""

    admitted: Admitted | None = None


class ModelApi:
    """Plans the replies to POST /v1/responses and /v1/chat/completions.

    Every request with a valid key counts against the rate limit, even if it fails. The tokens charged before
    the answer (input plus max_output_tokens) are corrected when the answer is sent; a failed request keeps
    its whole charge.
    """

    def __init__(self, options: SimulatorOptions) -> None:
        self._options = options
        self._shares = {kind: share for kind, share in options.faults.items() if kind in MODEL_SIDE}
        self._shares_alone = {kind: share for kind, share in self._shares.items() if kind not in PACKED}
        self._gate = RateGate(options.limits)
        self._seen: Counter[str] = Counter()
        self._answers = 0

    def refuse(self, request: HttpRequest) -> PlannedReply | None:
        """Return the 401 for a wrong key, or None."""
        key = self._options.api_key
        if key is None or request.headers.get("authorization") == f"Bearer {key}":
            return None
        error = ApiError(401, "the API key is not valid", "invalid_request_error", "invalid_api_key")
        return PlannedReply(HttpReply(401, error.body))

    def plan(self, api: ModelEndpoint, request: HttpRequest, now_s: float, wall: datetime) -> PlannedReply:
        """Decide what happens to the request."""
        options = self._options
        if api is ModelEndpoint.RESPONSES and not options.responses_api:
            return PlannedReply(_no_responses_api(options.responses_status))
        refusal = self.refuse(request)
        if refusal:
            return refusal
        if options.quota_requests is not None and self._answers >= options.quota_requests:
            error = ApiError(429, "the account has no credit", "insufficient_quota", "insufficient_quota")
            return ModelPlan(HttpReply(429, error.body))
        parsed = _parse(api, request)
        image, pictures = (
            (parsed.subjects[0], len(parsed.image_ids)) if isinstance(parsed, ModelRequest) else (None, 0)
        )
        verdict = self._gate.admit(parsed.reserved_tokens if isinstance(parsed, ModelRequest) else 0, now_s)
        if isinstance(verdict, Rejected):
            return ModelPlan(self._reject(verdict), image_sha256=image, pictures=pictures)
        if isinstance(parsed, ApiError):
            return ModelPlan(HttpReply(parsed.status, parsed.body), admitted=verdict)
        return self._plan_answer(parsed, verdict, wall)

    def close(self, plan: PlannedReply, now_s: float) -> HttpReply:
        """Return the reply as it is sent, with the current rate limit headers."""
        if not isinstance(plan, ModelPlan):
            return plan.reply
        used = plan.input_tokens + plan.output_tokens
        if plan.admitted and used:
            self._gate.settle(plan.admitted, used, now_s)
        if not self._options.announce:
            return plan.reply
        return replace(plan.reply, headers=[*plan.reply.headers, *rate_headers(self._gate.allowance(now_s))])

    def _plan_answer(self, request: ModelRequest, admitted: Admitted, wall: datetime) -> ModelPlan:
        image, pictures = request.subjects[0], len(request.image_ids)
        self._seen[image] += 1
        turn = self._seen[image]
        fault = self._fault(request, turn)
        delay_s = self._latency_s(image, turn) * pack_factor(pictures)
        plan = ModelPlan(
            HttpReply(200), delay_s, fault, image_sha256=image, pictures=pictures, admitted=admitted
        )
        error_reply = quirks.error_reply(fault, request, wall)
        if error_reply:
            return replace(plan, reply=error_reply)
        if fault in quirks.CONDITIONAL:
            plan = replace(plan, fault=None)
        try:
            answer = _compose_reply(request, fault)
        except ValueError as problem:
            error = bad_request(str(problem), "invalid_json_schema", "schema")
            return replace(plan, reply=HttpReply(error.status, error.body), fault=None)
        self._answers += 1
        body = write_answer(request, answer, self._answers, wall, fault)
        if fault is Fault.BROKEN_JSON:
            return replace(plan, reply=HttpReply(200, body[: len(body) * 2 // 3]))
        if fault in _ENDINGS:
            return replace(plan, reply=HttpReply(200, body, ending=_ENDINGS[fault]))
        reply = quirks.change_reply(fault, HttpReply(200, body))
        return replace(plan, reply=reply, input_tokens=request.input_tokens, output_tokens=answer.tokens)

    def _fault(self, request: ModelRequest, turn: int) -> Fault | None:
        """Return the permanent fault of any of its pictures, else the fault of its first picture."""
        shares = self._shares if len(request.image_ids) > 1 else self._shares_alone
        hits = [choose_fault(shares, self._options.seed, subject, turn) for subject in request.subjects]
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


def _no_responses_api(status: int) -> HttpReply:
    """Return what servers without that API respond, a 200 included."""
    if status == HTTPStatus.OK:
        return HttpReply(200, b'{"error":"Unexpected endpoint or method. (POST /v1/responses)"}')
    if status == HTTPStatus.NOT_FOUND:
        return HttpReply(404, b'{"detail":"Not Found"}')
    return HttpReply(status, ApiError(status, "this model is not supported here", "error", None).body)


def _parse(api: ModelEndpoint, request: HttpRequest) -> ModelRequest | ApiError:
    try:
        return replace(read_request(api, request.body), redirected=quirks.REDIRECTED in request.query)
    except ApiError as error:
        return error


def _compose_reply(request: ModelRequest, fault: Fault | None) -> ReplyText:
    """Compose the model's answer. Raises ValueError for an invalid schema."""
    if fault is Fault.REFUSAL:
        return ReplyText(None, refusal=quirks.REFUSAL)
    if fault is Fault.EMPTY:
        return ReplyText(None if request.api is ModelEndpoint.RESPONSES else "")
    answer = answer_to(request.schema or example_in(request.prompt) or _NO_SCHEMA, *request.subjects)
    if fault in PACKED:
        _corrupt_pack(answer, fault, request.image_ids)
    text = quirks.change_answer(fault, answer)
    if fault is Fault.BROKEN_ANSWER:
        return ReplyText(text[: len(text) // 3])  # with less missing, it could still be read
    if fault is Fault.CUTOFF:
        return ReplyText(text[: len(text) // 2], cut=True)
    if request.max_output_tokens and count_tokens(text) > request.max_output_tokens:
        return ReplyText(text[: request.max_output_tokens * CHARS_PER_TOKEN], cut=True)
    return ReplyText(text)


def _corrupt_pack(answer: Any, fault: Fault, image_ids: Sequence[str]) -> None:
    """Remove the entry of one picture, or give it the number of another, which then has two verdicts."""
    match answer:
        case {"pictures": [_, _, *_] as entries}:
            lost, doubled = generator("pack", *image_ids).sample(range(len(entries)), 2)
            if fault is Fault.PACK_DOUBLED:
                entries[lost]["picture"] = entries[doubled]["picture"]
            else:
                del entries[lost]
