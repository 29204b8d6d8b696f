"""Settings -> Pipeline. The only module that knows concrete classes."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal

import aiofiles

from redzone import imaging
from redzone.cache import Cache, CacheKey
from redzone.clock import LoopClock
from redzone.config.settings import Settings
from redzone.engine.limits import Budget, CircuitBreaker
from redzone.engine.retry_policy import RetryPolicy
from redzone.errors import SettingsInvalid
from redzone.limiter import Limiter, Limits
from redzone.models import ViewKind, Zone
from redzone.net import Fetcher, FetchOptions
from redzone.pipeline import Options, Parts, Pipeline
from redzone.runs import RunFolder
from redzone.runs.journal import Journal, Recorder
from redzone.telemetry.metrics import Metrics, RunFacts, Snapshot
from redzone.telemetry.metrics_log import render_line
from redzone.telemetry.reporter import Reporter
from redzone.vision.interface import VisionModel
from redzone.vision.openai.prices import Price, price_of
from redzone.zones import parse_zone

CACHE_NAME = "cache.sqlite"
MOST_WORKERS = 2000
RECENT_IMAGE_BYTES = 16_000_000  # rows with the same address are often neighbours
LOCAL_SPARE_WORKERS = 2  # while the processors judge, these fetch


@dataclass(frozen=True, slots=True)
class Provider:
    """Who judges, and why."""

    name: Literal["openai", "local"]
    model: str
    reason: str


def choose_provider(settings: Settings) -> Provider:
    """What `--provider auto` means here. Raises SettingsInvalid for openai without a key or an address."""
    key, url = settings.api_key(), settings.openai_base_url
    if settings.provider == "local":
        return Provider("local", "local", "as asked")
    if settings.provider == "openai":
        if key is None and url is None:
            raise SettingsInvalid(
                "provider openai needs OPENAI_API_KEY (or --base-url of a compatible server); "
                "without a key, --provider local judges on this machine"
            )
        return Provider("openai", settings.model, "as asked")
    if key is None and url is None:
        return Provider("local", "local", "no OPENAI_API_KEY and no base URL is set")
    return Provider(
        "openai", settings.model, f"a base URL is set ({url})" if url else "OPENAI_API_KEY is set"
    )


def ensure_usable(settings: Settings, provider: Provider) -> None:
    """Raise before a run begins, not at its first poster: ModelFilesMissing, or SettingsInvalid for a budget
    without a price."""
    if provider.name == "local":
        from redzone.vision.local.model import ensure_installed

        ensure_installed()
    from redzone.outbound import check_environment

    check_environment()
    known = prices(settings, provider)
    unpriced = [model for model in models(settings, provider) if model not in known]
    if settings.max_cost_usd is not None and unpriced:
        raise SettingsInvalid(
            f"max_cost_usd: the price of {unpriced[0]} is not known; "
            "set input_usd_per_mtok and output_usd_per_mtok"
        )


def parse_zones(settings: Settings) -> tuple[Zone, ...]:
    """The zones to judge. Raises SettingsInvalid for an unknown or doubled one."""
    zones = tuple(parse_zone(text, settings.zone) for text in settings.zones)
    if not zones:
        raise SettingsInvalid("zones: name at least one, such as --zone red")
    names = [zone.name for zone in zones]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled:
        raise SettingsInvalid(f"zones: {doubled} is named twice")
    return zones


def models(settings: Settings, provider: Provider) -> tuple[str, ...]:
    """The models in the order in which they are asked: the fallback model is the last."""
    fallback = settings.fallback_model if provider.name == "openai" else None
    return (provider.model,) if fallback in (None, provider.model) else (provider.model, fallback)


def prices(settings: Settings, provider: Provider) -> dict[str, Price]:
    """What each model costs, as far as it is known: by the settings for all of them, else by the price list.

    Raises SettingsInvalid where only one of the two prices is set.
    """
    given = (settings.input_usd_per_mtok, settings.output_usd_per_mtok)
    if None not in given:
        return dict.fromkeys(models(settings, provider), Price(given[0] or 0.0, given[1] or 0.0))
    if given != (None, None):
        raise SettingsInvalid("set both input_usd_per_mtok and output_usd_per_mtok, or neither")
    if provider.name == "local":
        return {provider.model: Price(0.0, 0.0)}
    listed = ((model, price_of(model)) for model in models(settings, provider))
    return {model: price for model, price in listed if price is not None}


def vision_model(
    settings: Settings, provider: Provider, connections: int, notice: Callable[[str], None]
) -> VisionModel:
    """The model behind a provider's name."""
    if provider.name == "local":
        from redzone.vision.local.model import LocalModel

        return LocalModel()
    from redzone.vision.openai.client import OpenAIOptions, OpenAIVision

    options = OpenAIOptions(
        api_key=settings.api_key() or "none",
        base_url=settings.openai_base_url,
        timeout_s=settings.model_timeout_s,
        max_output_tokens=settings.max_output_tokens,
        max_connections=connections,
        prices=prices(settings, provider),
    )
    return OpenAIVision(options, notice)


def retry_policy(settings: Settings, model: VisionModel, provider: Provider) -> RetryPolicy:
    """The rungs: the asked view first, wider ones after it, then the fallback model."""
    views = model.views
    if settings.view in views:
        views = views[views.index(settings.view) :]
    packed = pack_size(settings, provider) > 1
    return RetryPolicy(views, models(settings, provider), settings.max_attempts, packed)


