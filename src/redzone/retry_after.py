"""How long a server asks its clients to wait: one parser for image servers and model APIs. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_S = 366 * 86_400.0  # a longer wait is a mistake or an attack; arithmetic on it must not overflow

_NUMBER = re.compile(r"\d{1,15}(\.\d{0,15})?|\.\d{1,15}")


def read_retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds from `retry-after-ms`, else from `retry-after` (seconds, fractions, or an HTTP date).

    `headers` must find lower-case names. A date in the past is 0. None where no header is readable:
    negative, infinite and absurdly long values are not.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return _bounded(milliseconds / 1000)
    text = headers.get("retry-after")
    seconds = _number(text)
    return _bounded(seconds) if seconds is not None else _until(text, now)


def _number(text: str | None) -> float | None:
    return float(text) if text and _NUMBER.fullmatch(text.strip()) else None


def _until(text: str | None, now: datetime) -> float | None:
    if text is None:
        return None
    try:
        instant = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return _bounded(max(0.0, (instant - now).total_seconds()))


def _bounded(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) and seconds <= LONGEST_S else None
