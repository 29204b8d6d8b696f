"""The simulator's rate limits. Pure: every call gets the time, in seconds of one clock.

Requests per minute are enforced in one of three ways, all used by real servers:

- quantised: fixed windows of one second, each with its share of the minute (600 per minute are
  10 in every second); below 60 per minute one request in every 60/limit seconds.
- rolling: at most the limit in any 60 seconds.
- bucket: a full minute's limit at once, refilled evenly.

Tokens per minute use the rolling log with `rolling` and the bucket otherwise, because a second's share of
the tokens is often smaller than one request.

A rejected request also counts as a request (but takes no tokens). Its cost is bounded: with `quantised` by
the next window's share, with `rolling` by the limit, with `bucket` by a debt of one minute's limit. So a
client that keeps retrying gets nothing meanwhile, and for at most one window (a second or a minute) after.
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
    """How a server enforces a limit per minute."""

    QUANTISED = "quantised"
    ROLLING = "rolling"
    BUCKET = "bucket"


class LimitScope(StrEnum):
    """The limit that rejected a request."""

    REQUESTS = "requests"
    TOKENS = "tokens"


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """The limits per minute; None is no limit. Raises ValueError for a limit below 1."""

    requests_per_min: int | None = None
    tokens_per_min: int | None = None
    enforcement: Enforcement = Enforcement.ROLLING

    def __post_init__(self) -> None:
        for name, limit in (("requests", self.requests_per_min), ("tokens", self.tokens_per_min)):
            if limit is not None and limit < 1:
                raise ValueError(f"{name} per minute: {limit}; a limit must be at least 1, or None")


@dataclass(frozen=True, slots=True)
class Admitted:
    """The request is admitted. `tokens` is the charge before the answer."""

    tokens: Charge | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The request is rejected. Without other requests it would be admitted `retry_after_s` seconds later,
    unless it needs more tokens than the limit."""

    scope: LimitScope
    retry_after_s: float


def _request_counter(limits: ServerLimits) -> RateCounter | None:
    if limits.requests_per_min is None:
        return None
    styles: dict[Enforcement, type[QuantisedCounter] | type[RollingCounter] | type[BucketCounter]] = {
        Enforcement.QUANTISED: QuantisedCounter,
        Enforcement.ROLLING: RollingCounter,
        Enforcement.BUCKET: BucketCounter,
    }
    return styles[limits.enforcement](limits.requests_per_min)


def _token_counter(limits: ServerLimits) -> RateCounter | None:
    if limits.tokens_per_min is None:
        return None
    rolling = limits.enforcement is Enforcement.ROLLING
    return RollingCounter(limits.tokens_per_min) if rolling else BucketCounter(limits.tokens_per_min)


class RateGate:
    """Admits or rejects requests, and knows what is left of the limits."""

    def __init__(self, limits: ServerLimits) -> None:
        self._requests = _request_counter(limits)
        self._tokens = _token_counter(limits)

    def admit(self, tokens: int, now_s: float) -> Admitted | Rejected:
        """Charge one request and its tokens, or count a rejection. `tokens` is the estimate of the input plus
        the maximum of the output."""
        scope = self._exceeded_limit(tokens, now_s)
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
        """Replace the tokens charged before the answer with those used."""
        if self._tokens and admitted.tokens:
            self._tokens.correct(admitted.tokens, tokens, now_s)

    def allowance(self, now_s: float) -> Allowance:
        """Return the limits, what is left of them now, and seconds until they are fully available."""
        requests, tokens = self._requests, self._tokens
        return Allowance(
            limit_requests=requests.limit if requests else None,
            remaining_requests=requests.room(now_s) if requests else None,
            reset_requests_s=requests.full_in_s(now_s) if requests else None,
            limit_tokens=tokens.limit if tokens else None,
            remaining_tokens=tokens.room(now_s) if tokens else None,
            reset_tokens_s=tokens.full_in_s(now_s) if tokens else None,
        )

    def _exceeded_limit(self, tokens: int, now_s: float) -> LimitScope | None:
        if self._requests and self._requests.room(now_s) < 1:
            return LimitScope.REQUESTS
        if self._tokens and self._tokens.room(now_s) < tokens:
            return LimitScope.TOKENS
        return None
