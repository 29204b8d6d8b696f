"""Prices and image tokens of models. The figures are data, `prices.json`, with their date."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from redzone.models import Tokens

PATCH_PX = 32
DEFAULT_PATCH_FACTOR = 1.2
_DATE = re.compile(r"-\d{4}-\d{2}-\d{2}$")


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per 1,000,000 tokens."""

    input_usd_per_mtok: float
    output_usd_per_mtok: float

    def cost_usd(self, tokens: Tokens) -> float:
        """The cost of these tokens."""
        usd = tokens.input * self.input_usd_per_mtok + tokens.output * self.output_usd_per_mtok
        return usd / 1_000_000


@cache
def _data() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(
        files(__package__).joinpath("prices.json").read_text(encoding="utf-8")
    )
    return loaded


@cache
def _entry(model: str) -> Mapping[str, Any]:
    """The entry of a model; a dated name (`gpt-6-luna-2026-09-01`) has that of its family."""
    models: Mapping[str, Mapping[str, Any]] = _data()["models"]
    return models.get(model) or models.get(_DATE.sub("", model)) or {}


def price_of(model: str) -> Price | None:
    """The list price of a model; None if it is not known."""
    entry = _entry(model)
    if "input_usd_per_mtok" not in entry:
        return None
    return Price(entry["input_usd_per_mtok"], entry["output_usd_per_mtok"])


def prices_as_of() -> str:
    """The date of the price list."""
    return str(_data()["as_of"])


def shutdown_of(model: str) -> date | None:
    """The announced day on which the provider shuts a model down; None if there is none."""
    day = _entry(model).get("shutdown")
    return date.fromisoformat(day) if day else None


def image_tokens(model: str, width: int, height: int) -> int:
    """The input tokens that a picture of this size (pixels) is billed as.

    Patches: ceil(w/32) x ceil(h/32) x factor. Tiles: scaled to fit 2048x2048, then the shorter side to
    768, then base + tile x 512 px squares. Both from OpenAI's "images and vision" page.
    """
    rule = _entry(model).get("image", {"rule": "patches", "factor": DEFAULT_PATCH_FACTOR})
    if rule["rule"] == "tiles":
        scale = min(1.0, 2048 / max(width, height))
        scale = min(scale, 768 / min(width * scale, height * scale) * scale)
        # rounded first: 900x1200 scaled to a height of 1024 px is 1024.0000000000001
        across, down = (math.ceil(round(side * scale / 512, 6)) for side in (width, height))
        tiles = across * down
        return int(rule["base"]) + tiles * int(rule["tile"])
    patches = math.ceil(width / PATCH_PX) * math.ceil(height / PATCH_PX)
    return math.ceil(patches * float(rule["factor"]))