def pack_size(settings: Settings, provider: Provider) -> int:
    """How many posters are asked about in one request; the local model knows no requests."""
    return settings.pack if provider.name == "openai" else 1


def asked(settings: Settings, zones: tuple[Zone, ...], model: VisionModel, provider: Provider) -> CacheKey:
    """What a cached verdict must agree with."""
    name = f"{provider.name} {settings.openai_base_url}" if settings.openai_base_url else provider.name
    view = settings.view if settings.view in model.views else ViewKind.PIXELS
    pack = pack_size(settings, provider)
    # beside other pictures the same picture may be judged otherwise
    prompt = f"{model.prompt_version} pack {pack}" if pack > 1 else model.prompt_version
    return CacheKey(zones, view, imaging.FRAMING_VERSION, prompt, name, provider.model)


def open_cache(settings: Settings, home: Path, folder: Path | None = None) -> Cache:
    """The home's cache; with the cache switched off one of the run's own, so that no picture is paid for
    twice even then."""
    place = home if settings.enable_cache or folder is None else folder
    return Cache(place / CACHE_NAME, settings.cache_expiry_hours * 3600, time.time)


def worker_bounds(settings: Settings, provider: Provider) -> tuple[int | None, int]:
    """The fixed number of workers or None for auto, and the most that there can be."""
    if isinstance(settings.workers, int):
        return settings.workers, settings.workers
    if provider.name == "local":
        workers = (os.cpu_count() or 1) + LOCAL_SPARE_WORKERS
        return workers, workers
    return None, min(MOST_WORKERS, settings.max_workers * settings.pack)


@dataclass(frozen=True, slots=True)
class Job:
    """One run to carry out: where it lies, what it was told, who judges which zones, how many rows."""

    folder: RunFolder
    home: Path
    settings: Settings
    provider: Provider
    zones: tuple[Zone, ...]
    rows: int


@asynccontextmanager
async def assemble(
    job: Job, journal: Journal, notice: Callable[[str], None]
) -> AsyncIterator[tuple[Pipeline, Metrics]]:
    """A pipeline ready to run, and its metrics. Everything is closed at the end of the block, the journal's
    recorder after the crew, so that answers which are paid for reach the disk."""
    settings, clock, random = job.settings, LoopClock(), Random()  # noqa: S311  jitter
    workers, most = worker_bounds(settings, job.provider)
    pack = pack_size(settings, job.provider)
    connections = -(-most // pack)
    metrics = Metrics(clock, job.rows, _facts(settings, job.provider))
    limits = Limits(
        settings.requests_per_min,
        settings.tokens_per_min,
        settings.request_delay_ms / 1000,
        probe=job.provider.name != "local",
    )
    async with (
        _model_and_cache(job, connections, notice) as (model, cache),
        Fetcher(_fetch_options(settings, connections), clock, random) as fetcher,
        Recorder(journal) as recorder,
        aiofiles.open(job.folder.metrics_path, "a", encoding="utf-8") as metrics_file,
    ):

        async def write_metrics(snapshot: Snapshot) -> None:
            await metrics_file.write(render_line(snapshot))
            await metrics_file.flush()

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
            reporter=Reporter(metrics, limiter, clock, (write_metrics,), settings.stuck_after_s),
        )
        retry = retry_policy(settings, model, job.provider)
        options = Options(
            run_id=job.folder.id,
            zones=job.zones,
            retry=retry,
            asked=asked(settings, job.zones, model, job.provider),
            min_confidence_pct=settings.min_confidence_pct,
            workers=workers,
            max_workers=most,
            pack=pack,
            deadline_s=settings.deadline_s,
            framing=imaging.FramingOptions(max_pixels=settings.max_image_pixels),
            # the other views are of the whole poster
            partial_download=settings.partial_download and retry.views[0] is ViewKind.CROP,
        )
        # last: it competes for the interpreter with all that goes before the first poster
        model.warm_up()
        yield Pipeline(parts, options), metrics


def _facts(settings: Settings, provider: Provider) -> RunFacts:
    return RunFacts(
        cpus=os.cpu_count() or 1,
        local=provider.name == "local",
        cache_on=settings.enable_cache,
        pack=pack_size(settings, provider),
        delay_ms=settings.request_delay_ms,
        budget_usd=settings.max_cost_usd,
    )


@asynccontextmanager
async def _model_and_cache(
    job: Job, connections: int, notice: Callable[[str], None]
) -> AsyncIterator[tuple[VisionModel, Cache]]:
    """Both read files when they are made, so a thread makes them."""
    model = await asyncio.to_thread(vision_model, job.settings, job.provider, connections, notice)
    try:
        cache = await asyncio.to_thread(open_cache, job.settings, job.home, job.folder.path)
        try:
            yield model, cache
        finally:
            await asyncio.to_thread(cache.close)
    finally:
        await model.aclose()


def _fetch_options(settings: Settings, workers: int) -> FetchOptions:
    return FetchOptions(
        total_timeout_s=settings.fetch_timeout_s,
        max_bytes=settings.max_image_bytes,
        retries=settings.fetch_retries,
        max_per_s=settings.images_per_s,
        pool_maxsize=max(settings.http_pool_maxsize, workers),
        pool_keepalive=settings.http_pool_connections,
        allow_private_hosts=settings.allow_private_hosts,
        user_agent=settings.image_user_agent,
        referer=settings.image_referer,
        breaker_failures=settings.breaker_failures,
        recent_bytes=RECENT_IMAGE_BYTES,
    )
