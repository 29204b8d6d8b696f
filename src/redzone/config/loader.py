"""Loads the settings: command line > environment > `.env` > `redzone.toml` > default."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource, SettingsError

from redzone.config.settings import HIDDEN, Settings, variables
from redzone.errors import SettingsInvalid

CONFIG_NAME = "redzone.toml"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, and the source of each value by name."""

    settings: Settings
    origins: Mapping[str, str]


def find_config(start: Path) -> Path | None:
    """The nearest redzone.toml at or above a folder."""
    for folder in (start, *start.parents):
        if (folder / CONFIG_NAME).is_file():
            return folder / CONFIG_NAME
    return None


def load(
    given: Mapping[str, object], cwd: Path | None = None, recorded: Mapping[str, object] | None = None
) -> Loaded:
    """Loads the settings from all sources. `given` holds the command line's values by field name.

    `recorded` holds the settings of a run that is resumed. They take precedence over all other sources but
    `given`, and so do those that were recorded as unset.

    Raises SettingsInvalid with the setting, its source and the problem.
    """
    cwd = cwd or Path.cwd()
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    config = find_config(cwd)
    # lowest first: a later source overwrites
    for label, source in (
        (str(config), _toml(config) if config else {}),
        (str(cwd / ".env"), _dotenv(cwd / ".env")),
        ("env", _by_alias(EnvSettingsSource(Settings), "env")),
        ("run.json", _recorded(recorded or {})),
        ("command line", _given(given)),
    ):
        for name, (value, detail) in source.items():
            values[name] = value
            origins[name] = f"{label} {detail}".strip()
    try:
        settings = Settings(**values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = _field(str(first["loc"][0]) if first["loc"] else "settings")
        shown = "" if name in HIDDEN else f", not {first['input']!r}"
        reason = first["msg"].removeprefix("Value error, ")
        raise SettingsInvalid(
            f"{name}: {reason}{shown} (from {origins.get(name, 'default')}); "
            "`redzone config show` lists every setting"
        ) from error
    return Loaded(settings, {name: origins.get(name, "default") for name in Settings.model_fields})


_Found = dict[str, tuple[object, str]]


def _field(loc: str) -> str:
    """The field name of a location in a validation error, which may be an alias."""
    return next((name for name in Settings.model_fields if loc == name or loc in variables(name)), loc)


def _given(given: Mapping[str, object]) -> _Found:
    unknown = next((name for name in given if name not in Settings.model_fields), None)
    if unknown is not None:
        near = get_close_matches(unknown, Settings.model_fields, 1)
        hint = f"; did you mean {near[0]}?" if near else "; docs/settings.md lists them"
        raise SettingsInvalid(f"there is no setting {unknown!r}{hint}")
    return {name: (value, "") for name, value in given.items() if value is not None}


def _recorded(settings: Mapping[str, object]) -> _Found:
    return {name: (value, "") for name, value in settings.items() if name in Settings.model_fields}


def _toml(path: Path) -> _Found:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise SettingsInvalid(f"{path}: cannot be read as TOML: {error}") from error
    if "openai_api_key" in found:
        raise SettingsInvalid(
            f"{path}: API keys are not allowed in {CONFIG_NAME}; set OPENAI_API_KEY or openai_api_key_file"
        )
    unknown = sorted(set(found) - set(Settings.model_fields))
    if unknown:
        raise SettingsInvalid(f"{path}: unknown setting {unknown[0]!r}; see `redzone config show`")
    return {name: (value, "") for name, value in found.items()}


def _dotenv(path: Path) -> _Found:
    if not path.is_file():
        return {}
    try:
        source = DotEnvSettingsSource(Settings, env_file=path, env_file_encoding="utf-8")
    except (ValueError, OSError) as error:
        raise SettingsInvalid(f"{path}: cannot be read: {error}") from error
    return _by_alias(source, str(path))


def _by_alias(source: EnvSettingsSource, label: str) -> _Found:
    """Values by field name, each with the variable that it was read from. Raises SettingsInvalid."""
    # pydantic also reads bare field names (HOME, MODEL, ZONE), which belong to other programs: drop them
    ours = {variable for name in Settings.model_fields for variable in variables(name)}
    source.env_vars = {name: value for name, value in source.env_vars.items() if name.upper() in ours}
    present = {name.upper() for name, value in source.env_vars.items() if value}
    try:
        found = source()
    except SettingsError as error:
        raise SettingsInvalid(
            f"{label}: {error}; lists and tables are written as JSON: REDZONE_ZONES='[\"red\"]'"
        ) from error
    result: _Found = {}
    for name in Settings.model_fields:
        # pydantic reports every alias under the first one
        first, *_ = known = variables(name)
        variable = next((v for v in known if v in present), None)
        if variable is not None and first in found:
            result[name] = (found[first], variable)
    return result
