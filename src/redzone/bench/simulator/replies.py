"""Writes responses of both model APIs, in the shapes that openai 3.54 parses, and rate limit headers."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redzone.bench.simulator.faults import Fault
from redzone.bench.simulator.quirks import change_body
from redzone.bench.simulator.requests import ModelEndpoint, ModelRequest, count_tokens
from redzone.models import Allowance

MODELS = ("gpt-6-luna", "simulated-vision")


@dataclass(frozen=True, slots=True)
class ReplyText:
    """The text or refusal of an answer, and whether it was cut off."""

    text: str | None
    refusal: str | None = None
    cut: bool = False

    @property
    def tokens(self) -> int:
        """Output tokens, estimated from the length."""
        return count_tokens(self.text or self.refusal or "")


def write_answer(
    request: ModelRequest, reply: ReplyText, number: int, created: datetime, fault: Fault | None = None
) -> bytes:
    """Return the body of a 200 response, as the fault changes it."""
    write = _write_response if request.api is ModelEndpoint.RESPONSES else _write_completion
    body = write(request, reply, number, int(created.timestamp()))
    return json.dumps(change_body(fault, body)).encode()


def write_models(created_s: int) -> bytes:
    """Return the body of GET /v1/models."""
    models = [
        {"id": name, "object": "model", "created": created_s, "owned_by": "simulator"} for name in MODELS
    ]
    return json.dumps({"object": "list", "data": models}).encode()


def rate_headers(allowance: Allowance) -> list[tuple[str, str]]:
    """Return the x-ratelimit-* headers of the limits that are set."""
    limits = {
        "requests": (allowance.limit_requests, allowance.remaining_requests, allowance.reset_requests_s),
        "tokens": (allowance.limit_tokens, allowance.remaining_tokens, allowance.reset_tokens_s),
    }
    headers = []
    for scope, (limit, remaining, reset_s) in limits.items():
        if limit is not None and reset_s is not None:
            headers += [
                (f"x-ratelimit-limit-{scope}", str(limit)),
                (f"x-ratelimit-remaining-{scope}", str(remaining)),
                (f"x-ratelimit-reset-{scope}", write_duration(reset_s)),
            ]
    return headers


def write_duration(seconds: float) -> str:
    """Format a duration like Go, rounded up to a millisecond: 120ms, 1s, 1.5s, 6m0s, 1h0m0s."""
    total_ms = math.ceil(round(seconds * 1000, 3))
    if 0 < total_ms < 1000:
        return f"{total_ms}ms"
    minutes, rest_ms = divmod(total_ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest_ms / 1000:g}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def retry_headers(retry_after_s: float) -> list[tuple[str, str]]:
    """Return both retry headers, rounded up so that a client that waits exactly that long is not rejected by
    a rounding error."""
    after_ms = math.floor(retry_after_s * 1000 + 1e-3) + 1
    return [("retry-after", str(math.ceil(after_ms / 1000))), ("retry-after-ms", str(after_ms))]


def _write_response(request: ModelRequest, reply: ReplyText, number: int, created_s: int) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    if reply.refusal is not None:
        content.append({"type": "refusal", "refusal": reply.refusal})
    elif reply.text is not None:
        content.append({"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []})
    status = "incomplete" if reply.cut else "completed"
    message = {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": content,
    }
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": created_s,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if reply.cut else None,
        "instructions": None,
        "max_output_tokens": request.max_output_tokens,
        "model": request.model,
        "output": [message] if content else [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": request.input_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": reply.tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": request.input_tokens + reply.tokens,
        },
    }


def _write_completion(request: ModelRequest, reply: ReplyText, number: int, created_s: int) -> dict[str, Any]:
    message = {"role": "assistant", "content": reply.text, "refusal": reply.refusal}
    finish = "length" if reply.cut else "stop"
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": created_s,
        "model": request.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": request.input_tokens,
            "completion_tokens": reply.tokens,
            "total_tokens": request.input_tokens + reply.tokens,
        },
    }
