"""The faults that the simulator can inject, and the choice of the requests that they affect."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from enum import StrEnum

from redzone.bench.simulator.seeded_random import fraction
from redzone.errors import SettingsInvalid


class Fault(StrEnum):
    """A kind of fault: common ones of the model and the image side, then quirks of particular servers."""

    HTTP500 = "http500"
    HTTP503 = "http503"
    RESET = "reset"
    STALL = "stall"
    STALL_ALWAYS = "stall_always"
    HALF = "half"
    BROKEN_JSON = "broken_json"
    BROKEN_ANSWER = "broken_answer"
    REFUSAL = "refusal"
    EMPTY = "empty"
    CUTOFF = "cutoff"
    SLOW_DOWN = "slow_down"
    PACK_MISSING = "pack_missing"
    PACK_DOUBLED = "pack_doubled"
    DEAD = "dead"
    IMAGE_HTTP500 = "image_http500"
    IMAGE_RESET = "image_reset"
    IMAGE_STALL = "image_stall"
    IMAGE_TRUNCATED = "image_truncated"
    IMAGE_DRIP = "image_drip"
    IMAGE_HTML = "image_html"
    IMAGE_HALF = "image_half"

    # error responses of the model
    QUOTA_TYPE = "quota_type"
    HTTP402 = "http402"
    BUDGET_400 = "budget_400"
    KEY_400 = "key_400"
    NO_VISION = "no_vision"
    DAY_LIMIT = "day_limit"
    RETRY_TEXT = "retry_text"
    RETRY_DATE = "retry_date"
    RETRY_DELAY = "retry_delay"
    TOO_LARGE = "too_large"
    CONTENT_FILTER = "content_filter"
    MODERATION = "moderation"
    HTML_403 = "html_403"
    REDIRECT = "redirect"
    NO_MAX_TOKENS = "no_max_tokens"
    NO_STORE = "no_store"
    NO_FORMAT = "no_format"
    NO_DETAIL = "no_detail"
    # 2xx responses that differ from the API's
    ERROR_200 = "error_200"
    FAILED_200 = "failed_200"
    EMPTY_200 = "empty_200"
    HTTP201 = "http201"
    GZIP = "gzip"
    NO_USAGE = "no_usage"
    NEGATIVE_USAGE = "negative_usage"
    FRACTIONAL_USAGE = "fractional_usage"
    PARTS = "parts"
    REASONING = "reasoning"
    # answers that are nearly right
    FENCED = "fenced"
    PROSE = "prose"
    THINK = "think"
    THINK_UNOPENED = "think_unopened"
    TRAILING_COMMA = "trailing_comma"
    JSON_STRING = "json_string"
    TWO_OBJECTS = "two_objects"
    BARE_ZONES = "bare_zones"
    ZONE_CASE = "zone_case"
    OTHER_KIND = "other_kind"
    FRACTION = "fraction"
    PERCENT = "percent"
    CONTRADICTION = "contradiction"
    PLAIN_REFUSAL = "plain_refusal"
    # error responses of the image server
    IMAGE_HTTP429 = "image_http429"
    IMAGE_HTTP503 = "image_http503"


# Quirks of particular servers. ALL excludes them: some of them end a run.
QUIRKS = frozenset(list(Fault)[list(Fault).index(Fault.IMAGE_HALF) + 1 :])
IMAGE_SIDE = tuple(fault for fault in Fault if fault is Fault.DEAD or fault.startswith("image_"))
MODEL_SIDE = tuple(fault for fault in Fault if fault not in IMAGE_SIDE)
# These affect every request about a poster or picture; the others affect one request, so a retry may succeed.
PERMANENT = frozenset({Fault.DEAD, Fault.STALL_ALWAYS})
# These need several pictures in one request. ALL excludes them: without packs they would have no effect.
PACKED = frozenset({Fault.PACK_MISSING, Fault.PACK_DOUBLED})
COMMON = tuple(fault for fault in Fault if fault not in PACKED | QUIRKS)
ALL = "all"


def parse_fault(text: str) -> tuple[Fault, float]:
    """Parse `kind=share`, a share of the requests from 0 to 1. Raises SettingsInvalid."""
    kind, _, share = text.partition("=")
    try:
        return Fault(kind.strip()), _parse_share(text, share)
    except ValueError:
        raise SettingsInvalid(
            f"fault {text!r}: unknown kind {kind!r}; use one of {', '.join(Fault)}, or {ALL}=share for all"
        ) from None


def parse_faults(texts: Iterable[str]) -> dict[Fault, float]:
    """Parse several `kind=share`; `all=0.05` spreads 5 % of the requests of each side evenly over its
    common kinds. Shares of the same kind are added. Raises SettingsInvalid."""
    shares: dict[Fault, float] = {}
    for text in texts:
        kind, _, share = text.partition("=")
        if kind.strip() == ALL:
            whole = _parse_share(text, share)
            sides = [[fault for fault in side if fault in COMMON] for side in (MODEL_SIDE, IMAGE_SIDE)]
            parts = [(fault, whole / len(side)) for side in sides for fault in side]
        else:
            parts = [parse_fault(text)]
        for fault, part in parts:
            shares[fault] = shares.get(fault, 0.0) + part
    check_shares(shares)
    return shares


def check_shares(shares: Mapping[Fault, float]) -> None:
    """Raise SettingsInvalid unless the shares of each side are at least 0 and add up to at most 1."""
    for name, side in (("model", MODEL_SIDE), ("image", IMAGE_SIDE)):
        own = [shares.get(fault, 0.0) for fault in side]
        if min(own) < 0 or sum(own) > 1 + 1e-9:
            raise SettingsInvalid(
                f"faults of the {name} side: shares {own}; each must be at least 0, their sum at most 1"
            )


def choose_fault(shares: Mapping[Fault, float], seed: int, subject: str, occurrence: int) -> Fault | None:
    """Return the fault of the `occurrence`-th request about the subject, or None.

    `shares` are those of one side. Permanent kinds depend on the subject only. Deterministic.
    """
    for fault in PERMANENT & shares.keys():
        if fraction(seed, fault, subject) < shares[fault]:
            return fault
    draw = fraction(seed, "fault", subject, occurrence)
    for fault, share in shares.items():
        if fault in PERMANENT:
            continue
        if draw < share:
            return fault
        draw -= share
    return None


def _parse_share(text: str, share: str) -> float:
    try:
        value = float(share)
    except ValueError:
        value = math.nan
    if not 0.0 <= value <= 1.0:
        raise SettingsInvalid(f"fault {text!r}: use kind=share with a share from 0 to 1, such as reset=0.05")
    return value
