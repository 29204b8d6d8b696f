"""What a server's refusal means: for this poster, for the whole run, or for how long to wait. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from redzone.errors import (
    CredentialsRejected,
    ErrorCode,
    ModelFault,
    ModelUnknown,
    ModelUnsuitable,
    QuotaExhausted,
    Retry,
    WaitTooLong,
)
from redzone.vision.openai.refusals import MESSAGE_CHARS, Refusal

TRANSIENT_STATUSES = frozenset({408, 409, 425, 498, 499})


def _words(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_NO_CREDIT = _words(
    "insufficient[ _](?:balance|credits?|funds|quota)",
    "credit balance is too low",
    "billing hard limit",
    "budget has been exceeded",
    "check your billing details",
    "out of credits?",
    "account is not active",
)
_BAD_KEY = _words(
    r"(?:api[ _-]?key|token|credentials?) (?:is |was |has )?(?:not valid|invalid|incorrect|expired|missing)",
    r"(?:invalid|incorrect|missing|expired|no) (?:api[ _-]?key|authentication|credentials)",
)
_IMAGES = r"(?:images?|vision|visual|multi-?modal|image_url)\b"
# after "does not support images": what makes it a matter of this image's format
_OF_A_KIND = r"(?:format|type|larger|of|with|size|dimension|detail|that|above|over|in)"
_NO_VISION = _words(
    r"(?:(?:does|do|can|is|are)(?: not|n't|not)|\bnot|can't) (?:support|accept|handle|process|read)\w* "
    r"(?:\w+ ){0,2}"
    rf"{_IMAGES}(?!/)(?!\s*(?:urls?|inputs?|content)?\s*{_OF_A_KIND})",
    r"(?:image|vision) (?:(?:inputs?|content|modality|urls?) )?(?:is|are) not (?:supported|enabled|available)"
    r"(?! in this)",
    "no endpoints found that support image",
    "is not a (?:multi-?modal|vision) model",
    "at most 0 image",
    r"\bmmproj\b",
    "unknown variant `?image_url",
    "no (?:image|vision) support",
)
_MODERATION = _words(
    "moderation|flagged|inappropriate content|responsible ai|prohibited content|usage polic",
    "content[ _](?:policy|filter|management)",
    "safety (?:system|policy|filter|reason)",
)
_ABOUT_ACCOUNT = _words("account", "organi[sz]ation", "your key")
_A_DAY = _words("per[ -]day", r"\b[rt]pd\b", "daily", "per[ -]month", "monthly")
_TOO_LARGE = _words("request (?:is )?too large", "maximum context length", "prompt is too long")
_THIS_IMAGE = _words(
    "(?:image|picture|photo|base64).*(?:too small|too large|at least|pixels?|dimension|format|invalid)",
    "(?:image|picture|photo|base64).*(?:decode|corrupt|parse|download|process)",
    "(?:invalid|corrupt|unsupported|malformed|parse|decode|process|download).{0,20}image",
)
_CREDIT_CODES = frozenset(
    {"insufficient_quota", "budget_exceeded", "insufficient_balance", "insufficient_credits"}
)
_KEY_CODES = frozenset(
    {"api_key_invalid", "invalid_api_key", "incorrect_api_key", "authentication_error", "unauthenticated"}
    | {"token_expired"}
)
_MODERATION_CODES = frozenset(
    {"content_filter", "moderation_blocked", "content_policy_violation", "responsibleaipolicyviolation"}
    | {"safety", "prohibited_content", "data_inspection_failed", "content_filtered", "moderation"}
)


def is_moderation(refusal: Refusal) -> bool:
    """Whether the server rejects this picture for what it shows."""
    if refusal.status not in (400, 403, 422, 451, 500) or refusal.html:
        return False
    if refusal.codes & _MODERATION_CODES:
        return True
    if refusal.status == 500 or _ABOUT_ACCOUNT.search(refusal.words):
        return False
    return _MODERATION.search(refusal.words) is not None


def _is_credit(refusal: Refusal) -> bool:
    if refusal.status >= 500:
        return False
    named = refusal.codes & _CREDIT_CODES or any(code.startswith("billing_") for code in refusal.codes)
    # Google words a limit per minute as an exceeded quota, with a delay
    in_words = refusal.hold_s is None and _NO_CREDIT.search(refusal.words)
    return refusal.status == 402 or bool(named or in_words)


def _is_bad_key(refusal: Refusal) -> bool:
    if refusal.status == 401:
        return True
    in_words = not refusal.html and _BAD_KEY.search(refusal.words)
    return refusal.status in (400, 403) and bool(refusal.codes & _KEY_CODES or in_words)


def _is_blind(refusal: Refusal) -> bool:
    return 400 <= refusal.status <= 501 and not refusal.html and bool(_NO_VISION.search(refusal.words))


def is_unmistakable(refusal: Refusal) -> bool:
    """Whether it cannot be about the route or a parameter of the request."""
    about_model = "model_not_found" in refusal.codes
    waits = refusal.status == 429 or refusal.hold_s is not None
    return (
        about_model
        or waits
        or is_moderation(refusal)
        or _is_credit(refusal)
        or _is_bad_key(refusal)
        or _is_blind(refusal)
    )


@dataclass(frozen=True, slots=True)
class ReactionContext:
    """What a reaction depends on besides the refusal: the model asked, the longest wait, the time."""

    model: str
    max_hold_s: float
    now: datetime


def react(refusal: Refusal, context: ReactionContext) -> ModelFault:
    """The fault of this attempt. Raises RunStopped where every further request would be refused too."""
    message = refusal.message
    if not is_moderation(refusal):
        _stop_if_final(refusal, context)
    if is_moderation(refusal):
        return ModelFault(ErrorCode.MODEL_REFUSED, f"the provider refused: {message}"[:MESSAGE_CHARS])
    if refusal.status == 429 and _TOO_LARGE.search(refusal.words):
        return ModelFault(ErrorCode.MODEL_REJECTED, message, refusal=refusal.kind)
    if refusal.status == 429 or (refusal.status in (503, 529) and refusal.hold_s is not None):
        return ModelFault(ErrorCode.MODEL_UNAVAILABLE, message, Retry.RATE_LIMIT, refusal.hold_s)
    if refusal.status >= 500 or refusal.status in TRANSIENT_STATUSES:
        return ModelFault(ErrorCode.MODEL_UNAVAILABLE, message, Retry.TRANSIENT, refusal.hold_s)
    if refusal.status < 300:
        text = f"the server sent {refusal.words}, not an answer: check --base-url, and whether to sign in"
        return ModelFault(ErrorCode.MODEL_UNREADABLE, text, Retry.TRANSIENT, refusal=refusal.kind)
    alike = not _THIS_IMAGE.search(f"{refusal.code.replace('_', ' ')} {refusal.words}")
    return ModelFault(ErrorCode.MODEL_REJECTED, message, refusal=refusal.kind if alike else "")


def _stop_if_final(refusal: Refusal, context: ReactionContext) -> None:
    """Raise where every further request would be refused too. `from None`: a cause quotes the response."""
    message = refusal.message
    if _is_credit(refusal):
        raise QuotaExhausted(f"{message}; add credit to the account, then run `redzone resume`") from None
    if _is_bad_key(refusal) or (refusal.status == 403 and refusal.json):
        raise CredentialsRejected(f"{message}; check OPENAI_API_KEY and its project's rights") from None
    if _is_blind(refusal):
        raise ModelUnsuitable(
            f"{message}; {context.model} cannot look at images: choose another --model"
        ) from None
    if refusal.status == 404 or "model_not_found" in refusal.codes:
        raise ModelUnknown(f"{message}; check --model {context.model} and --base-url") from None
    if refusal.hold_s is not None and refusal.hold_s > context.max_hold_s:
        until = context.now + timedelta(seconds=min(refusal.hold_s, 1e9))
        raise WaitTooLong(
            f"{message}; the server asks to wait until {until:%Y-%m-%d %H:%M} UTC: run `redzone resume` then"
        ) from None
    if refusal.status == 429 and refusal.hold_s is None and _A_DAY.search(refusal.words):
        raise WaitTooLong(f"{message}; run `redzone resume` when the limit is reset") from None
