"""The values of the project: posters, zones, views, verdicts, outcomes, estimates.

Rectangles are fractions of the poster's width and height, origin top-left, y down.
Percentages are 0-100. Money is US dollars. Times are seconds, instants are UTC.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from redzone.errors import ErrorCode, ModelFault


class Status(StrEnum):
    """The result for a poster."""

    PASS = "pass"
    FAIL = "fail"
    UNSURE = "unsure"
    ERROR = "error"

    @property
    def sign(self) -> str:
        """One character, so that it is never shown by colour alone."""
        return _SIGNS[self]


_SIGNS = {Status.PASS: "✓", Status.FAIL: "✗", Status.UNSURE: "?", Status.ERROR: "!"}


class Source(StrEnum):
    """Where a verdict comes from."""

    MODEL = "model"
    LOCAL = "local"
    CACHE = "cache"
    DUPLICATE = "duplicate"


class ElementKind(StrEnum):
    """Kinds of key element."""

    TEXT = "text"
    LOGO = "logo"
    FACE = "face"


class ViewKind(StrEnum):
    """How the poster is shown to a model."""

    CROP = "crop"
    POSTER = "poster"
    PIXELS = "pixels"


class Wording(StrEnum):
    """The form of the question."""

    FULL = "full"
    SIMPLE = "simple"


@dataclass(frozen=True, slots=True)
class Poster:
    """One usable row of the input. `row` counts from 1 over all inputs of the run."""

    row: int
    id: str
    image: str
    title: str = ""
    group: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BadRow:
    """An unusable row; it gets an `input` error as its outcome and is never skipped."""

    row: int
    reason: str
    id: str = ""
    title: str = ""
    group: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)


Row = Poster | BadRow


class Frozen(BaseModel):
    """Base of the values that enter or leave the process."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Percent = Annotated[float, Field(ge=0.0, le=100.0)]


class Zone(Frozen):
    """A named rectangle of the poster, in fractions of its width and height."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")
    x: Fraction
    y: Fraction
    w: Annotated[float, Field(gt=0.0, le=1.0)]
    h: Annotated[float, Field(gt=0.0, le=1.0)]

    @model_validator(mode="after")
    def _inside(self) -> Self:
        if self.x + self.w > 1.0 + 1e-9 or self.y + self.h > 1.0 + 1e-9:
            raise ValueError(f"zone {self.name} exceeds the poster: x+w and y+h must be at most 1")
        return self


class Box(Frozen):
    """A rectangle of the poster, in fractions of its width and height."""

    x: Fraction
    y: Fraction
    w: Fraction
    h: Fraction


class Element(Frozen):
    """One key element in a zone."""

    kind: ElementKind
    label: str = ""
    box: Box | None = None


class ZoneVerdict(Frozen):
    """A model's answer about one zone."""

    name: str
    contains_key_elements: bool
    confidence_pct: Percent
    elements: tuple[Element, ...] = ()
    justification: str = ""

    @property
    def contradictory(self) -> bool:
        """Whether elements are listed although the zone is called free; such a verdict is never sure."""
        return bool(self.elements) and not self.contains_key_elements


class Tokens(Frozen):
    """The tokens of all attempts together, as the provider reports them."""

    input: int = Field(default=0, ge=0)
    output: int = Field(default=0, ge=0)

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(input=self.input + other.input, output=self.output + other.output)

    def split(self, parts: int) -> tuple[Tokens, ...]:
        """As many shares of whole tokens, as even as possible; their sum is the total."""
        if parts == 1:
            return (self,)
        return tuple(
            Tokens(input=(self.input + part) // parts, output=(self.output + part) // parts)
            for part in range(parts)
        )


class Timing(Frozen):
    """How a poster's time was spent, seconds. `wait_s` is the wait for the rate limit."""

    fetch_s: float = 0.0
    wait_s: float = 0.0
    model_s: float = 0.0
    total_s: float = 0.0


class ErrorDetail(Frozen):
    """Why a poster has no verdict."""

    code: ErrorCode
    message: str
    retryable: bool


class Outcome(Frozen):
    """The recorded result of one row. `strategy` names the retry step that brought it."""

    row: int = Field(ge=1)
    id: str
    title: str = ""
    group: str = ""
    image: str = ""
    status: Status
    zones: tuple[ZoneVerdict, ...] = ()
    source: Source | None = None
    strategy: str | None = None
    model: str | None = None
    attempts: int = Field(default=0, ge=0)
    tokens: Tokens = Tokens()
    cost_usd: float = Field(default=0.0, ge=0.0)
    timing: Timing = Timing()
    image_sha256: str | None = None
    error: ErrorDetail | None = None
    finished_at: datetime

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        judged = self.status in (Status.PASS, Status.FAIL)
        if (self.status is Status.ERROR and self.error is None) or (judged and self.error is not None):
            raise ValueError(f"row {self.row}: status {self.status} contradicts error {self.error}")
        return self


# Prefix in place of an image's hash if the view was made without the whole file.
VIEW_PREFIX = "view:"


@dataclass(frozen=True, slots=True)
class ZoneMark:
    """Where a zone is in a view, and the colour of its border. Fractions of the view's width and height."""

    left: float
    top: float
    right: float
    bottom: float
    colour: str


@dataclass(frozen=True, slots=True)
class View:
    """What a model is shown. `data` is a JPEG for crop and poster, and for pixels the raw
    (height, width, 3) uint8 sRGB array of the whole upright poster, row by row. `marks` has one entry for
    each zone, in the zones' order, where borders are drawn."""

    kind: ViewKind
    data: bytes
    width: int
    height: int
    marks: tuple[ZoneMark, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Identifies the picture without its whole file: VIEW_PREFIX and the sha256 of `data`."""
        return VIEW_PREFIX + hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class Question:
    """The question of one attempt: a view, its zones, the wording and the model."""

    view: View
    zones: tuple[Zone, ...]
    wording: Wording
    model: str


@dataclass(frozen=True, slots=True)
class Allowance:
    """The rate limits in one response; None where it has none.

    `reset_*_s` is the time until the limit is fully available again, seconds.
    """

    limit_requests: int | None = None
    remaining_requests: int | None = None
    reset_requests_s: float | None = None
    limit_tokens: int | None = None
    remaining_tokens: int | None = None
    reset_tokens_s: float | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """The result of one attempt: one verdict per zone in the question's order, or the fault.

    `tokens` is what the provider reports, for unreadable answers too; `tokens_known` is False where it
    reports nothing usable for an answer that may be billed.
    """

    result: tuple[ZoneVerdict, ...] | ModelFault
    model: str
    tokens: Tokens = field(default_factory=Tokens)
    allowance: Allowance | None = None
    tokens_known: bool = True


class RunEstimate(Frozen):
    """The estimate of a run that has not begun. Costs are None if the price is unknown; `seconds` follows
    from the bottleneck: workers, processor or a given limit."""

    rows: int
    bad_rows: int
    duplicates: int
    cached: int
    requests: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    most_cost_usd: float | None
    seconds: float
    held_back_by: str
    missing_files: int = 0
    notes: tuple[str, ...] = ()
