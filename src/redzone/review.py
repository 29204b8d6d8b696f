"""A row with its outcome and people's reviews of it: the values that are shown and exported.

Reviews are events in the order in which they were written. `undo` withdraws the latest event in effect of the
same person, never another person's. The latest status, justification and note in effect count. A review is
about the poster, not about one zone.
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


def _encodable(value: object) -> object:
    # a lone surrogate cannot be written as UTF-8
    return _SURROGATE.sub("\ufffd", value) if isinstance(value, str) else value


_Any = Annotated[str, BeforeValidator(_encodable)]
_Text = Annotated[str, Field(max_length=TEXT_LIMIT), BeforeValidator(_encodable)]
_Name = Annotated[str, Field(min_length=1, max_length=NAME_LIMIT), BeforeValidator(_encodable)]


class Action(StrEnum):
    """What a person does to a poster's outcome."""

    JUDGE = "judge"
    JUSTIFY = "justify"
    NOTE = "note"
    UNDO = "undo"


class Review(Frozen):
    """One event: who did what to which poster, and when. `id` and `image` are the poster's, so that the event
    stays with it when rows are renumbered; `old_status` is the status that the person saw."""

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
            raise ValueError(f"row {self.row}: {self.action} cannot have the new status {self.new_status}")
        if self.action is Action.JUSTIFY and self.justification is None:
            raise ValueError(f"row {self.row}: justify without a justification")
        if self.action is Action.NOTE and self.note is None:
            raise ValueError(f"row {self.row}: note without a note")
        if self.action is Action.UNDO and (self.justification, self.note) != (None, None):
            raise ValueError(f"row {self.row}: undo has no justification and no note")
        return self


def active_reviews(reviews: Sequence[Review]) -> tuple[Review, ...]:
    """The events that were not withdrawn, in order. An undo with nothing to withdraw does nothing."""
    active: list[Review] = []
    for review in reviews:
        if review.action is not Action.UNDO:
            active.append(review)
            continue
        own = (place for place in reversed(range(len(active))) if active[place].by == review.by)
        latest = next(own, None)
        if latest is not None:
            del active[latest]
    return tuple(active)


@dataclass(frozen=True, slots=True)
class ReviewedOutcome:
    """A row, the run's outcome (None while it is pending) and every review of it in order, withdrawn or not.
    A pending row cannot be reviewed."""

    row: Row
    outcome: Outcome | None
    reviews: tuple[Review, ...] = ()

    @property
    def status(self) -> Status | None:
        """The latest status that a person gave, else the run's own; None while the row is pending."""
        if self.outcome is None:
            return None
        given = [event.new_status for event in active_reviews(self.reviews) if event.new_status is not None]
        return given[-1] if given else self.outcome.status

    @property
    def original_status(self) -> Status | None:
        """The run's own, whatever the reviews; None while the row is pending."""
        return self.outcome.status if self.outcome is not None else None

    @property
    def justification(self) -> str:
        """The latest one that a person wrote, else the model's."""
        events = active_reviews(self.reviews)
        given = [event.justification for event in events if event.justification is not None]
        return given[-1] if given else self.original_justification

    @property
    def original_justification(self) -> str:
        """The model's own; of several zones, each after the name of its zone."""
        zones = self.outcome.zones if self.outcome is not None else ()
        if len(zones) == 1:
            return zones[0].justification
        return "; ".join(f"{zone.name}: {zone.justification}" for zone in zones)

    @property
    def judged(self) -> bool:
        """Whether a person gave the status."""
        return any(review.new_status is not None for review in active_reviews(self.reviews))

    @property
    def reviewed(self) -> bool:
        """Whether a person's status or justification is in effect; a note alone is not a review."""
        return self._latest is not None

    @property
    def reviewed_by(self) -> str | None:
        """Who last gave a status or a justification."""
        return self._latest.by if self._latest is not None else None

    @property
    def reviewed_at(self) -> datetime | None:
        """When that was."""
        return self._latest.at if self._latest is not None else None

    @property
    def note(self) -> str | None:
        """The latest note."""
        notes = [event.note for event in active_reviews(self.reviews) if event.note is not None]
        return notes[-1] if notes else None

    @property
    def disagreed(self) -> bool:
        """Whether the latest statuses of different people differ."""
        return len(set(self.status_by_person.values())) > 1

    @property
    def status_by_person(self) -> dict[str, Status]:
        """The latest status that each person gave, in the order of their first ones."""
        events = active_reviews(self.reviews)
        return {event.by: event.new_status for event in events if event.new_status is not None}

    @property
    def _latest(self) -> Review | None:
        events = [event for event in active_reviews(self.reviews) if event.action is not Action.NOTE]
        return events[-1] if events else None

    def judge(self, by: str, at: datetime, status: Status, justification: str | None = None) -> Review:
        """The event of a person who sets the status. Raises ValidationError for ERROR."""
        return self._event(by, at, Action.JUDGE, new_status=status, justification=justification)

    def justify(self, by: str, at: datetime, justification: str) -> Review:
        """The event of a person who rewrites the justification and leaves the status."""
        return self._event(by, at, Action.JUSTIFY, justification=justification)

    def annotate(self, by: str, at: datetime, note: str) -> Review:
        """The event of a person who writes a note; an empty one clears it."""
        return self._event(by, at, Action.NOTE, note=note)

    def undo(self, by: str, at: datetime) -> Review:
        """The event of a person who withdraws their latest event."""
        return self._event(by, at, Action.UNDO)

    def _event(self, by: str, at: datetime, action: Action, **content: str | Status | None) -> Review:
        image = self.row.image if isinstance(self.row, Poster) else ""
        poster = {"row": self.row.row, "id": self.row.id, "image": image, "old_status": self.status}
        return Review.model_validate({**poster, "by": by, "at": at, "action": action, **content})
