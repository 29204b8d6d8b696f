"""Settings, resolved once: who judges which zones, at what prices, how many posters at a time."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from redzone.config.settings import Settings
from redzone.errors import SettingsInvalid
from redzone.models import Zone
from redzone.vision.openai.prices import Price, price_of
from redzone.zones import parse_zone

MAX_WORKERS = 2000
HEADROOM = 1.3
SPARE = 2
GUESSED_WORKING_S = 4.0
WITHOUT_A_LIMIT = 32
LOCAL_SPARE_WORKERS = 2  # they fetch while the processors judge


@dataclass(frozen=True, slots=True)
class Provider:
    """Who judges, and why."""

    name: Literal["openai", "local"]
    model: str
    reason: str


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a run's settings come to. Everything that makes a part of the run takes this.

    `models` are in the order in which they are asked, the fallback model last. `prices` has an entry for each
    model whose price is known. `pack` is the number of posters in one request. `workers` is None for auto,
    and then at most `max_workers`.
    """

    settings: Settings
    provider: Provider
    zones: tuple[Zone, ...]
    models: tuple[str, ...]
    prices: Mapping[str, Price]
    pack: int
    workers: int | None
    max_workers: int

    @property
    def local(self) -> bool:
        """Whether the model runs in this process."""
        return self.provider.name == "local"

    @property
    def price(self) -> Price | None:
        """The price of the first model, if it is known."""
        return self.prices.get(self.provider.model)

    @property
    def connections(self) -> int:
        """The most requests that are open at the same time."""
        return -(-self.max_workers // self.pack)

    @property
    def description(self) -> str:
        """Zones, model and the reason for it, for people."""
        zones = ", ".join(zone.name for zone in self.zones)
        model = "the local model" if self.local else f"openai {self.provider.model}"
        return f"zone {zones}, judged by {model} ({self.provider.reason})"


def make_plan(
    settings: Settings, provider: Provider | None = None, zones: tuple[Zone, ...] | None = None
) -> RunPlan:
    """Resolve the settings; a resumed run brings its own provider and zones.

    Raises SettingsInvalid, and ModelFilesMissing where the local model is not installed.
    """
    provider = provider or choose_provider(settings)
    models = _models(settings, provider)
    workers, max_workers = _worker_bounds(settings, provider)
    plan = RunPlan(
        settings=settings,
        provider=provider,
        zones=zones or parse_zones(settings),
        models=models,
        prices=_prices(settings, provider, models),
        # the local model has no requests to share
        pack=settings.pack if provider.name == "openai" else 1,
        workers=workers,
        max_workers=max_workers,
    )
    _check_usable(plan)
    return plan


def choose_provider(settings: Settings) -> Provider:
    """Who judges: what `provider` names, or what `auto` comes to here.

    Raises SettingsInvalid for openai without a key or an address.
    """
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
        return Provider("local", "local", "no OPENAI_API_KEY is set")
    return Provider(
        "openai", settings.model, f"a base URL is set ({url})" if url else "OPENAI_API_KEY is set"
    )


def parse_zones(settings: Settings) -> tuple[Zone, ...]:
    """The zones to judge. Raises SettingsInvalid for none, an unknown one, or one that is named twice."""
    zones = tuple(parse_zone(text, settings.zone) for text in settings.zones)
    if not zones:
        raise SettingsInvalid("zones: name at least one, such as --zone red")
    names = [zone.name for zone in zones]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled:
        raise SettingsInvalid(f"zones: {doubled} is named twice")
    return zones


def _models(settings: Settings, provider: Provider) -> tuple[str, ...]:
    fallback = settings.fallback_model if provider.name == "openai" else None
    return (provider.model,) if fallback in (None, provider.model) else (provider.model, fallback)


def _prices(settings: Settings, provider: Provider, models: tuple[str, ...]) -> dict[str, Price]:
    """By the settings for all models, else by the price list."""
    given = (settings.input_usd_per_mtok, settings.output_usd_per_mtok)
    if None not in given:
        return dict.fromkeys(models, Price(given[0] or 0.0, given[1] or 0.0))
    if given != (None, None):
        raise SettingsInvalid("set both input_usd_per_mtok and output_usd_per_mtok, or neither")
    if provider.name == "local":
        return {provider.model: Price(0.0, 0.0)}
    listed = ((model, price_of(model)) for model in models)
    return {model: price for model, price in listed if price is not None}


def _worker_bounds(settings: Settings, provider: Provider) -> tuple[int | None, int]:
    """The fixed number of workers, or None for auto, and the most that there can be."""
    if isinstance(settings.workers, int):
        return settings.workers, settings.workers
    if provider.name == "local":
        workers = (os.cpu_count() or 1) + LOCAL_SPARE_WORKERS
        return workers, workers
    return None, min(MAX_WORKERS, settings.max_workers * settings.pack)


def _check_usable(plan: RunPlan) -> None:
    """Fail before the run begins, not at its first poster."""
    from redzone.outbound import check_environment

    check_environment()
    if plan.local:
        from redzone.vision.local.model import ensure_installed

        ensure_installed()
    unpriced = [model for model in plan.models if model not in plan.prices]
    if plan.settings.max_cost_usd is not None and unpriced:
        raise SettingsInvalid(
            f"max_cost_usd: the price of {unpriced[0]} is not known; "
            "set input_usd_per_mtok and output_usd_per_mtok"
        )


def workers_needed(rate_per_min: float | None, working_s: float | None, most: int, pack: int = 1) -> int:
    """Posters in progress by Little's law: rate x seconds of work per poster, with headroom.

    The rate is that of requests, each about `pack` posters. Without a known rate a fixed number; without a
    measured time a guess of it. Never above `most`.
    """
    if rate_per_min is None:
        return min(most, WITHOUT_A_LIMIT * pack)
    busy = rate_per_min / 60 * pack * (working_s if working_s is not None else GUESSED_WORKING_S)
    return min(most, math.ceil(busy * HEADROOM) + SPARE)
