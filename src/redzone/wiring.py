"""RunPlan -> Pipeline. The only module that knows the concrete classes."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from redzone import imaging
from redzone.cache import Cache, CacheKey
from redzone.clock import LoopClock
from redzone.config.settings import Settings
from redzone.engine.limits import Budget, CircuitBreaker
from redzone.engine.retry_policy import RetryPolicy
from redzone.limiter import Limiter, Limits
from redzone.models import Outcome, ViewKind
from redzone.net import Fetcher, FetchOptions
from redzone.pipeline import Options, Parts, Pipeline
from redzone.plan import RunPlan
from redzone.runs import RunFolder
from redzone.runs.journal import Journal, Recorder
from redzone.telemetry.metrics import Metrics, RunFacts
from redzone.telemetry.metrics_log import MetricsLog
from redzone.telemetry.reporter import Reporter
from redzone.vision.interface import VisionModel

CACHE_NAME = "cache.sqlite"
RECENT_IMAGE_BYTES = 16_000_000  # rows with the same address are often neighbours


@dataclass(frozen=True, slots=True)
class Job:
    """One run to carry out: its folder, the home it shares, its plan, and how many rows it has."""

    folder: RunFolder
    home: Path
    plan: RunPlan
    rows: int


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who hears of a run. `outcome` gets each outcome after it is on disk, `notice` a sentence for people."""

    outcome: Callable[[Outcome], Awaitable[None]]
    notice: Callable[[str], None]


@asynccontextmanager
async def assemble(
    job: Job, journal: Journal, listeners: Listeners
) -> AsyncIterator[tuple[Pipeline, Metrics]]:
    """A pipeline ready to run, and its metrics.

    Everything is closed at the end of the block, the journal's recorder after the workers, so that answers
    which are paid for reach the disk.
    """
    plan, clock, random = job.plan, LoopClock(), Random()  # noqa: S311  jitter
    settings = plan.settings
    metrics = Metrics(clock, job.rows, _facts(plan))
    limits = Limits(
        settings.requests_per_min,
        settings.tokens_per_min,
        settings.request_delay_ms / 1000,
        probe=not plan.local,
    )
    async with (
        _model_and_cache(job, listeners.notice) as (model, cache),
        Fetcher(_fetch_options(plan), clock, random) as fetcher,
        Recorder(journal) as recorder,
        MetricsLog(job.folder.metrics_path) as metrics_log,
    ):
        limiter = Limiter(limits, clock)
        parts = Parts(
            fetcher=fetcher,
            model=model,
            limiter=limiter,
            cache=cache,
            recorder=recorder,
            metrics=metrics,
            budget=Budget(settings.max_cost_usd, journal.index.most_spent_usd),
            breaker=CircuitBreaker(settings.breaker_failures, settings.breaker_s, clock),
            clock=clock,
            random=random,
            reporter=Reporter(
                metrics, limiter, clock, (metrics_log.write,), settings.stuck_after_s, listeners.notice
            ),
            listener=listeners.outcome,
        )
        retry = retry_policy(plan, model)
        options = Options(
            run_id=job.folder.id,
            zones=plan.zones,
            retry=retry,
            cache_key=cache_key(plan, model),
            min_confidence_pct=settings.min_confidence_pct,
            workers=plan.workers,
            max_workers=plan.max_workers,
            pack=plan.pack,
            deadline_s=settings.deadline_s,
            framing=imaging.FramingOptions(
                max_pixels=settings.max_image_pixels,
                decode_bytes=settings.decode_memory_mb * 1_000_000,
            ),
            # the other views are of the whole poster
            partial_download=settings.partial_download and retry.views[0] is ViewKind.CROP,
        )
        # last: it competes for the interpreter with all that goes before the first poster
        model.warm_up()
        yield Pipeline(parts, options), metrics


def vision_model(plan: RunPlan, notice: Callable[[str], None]) -> VisionModel:
    """The model that the plan's provider names."""
    if plan.local:
        from redzone.vision.local.model import LocalModel

        return LocalModel()
    from redzone.vision.openai.client import OpenAIOptions, OpenAIVision

    settings = plan.settings
    options = OpenAIOptions(
        api_key=settings.api_key() or "none",
        base_url=settings.openai_base_url,
        timeout_s=settings.model_timeout_s,
        max_output_tokens=settings.max_output_tokens,
        max_connections=plan.connections,
        prices=plan.prices,
        max_hold_s=settings.max_hold_s,
    )
    return OpenAIVision(options, notice)


def retry_policy(plan: RunPlan, model: VisionModel) -> RetryPolicy:
    """The steps: the chosen view first, wider ones after it, then the fallback model."""
    views = model.views
    if plan.settings.view in views:
        views = views[views.index(plan.settings.view) :]
    return RetryPolicy(views, plan.models, plan.settings.max_attempts, plan.pack > 1)


def cache_key(plan: RunPlan, model: VisionModel) -> CacheKey:
    """What a cached verdict must agree with."""
    settings, name = plan.settings, plan.provider.name
    provider = f"{name} {settings.openai_base_url}" if settings.openai_base_url else name
    view = settings.view if settings.view in model.views else ViewKind.PIXELS
    # the same picture may be judged differently when other pictures are beside it
    prompt = f"{model.prompt_version} pack {plan.pack}" if plan.pack > 1 else model.prompt_version
    return CacheKey(plan.zones, view, imaging.FRAMING_VERSION, prompt, provider, plan.provider.model)


def open_cache(settings: Settings, home: Path, folder: Path | None = None) -> Cache:
    """The home's cache; with the cache switched off one of the run's own, so that no picture is paid for
    twice even then."""
    place = home if settings.enable_cache or folder is None else folder
    return Cache(place / CACHE_NAME, settings.cache_expiry_hours * 3600, time.time)


def _facts(plan: RunPlan) -> RunFacts:
    return RunFacts(
        cpus=os.cpu_count() or 1,
        local=plan.local,
        cache_on=plan.settings.enable_cache,
        pack=plan.pack,
        delay_ms=plan.settings.request_delay_ms,
        budget_usd=plan.settings.max_cost_usd,
        priced=all(model in plan.prices for model in plan.models),
    )


@asynccontextmanager
async def _model_and_cache(
    job: Job, notice: Callable[[str], None]
) -> AsyncIterator[tuple[VisionModel, Cache]]:
    """Both read files when they are made, so a thread makes them."""
    model = await asyncio.to_thread(vision_model, job.plan, notice)
    try:
        cache = await asyncio.to_thread(open_cache, job.plan.settings, job.home, job.folder.path)
        try:
            yield model, cache
        finally:
            await asyncio.to_thread(cache.close)
    finally:
        await model.aclose()


def _fetch_options(plan: RunPlan) -> FetchOptions:
    settings = plan.settings
    return FetchOptions(
        total_timeout_s=settings.fetch_timeout_s,
        max_bytes=settings.max_image_bytes,
        retries=settings.fetch_retries,
        max_per_s=settings.images_per_s,
        pool_maxsize=max(settings.http_pool_maxsize, plan.connections),
        pool_keepalive=settings.http_pool_connections,
        allow_private_hosts=settings.allow_private_hosts,
        user_agent=settings.image_user_agent,
        referer=settings.image_referer,
        breaker_failures=settings.breaker_failures,
        recent_bytes=RECENT_IMAGE_BYTES,
    )
