"""A row with its outcome and what people said of it since: the values that are shown and exported.

Reviews are events in the order in which they were written down. `undo` takes back the latest standing event
of the same person, never another person's. Of what stands, the latest judgement is the status, the latest
justification the justification, the latest note the note. A review is about the poster, not about one zone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AwareDatetime, BeforeValidator, Field, model_validator

from redzone.models import Frozen, Outcome, Poster, Row, Status

NAME_LIMIT = 100
TEXT_LIMIT = 4_000
_SURROGATE = re.compile("[\ud800-\udfff]")


def _whole(value: object) -> object:
    # half a character cannot be written as UTF-8
    return _SURROGATE.sub("\ufffd", value) if isinstance(value, str) else value


_Any = Annotated[str, BeforeValidator(_whole)]
_Text = Annotated[str, Field(max_length=TEXT_LIMIT), BeforeValidator(_whole)]
_Name = Annotated[str, Field(min_length=1, max_length=NAME_LIMIT), BeforeValidator(_whole)]


class Action(StrEnum):
    """What a person does to a poster's outcome."""

    JUDGE = "judge"
    JUSTIFY = "justify"
    NOTE = "note"
    UNDO = "undo"


class Review(Frozen):
    """One event: who did what to which poster, and when. `id` and `image` are the poster's, so that the event
    finds it again when rows are renumbered; `old_status` is the status that the person saw."""

    row: int = Field(ge=1)
    id: _Any = ""
    image: _Any = ""
    by: _Name
    at: AwareDatetime
    action: Action
    old_status: Status | None = None
    new_status: Status | None = None
    justification: _Text | None = None
    note: _Text | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        judges = self.new_status is not None
        if judges is not (self.action is Action.JUDGE) or self.new_status is Status.ERROR:
            raise ValueError(f"row {self.row}: {self.action} and new status {self.new_status} do not fit")
        if self.action is Action.JUSTIFY and self.justification is None:
            raise ValueError(f"row {self.row}: justify without a justification")
        if self.action is Action.NOTE and self.note is None:
            raise ValueError(f"row {self.row}: note without a note")
        if self.action is Action.UNDO and (self.justification, self.note) != (None, None):
            raise ValueError(f"row {self.row}: undo says nothing else")
        return self


def standing(reviews: Sequence[Review]) -> tuple[Review, ...]:
    """The events that nobody took back, in order. An undo without anything to take back does nothing."""
    stand: list[Review] = []
    for review in reviews:
        if review.action is not Action.UNDO:
            stand.append(review)
            continue
        mine = (place for place in reversed(range(len(stand))) if stand[place].by == review.by)
        latest = next(mine, None)
        if latest is not None:
            del stand[latest]
    return tuple(stand)


@dataclass(frozen=True, slots=True)
class ReviewedOutcome:
    """A row, the run's outcome (None while it is pending) and every review of it in order, taken back or not.
    A pending row has nothing to review."""

    row: Row
    outcome: Outcome | None
    reviews: tuple[Review, ...] = ()

    @property
    def status(self) -> Status | None:
        """The latest standing judgement, else the run's own; None while the row is pending."""
        if self.outcome is None:
            return None
        said = [review.new_status for review in standing(self.reviews) if review.new_status is not None]
        return said[-1] if said else self.outcome.status

    @property
    def original_status(self) -> Status | None:
        """The run's own, whatever anybody said; None while the row is pending."""
        return self.outcome.status if self.outcome is not None else None

    @property
    def justification(self) -> str:
        """The latest standing one that a person wrote, else the model's."""
        said = [one.justification for one in standing(self.reviews) if one.justification is not None]
        return said[-1] if said else self.original_justification

    @property
    def original_justification(self) -> str:
        """The model's words; of several zones each with the zone's name in front."""
        zones = self.outcome.zones if self.outcome is not None else ()
        if len(zones) == 1:
            return zones[0].justification
        return "; ".join(f"{zone.name}: {zone.justification}" for zone in zones)

    @property
    def judged(self) -> bool:
        """Whether the status is a person's."""
        return any(review.new_status is not None for review in standing(self.reviews))

    @property
    def reviewed(self) -> bool:
        """Whether a person's judgement or justification stands; a note alone is no review."""
        return self._latest is not None

    @property
    def reviewed_by(self) -> str | None:
        """Who judged or justified last."""
        return self._latest.by if self._latest is not None else None

    @property
    def reviewed_at(self) -> datetime | None:
        """When that was."""
        return self._latest.at if self._latest is not None else None

    @property
    def note(self) -> str | None:
        """The latest standing note."""
        said = [review.note for review in standing(self.reviews) if review.note is not None]
        return said[-1] if said else None

    @property
    def disagreed(self) -> bool:
        """Whether the last standing judgements of different people differ."""
        said = {one.by: one.new_status for one in standing(self.reviews) if one.new_status is not None}
        return len(set(said.values())) > 1

    @property
    def _latest(self) -> Review | None:
        words = [review for review in standing(self.reviews) if review.action is not Action.NOTE]
        return words[-1] if words else None

    def judge(self, by: str, at: datetime, status: Status, justification: str | None = None) -> Review:
        """The event of a person who says what the status is. Raises ValidationError for ERROR."""
        return self._event(by, at, Action.JUDGE, new_status=status, justification=justification)

    def justify(self, by: str, at: datetime, justification: str) -> Review:
        """The event of a person who writes the justification anew and leaves the status."""
        return self._event(by, at, Action.JUSTIFY, justification=justification)

    def annotate(self, by: str, at: datetime, note: str) -> Review:
        """The event of a person who leaves a note; an empty one clears it."""
        return self._event(by, at, Action.NOTE, note=note)

    def undo(self, by: str, at: datetime) -> Review:
        """The event of a person who takes back what they did last."""
        return self._event(by, at, Action.UNDO)

    def _event(self, by: str, at: datetime, action: Action, **said: str | Status | None) -> Review:
        image = self.row.image if isinstance(self.row, Poster) else ""
        about = {"row": self.row.row, "id": self.row.id, "image": image, "old_status": self.status}
        return Review.model_validate({**about, "by": by, "at": at, "action": action, **said})
