"""What every command shares: where it writes, where the home is, and how it ends."""

from __future__ import annotations

import errno
import json
import os
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
        "--home", help="Folder of runs and cache. [default: nearest .redzone/ upward]", show_default=False
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace existing files that redzone did not write.")
]
RunArgument = Annotated[str, typer.Argument(help="Run id, or a beginning of it that fits one run only.")]


def stderr() -> Console:
    """The console for people; stdout is for data."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """One line for people, on stderr, never read as markup."""
    print(text, file=sys.stderr)  # noqa: T201


def explain_os_error(error: OSError | ImportError) -> str | None:
    """The sentence and the next step for a machine that has run out of something; None for other errors."""
    place = f"{error.filename}: " if isinstance(error, OSError) and error.filename else ""
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.EMFILE, errno.ENFILE) or os.strerror(errno.EMFILE) in str(error):
        return "too many open files; allow more (`ulimit -n 4096`) or use fewer --workers, then try again"
    steps = {
        errno.ENOSPC: "free space on that disk, then try again (`redzone resume` continues a run)",
        errno.EDQUOT: "free space in your quota, then try again (`redzone resume` continues a run)",
        errno.EFBIG: "raise the limit on file sizes (`ulimit -f`)",
        errno.EROFS: "the disk is read-only; choose another --home or --output",
        errno.EBADF: "stdout is closed; redirect it to a file",
        errno.EIO: "check the disk",
    }
    return f"{place}{os.strerror(number)}; {steps[number]}" if number in steps else None


def print_json(value: object) -> None:
    """One JSON document on stdout."""
    print(json.dumps(value, indent=2, default=str, ensure_ascii=False))  # noqa: T201


def load_settings(given: Mapping[str, Any] | None = None) -> Loaded:
    """The settings from all sources. Raises SettingsInvalid."""
    from redzone.config.loader import load

    return load(given or {})


def resolve_home(loaded: Loaded) -> Path:
    """The home that the settings, or the folders upward, name."""
    from redzone.runs import find_home

    return find_home(loaded.settings.home, None, Path.cwd())


def home_for(home: Path | None) -> Path:
    """The home for a command that has only `--home`."""
    return resolve_home(load_settings({"home": home}))
