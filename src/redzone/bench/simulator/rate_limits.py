"""The simulator's rate limits. Pure: every call is handed the time, in seconds of one clock.

Requests per minute are enforced in one of three styles, each of which real servers use:

- quantised: fixed windows of one second, each with its share of the minute (600 per minute are
  10 in every second); below 60 per minute one request in every 60/limit seconds.
- rolling: at most the limit in any 60 seconds.
- bucket: a full minute's allowance at once, refilled evenly.

Tokens per minute follow the rolling log under `rolling` and the bucket otherwise, because a second's
share of the tokens is often smaller than one request.

A rejected request counts as a request, too (and takes no tokens). What rejections take is bounded:
under `quantised` they take at most the next window's allowance, under `rolling` at most as many
slots as the limit has, under `bucket` they run up a debt of at most one minute's allowance. So a
storm starves itself while it lasts, and for at most one window (a second, or a minute) after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from redzone.bench.simulator.rate_counters import (
    BucketCounter,
    Charge,
    QuantisedCounter,
    RateCounter,
    RollingCounter,
)
from redzone.models import Allowance


class Enforcement(StrEnum):
    """How a server turns a limit per minute into yes or no."""

    QUANTISED = "quantised"
    ROLLING = "rolling"
    BUCKET = "bucket"


class LimitScope(StrEnum):
    """Which of the two limits said no."""

    REQUESTS = "requests"
    TOKENS = "tokens"


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """The allowance per minute; None is no limit. Raises ValueError for a limit below 1."""

    requests_per_min: int | None = None
    tokens_per_min: int | None = None
    enforcement: Enforcement = Enforcement.ROLLING

    def __post_init__(self) -> None:
        for name, limit in (("requests", self.requests_per_min), ("tokens", self.tokens_per_min)):
            if limit is not None and limit < 1:
                raise ValueError(f"{name} per minute: {limit}; a limit is at least 1, none is None")


@dataclass(frozen=True, slots=True)
class Admitted:
    """The request may go on. `tokens` is what was charged up front."""

    tokens: Charge | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The request must come back. Alone, it is admitted `retry_after_s` seconds later, unless it
    asks for more tokens than the limit."""

    scope: LimitScope
    retry_after_s: float


def _request_meter(limits: ServerLimits) -> RateCounter | None:
    if limits.requests_per_min is None:
        return None
    styles: dict[Enforcement, type[QuantisedCounter] | type[RollingCounter] | type[BucketCounter]] = {
        Enforcement.QUANTISED: QuantisedCounter,
        Enforcement.ROLLING: RollingCounter,
        Enforcement.BUCKET: BucketCounter,
    }
    return styles[limits.enforcement](limits.requests_per_min)


def _token_meter(limits: ServerLimits) -> RateCounter | None:
    if limits.tokens_per_min is None:
        return None
    rolling = limits.enforcement is Enforcement.ROLLING
    return RollingCounter(limits.tokens_per_min) if rolling else BucketCounter(limits.tokens_per_min)


class RateGate:
    """Says yes or no to each request, and what is left."""

    def __init__(self, limits: ServerLimits) -> None:
        self._requests = _request_meter(limits)
        self._tokens = _token_meter(limits)

    def admit(self, tokens: int, now_s: float) -> Admitted | Rejected:
        """Take one request and its tokens, or count a rejection. `tokens` is the estimate of the
        input plus the most that may come out."""
        scope = self._obstacle(tokens, now_s)
        if scope is None:
            if self._requests:
                self._requests.charge(1, now_s)
            return Admitted(self._tokens.charge(tokens, now_s) if self._tokens else None)
        if self._requests:
            self._requests.punish(now_s)
        wait_s = self._requests.wait_s(1, now_s) if self._requests else 0.0
        if self._tokens:
            wait_s = max(wait_s, self._tokens.wait_s(tokens, now_s))
        return Rejected(scope, wait_s)

    def settle(self, admitted: Admitted, tokens: int, now_s: float) -> None:
        """Put the tokens really used in the place of those charged up front."""
        if self._tokens and admitted.tokens:
            self._tokens.correct(admitted.tokens, tokens, now_s)

    def allowance(self, now_s: float) -> Allowance:
        """What the headers say: what is left right now, and seconds until all of it is back."""
        requests, tokens = self._requests, self._tokens
        return Allowance(
            limit_requests=requests.limit if requests else None,
            remaining_requests=requests.room(now_s) if requests else None,
            reset_requests_s=requests.full_in_s(now_s) if requests else None,
            limit_tokens=tokens.limit if tokens else None,
            remaining_tokens=tokens.room(now_s) if tokens else None,
            reset_tokens_s=tokens.full_in_s(now_s) if tokens else None,
        )

    def _obstacle(self, tokens: int, now_s: float) -> LimitScope | None:
        if self._requests and self._requests.room(now_s) < 1:
            return LimitScope.REQUESTS
        if self._tokens and self._tokens.room(now_s) < tokens:
            return LimitScope.TOKENS
        return None
