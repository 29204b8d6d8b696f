"""Outcomes to write down."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from redzone.errors import ErrorCode
from redzone.models import ErrorDetail, Outcome, Source, Status, Tokens

NOON = datetime(2026, 10, 3, 12, 0, 0, 250_000, UTC)


def outcome(row: int, status: Status = Status.PASS, **changes: Any) -> Outcome:
    """A whole outcome that cost a tenth of a cent."""
    fault = ErrorDetail(code=ErrorCode.FETCH_HTTP_404, message="not there", retryable=False)
    values: dict[str, Any] = {
        "row": row,
        "id": f"{row:04}",
        "title": "The Long Way Up",
        "image": f"https://posters.example/{row}.jpg",
        "status": status,
        "source": Source.MODEL,
        "strategy": "crop",
        "model": "gpt-6-luna",
        "attempts": 1,
        "tokens": Tokens(input=400, output=80),
        "cost_usd": 0.001,
        "finished_at": NOON,
        "error": fault if status is Status.ERROR else None,
    }
    return Outcome(**(values | changes))
