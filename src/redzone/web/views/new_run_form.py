"""The form of a new run: parsing, validation by field, and the command it stands for. The only I/O is a check
of the path."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode

from redzone.errors import UsageError
from redzone.inputs import STDIN
from redzone.runs import RunRecord
from redzone.text import clean
from redzone.web.services.uploads import Uploads, upload_reference
from redzone.zones import PRESETS as PRESET_ZONES
from redzone.zones import parse_zone

T = TypeVar("T")
OwnZones = Mapping[str, tuple[float, float, float, float]]

# name of a field -> option of `redzone analyze`, for values that are passed unchanged
_TEXT_OPTIONS = {
    "provider": "--provider",
    "model": "--model",
    "workers": "--workers",
    "rpm": "--rpm",
    "tpm": "--tpm",
    "max_cost": "--max-cost",
    "label": "--name",
}
FIELDS = ("list", "uploaded", "preset", "other_zones", "partial", *_TEXT_OPTIONS)
PRESETS = ("medium", "small")  # without one: the whole list, with the workers of the settings
PROVIDERS = ("auto", "openai", "local")
_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class RunForm:
    """The fields as submitted, so that the page can show them again."""

    values: Mapping[str, str] = field(default_factory=dict)
    zones: tuple[str, ...] = ("red",)

    @classmethod
    def of(cls, pairs: Sequence[tuple[str, str]]) -> RunForm:
        """The known fields among these pairs, stripped of whitespace and control characters."""
        shown = [(name, clean(value).strip()[:_LONGEST]) for name, value in pairs]
        values = {name: value for name, value in shown if name in FIELDS}
        return cls(values, tuple(value for name, value in shown if name == "zone"))

    def get(self, name: str) -> str:
        """A field's text; empty if it is not filled in."""
        return self.values.get(name, "")

    def replaced(self, **values: str) -> RunForm:
        """The form with other values in some fields."""
        return RunForm({**self.values, **values}, self.zones)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The pairs that `of` parses back into an equal form."""
        filled = [(name, value) for name, value in self.values.items() if value]
        return [*filled, *(("zone", zone) for zone in self.zones)]

    @property
    def digest(self) -> str:
        """A hash that is equal for equal forms."""
        return hashlib.sha256(json.dumps(sorted(self.pairs)).encode()).hexdigest()[:16]


class RunFormFaults(Exception):
    """Invalid fields: the reason by field name."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__("; ".join(reasons.values()))
        self.reasons = dict(reasons)


def again(record: RunRecord) -> str:
    """The URL of the form with the values of this run; of the empty form if its input was not one path."""
    paths = record.inputs.paths
    if len(paths) != 1 or paths[0] == STDIN:
        return "/new"
    preset = [zone.name for zone in record.zones if PRESET_ZONES.get(zone.name) == zone]
    others = [zone for zone in record.zones if zone.name not in preset]
    uploaded = upload_reference(paths[0])
    values = {
        "list": "" if uploaded else paths[0],
        "uploaded": uploaded,
        "other_zones": " ".join(
            f"{zone.name}={zone.x:g},{zone.y:g},{zone.w:g},{zone.h:g}" for zone in others
        ),
        "provider": record.provider,
        "model": record.model if record.provider == "openai" else "",
        "label": record.label,
    }
    return f"/new?{urlencode(RunForm(values, tuple(preset)).pairs)}"


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A new run: its list or folder, and the arguments of `redzone analyze`."""

    source: Path
    arguments: tuple[str, ...]

    @property
    def command(self) -> str:
        """The command line for a terminal."""
        return shlex.join(("redzone", *(argument for argument in self.arguments if argument != "--")))


def plan_run(form: RunForm, uploads: Uploads, own_zones: OwnZones) -> PlannedRun:
    """The run that a form describes. Raises RunFormFaults with every invalid field."""
    reasons: dict[str, str] = {}

    def checked(name: str, check: Callable[[], T]) -> T | None:
        try:
            return check()
        except (UsageError, ValueError) as error:
            reasons[name] = str(error)
            return None

    source = checked("list", lambda: _source(form, uploads))
    zones = checked("zones", lambda: _zones(form, own_zones)) or ()
    checked("preset", lambda: _choice(form.get("preset"), PRESETS))
    checked("provider", lambda: _choice(form.get("provider"), PROVIDERS))
    checked("workers", lambda: _workers(form.get("workers")))
    checked("rpm", lambda: _count(form.get("rpm")))
    checked("tpm", lambda: _count(form.get("tpm")))
    checked("max_cost", lambda: _usd(form.get("max_cost")))
    if reasons or source is None:
        raise RunFormFaults(reasons)
    options = [f"--preset={form.get('preset')}"] if form.get("preset") else []
    options += [f"{option}={form.get(name)}" for name, option in _TEXT_OPTIONS.items() if form.get(name)]
    options += [f"--zone={zone}" for zone in zones]
    options += ["--partial-download"] if form.get("partial") else []
    # the path last and after `--`, so that it is never an option
    return PlannedRun(source, ("analyze", *options, "--", str(source)))


def _source(form: RunForm, uploads: Uploads) -> Path:
    named = form.get("list")
    if named:
        try:
            path = Path(named).expanduser().absolute()
            path.stat()
        except RuntimeError as error:
            raise ValueError(f"{named}: no such user") from error
        except OSError as error:
            raise ValueError(f"{named} cannot be read on this machine: {error.strerror}") from error
        return path
    if form.get("uploaded"):
        return uploads.path(form.get("uploaded"))
    raise ValueError("upload a list, or enter a path on this machine")


def _zones(form: RunForm, own: OwnZones) -> tuple[str, ...]:
    zones = (*form.zones, *form.get("other_zones").split())
    if not zones:
        raise ValueError("choose at least one zone")
    names = [parse_zone(zone, own).name for zone in zones]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled:
        raise ValueError(f"zone {doubled} is given twice")
    return zones


def _choice(text: str, known: tuple[str, ...]) -> None:
    if text and text not in known:
        raise ValueError(f"choose one of {', '.join(known)}")


def _workers(text: str) -> None:
    if text and text != "auto" and not _is_count(text):
        raise ValueError("must be a whole number from 1, or auto")


def _count(text: str) -> None:
    if text and not _is_count(text):
        raise ValueError("must be a whole number from 1")


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 12 and int(text) >= 1


def _usd(text: str) -> None:
    try:
        usable = not text or 0 <= float(text) < 1e9
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("must be an amount in dollars, such as 2.50")
