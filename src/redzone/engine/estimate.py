"""What a run would take: requests, tokens, money and time, without sending anything."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from redzone import imaging
from redzone.cache import Cache, CacheKey
from redzone.models import BadRow, Question, Row, RunEstimate, Tokens, View, Wording
from redzone.net.urls import url_scheme
from redzone.plan import GUESSED_WORKING_S, LOCAL_SPARE_WORKERS, RunPlan, workers_needed
from redzone.vision.interface import VisionModel

ASSUMED_POSTER_PX = (1000, 1500)
EXPECTED_OUTPUT_TOKENS = 120  # a justification and one or two elements a zone
LOCAL_S_PER_POSTER = 0.25  # of one processor, measured


@dataclass(frozen=True, slots=True)
class Basis:
    """What an estimate is made from."""

    plan: RunPlan
    cache_key: CacheKey
    model: VisionModel


async def estimate(rows: Iterator[Row], cache: Cache, basis: Basis) -> RunEstimate:
    """Count the rows that are new, cached or duplicates, and estimate what the new ones take.

    A picture counts as cached if the cache knows its address or, for a file, its content. The size of a
    picture is not known without a download; 1000x1500 px is assumed.
    """
    total = bad = duplicates = cached = missing = 0
    seen: set[bytes] = set()
    for row in rows:
        total += 1
        if isinstance(row, BadRow):
            bad += 1
            continue
        reference = hashlib.blake2b(row.image.encode("utf-8", "surrogatepass"), digest_size=12).digest()
        if reference in seen:
            duplicates += 1
            continue
        seen.add(reference)
        if _is_missing(row.image):
            missing += 1
            continue
        cached += await _is_cached(row.image, cache, basis.cache_key)
    found = _add_up(total, bad, duplicates, cached, missing, basis)
    return found.model_copy(update={"missing_files": missing})


def _is_missing(image: str) -> bool:
    try:
        return not url_scheme(image) and not Path(image).is_file()
    except (OSError, ValueError):
        return True


async def _is_cached(image: str, cache: Cache, cache_key: CacheKey) -> bool:
    known = await cache.known_url(image)
    sha256 = known.sha256 if known else _file_sha256(image)
    return sha256 is not None and await cache.verdict(cache_key.key(sha256)) is not None


def _file_sha256(image: str) -> str | None:
    path = Path(image)
    try:
        if "://" in image or not path.is_file():
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return None


def _add_up(  # noqa: PLR0913  counts of one kind
    total: int, bad: int, duplicates: int, cached: int, missing: int, basis: Basis
) -> RunEstimate:
    plan, model = basis.plan, basis.model
    settings = plan.settings
    asked = total - bad - duplicates - cached - missing
    pack = min(plan.pack, max(1, asked))
    requests = -(-asked // pack)
    kind = settings.view if settings.view in model.views else model.views[0]
    width, height = imaging.view_size(*ASSUMED_POSTER_PX, plan.zones, kind)
    question = Question(View(kind, b"", width, height), plan.zones, Wording.FULL, plan.provider.model)
    each = model.estimate(*[question] * pack)
    expected = Tokens(
        input=requests * each.input_tokens,
        output=requests * min(each.output_tokens, EXPECTED_OUTPUT_TOKENS * len(plan.zones) * pack),
    )
    most = Tokens(input=expected.input, output=requests * each.output_tokens)
    times = {"workers": asked * GUESSED_WORKING_S / _workers(plan)}
    if not model.paid:
        times = {"processor": asked * LOCAL_S_PER_POSTER / max(1, plan.max_workers - LOCAL_SPARE_WORKERS)}
    if settings.requests_per_min:
        times["requests per minute"] = max(0, requests - 1) / settings.requests_per_min * 60
    if settings.tokens_per_min:
        times["tokens per minute"] = (expected.input + expected.output) / settings.tokens_per_min * 60
    held_back_by = max(times, key=lambda name: times[name])
    return RunEstimate(
        rows=total,
        bad_rows=bad,
        duplicates=duplicates,
        cached=cached,
        requests=requests,
        input_tokens=expected.input,
        output_tokens=expected.output,
        cost_usd=plan.price.cost_usd(expected) if plan.price else None,
        most_cost_usd=plan.price.cost_usd(most) if plan.price else None,
        seconds=times[held_back_by],
        held_back_by=held_back_by,
    )


def _workers(plan: RunPlan) -> int:
    return plan.workers or workers_needed(
        plan.settings.requests_per_min, GUESSED_WORKING_S, plan.max_workers, plan.pack
    )
