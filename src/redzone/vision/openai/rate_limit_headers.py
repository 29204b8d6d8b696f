"""Reads the rate-limit headers of a response."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from redzone.models import Allowance
from redzone.retry_after import read_retry_after


def read_allowance(headers: Mapping[str, str]) -> Allowance | None:
    """The `x-ratelimit-*` headers as values; None if there are none."""
    allowance = Allowance(
        limit_requests=_int(headers.get("x-ratelimit-limit-requests")),
        remaining_requests=_int(headers.get("x-ratelimit-remaining-requests")),
        reset_requests_s=parse_duration_s(headers.get("x-ratelimit-reset-requests")),
        limit_tokens=_int(headers.get("x-ratelimit-limit-tokens")),
        remaining_tokens=_int(headers.get("x-ratelimit-remaining-tokens")),
        reset_tokens_s=parse_duration_s(headers.get("x-ratelimit-reset-tokens")),
    )
    return None if allowance == Allowance() else allowance


def _int(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"\s*\d{1,15}\s*", text) else None


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that the server asks us to wait; None if no header says so. Dates count from `now`."""
    return read_retry_after(headers, now or datetime.now(UTC))


_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = r"(\d{1,15}(?:\.\d{1,15})?)(ms|[smhd])"


def parse_duration_s(text: str | None) -> float | None:
    """Seconds of a duration such as `1s`, `6m0s` or `120ms`; None if it cannot be read."""
    if not text or not re.fullmatch(rf"(?:{_PART})+", text):
        return None
    return sum(float(number) * _UNITS_S[unit] for number, unit in re.findall(_PART, text))
