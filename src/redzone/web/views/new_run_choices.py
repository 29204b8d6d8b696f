"""The choices of the new run form and its defaults. Blocking: reads the settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from redzone.config.loader import load
from redzone.config.settings import Settings
from redzone.errors import SettingsInvalid
from redzone.models import Zone
from redzone.runs import RunRecord
from redzone.web.views.new_run_form import OwnZones
from redzone.zones import PRESETS

_MOST = 12


@dataclass(frozen=True, slots=True)
class FormChoices:
    """The settings in force, the provider that `auto` means and why, zones, and lists and models of earlier
    runs. `fault` is why the settings cannot be read; the choices are then the defaults."""

    settings: Settings
    auto: str
    zones: tuple[Zone, ...]
    lists: tuple[str, ...]
    models: tuple[str, ...]
    fault: str = ""


def own_zones() -> OwnZones:
    """The zones of redzone.toml. Raises SettingsInvalid."""
    return load({}).settings.zone


def form_choices(records: Sequence[RunRecord], home: Path) -> FormChoices:
    """The choices, with lists and models of these runs."""
    try:
        settings, fault = load({}).settings, ""
    except SettingsInvalid as error:
        settings, fault = Settings(), str(error)
    own = (Zone(name=name, x=x, y=y, w=w, h=h) for name, (x, y, w, h) in settings.zone.items())
    used = (record.model for record in records if record.provider == "openai")
    return FormChoices(
        settings=settings,
        auto=_auto(settings),
        zones=tuple({zone.name: zone for zone in (*PRESETS.values(), *own)}.values()),
        lists=_first(_lists(home / "uploads", records)),
        models=_first((settings.model, *used)),
        fault=fault,
    )


def _auto(settings: Settings) -> str:
    # half a second to import, for one line of one page
    from redzone.plan import choose_provider

    try:
        provider = choose_provider(settings.model_copy(update={"provider": "auto"}))
    except SettingsInvalid as error:
        return str(error)
    judge = "the local model" if provider.name == "local" else provider.model
    return f"{judge}, since {provider.reason}"


def _lists(uploads: Path, records: Iterable[RunRecord]) -> Iterable[str]:
    for record in records:
        for path in record.inputs.paths:
            if Path(path).is_absolute() and uploads not in Path(path).parents:
                yield path


def _first(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))[:_MOST]
