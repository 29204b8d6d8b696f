"""Shared by all commands: options, output streams, settings and the home folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from redzone.config.loader import Loaded

HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        help="Folder for runs and cache. [default: nearest .redzone/ in this or a parent folder]",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace existing files that redzone did not write.")
]
RunArgument = Annotated[str, typer.Argument(metavar="RUN_ID", help="Run id or a unique prefix of it.")]


def stderr() -> Console:
    """The console for messages to people; stdout is for data."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """Prints one line to stderr, without markup."""
    if sys.stderr is None:  # print would take stdout
        return
    try:
        print(text, file=sys.stderr)  # noqa: T201
    except OSError:  # the terminal is closed: nobody reads this, and the run must still end in order
        from redzone.commands.system_errors import abandon

        abandon(sys.stderr)


def print_json(value: object) -> None:
    """Prints one JSON document to stdout."""
    print(json.dumps(value, indent=2, default=str, ensure_ascii=False))  # noqa: T201


def load_settings(given: Mapping[str, Any] | None = None) -> Loaded:
    """Loads the settings from all sources. Raises SettingsInvalid."""
    from redzone.config.loader import load

    return load(given or {})


def resolve_home(loaded: Loaded) -> Path:
    """The home folder: from the settings, else the nearest `.redzone/` in this or a parent folder."""
    from redzone.runs import find_home

    return find_home(loaded.settings.home, None, Path.cwd())


def home_for(home: Path | None) -> Path:
    """The home folder for a command whose only setting is `--home`."""
    return resolve_home(load_settings({"home": home}))
