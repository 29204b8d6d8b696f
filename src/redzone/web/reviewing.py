"""From what a person sent to the events that are written down. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from redzone.errors import UsageError
from redzone.models import Status
from redzone.review import TEXT_LIMIT, Finding, Review
from redzone.text import clean


class Wish(StrEnum):
    """What a button of the review form asks for."""

    PASS = "pass"
    FAIL = "fail"
    SAVE = "save"
    UNDO = "undo"


_JUDGES = {Wish.PASS: Status.PASS, Wish.FAIL: Status.FAIL}


@dataclass(frozen=True, slots=True)
class Said:
    """A filled-in review form. A text is None unless the person changed it: what was only shown to them may
    be out of date by the time that they send it back."""

    wish: Wish
    justification: str | None = None
    note: str | None = None

    @classmethod
    def of(cls, form: Mapping[str, str]) -> Said:
        """What a form says. Raises UsageError for another wish and for a text that is too long."""
        wish = next((wish for wish in Wish if wish == form.get("wish")), None)
        if wish is None:
            raise UsageError(f"A review is one of {', '.join(Wish)}.")
        justification = _changed(form, "justification")
        return cls(wish, justification or None, _changed(form, "note"))

    @property
    def judges(self) -> bool:
        """Whether it settles the poster's status."""
        return self.wish in _JUDGES


def event_of(said: Said, finding: Finding, by: str, at: datetime) -> Review | None:
    """The one event of a press of a button, which one undo takes back; None where nothing was changed."""
    if said.wish is Wish.UNDO:
        return finding.undo(by, at)
    if said.wish in _JUDGES:
        event = finding.judge(by, at, _JUDGES[said.wish], said.justification)
    elif said.justification is not None:
        event = finding.justify(by, at, said.justification)
    elif said.note is not None:
        return finding.annotate(by, at, said.note)
    else:
        return None
    return event.model_copy(update={"note": said.note})


def _changed(form: Mapping[str, str], name: str) -> str | None:
    """A field's text if it is not the one that was shown. Forms write line breaks as CR LF."""
    text, shown = (_text(form.get(field, "")) for field in (name, f"shown_{name}"))
    if text == shown:
        return None
    if len(text) > TEXT_LIMIT:
        raise UsageError(f"The {name} is longer than {TEXT_LIMIT:,} characters; shorten it.")
    return text


def _text(value: str) -> str:
    return clean(value, keep_lines=True).strip()
