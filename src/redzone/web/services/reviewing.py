"""From what a person sent to the events that are written down. Pure."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import Response

from redzone.errors import UsageError
from redzone.models import Status
from redzone.review import NAME_LIMIT, TEXT_LIMIT, Review, ReviewedOutcome
from redzone.text import clean
from redzone.web.services.state import app_state


class ReviewRequest(StrEnum):
    """What a button of the review form asks for."""

    PASS = "pass"
    FAIL = "fail"
    SAVE = "save"
    UNDO = "undo"


_JUDGES = {ReviewRequest.PASS: Status.PASS, ReviewRequest.FAIL: Status.FAIL}


@dataclass(frozen=True, slots=True)
class ReviewEvents:
    """A filled-in review form. A text is None unless the person changed it: what was only shown to them may
    be out of date by the time that they send it back."""

    wish: ReviewRequest
    justification: str | None = None
    note: str | None = None

    @classmethod
    def of(cls, form: Mapping[str, str]) -> ReviewEvents:
        """What a form says. Raises UsageError for another wish and for a text that is too long."""
        wish = next((wish for wish in ReviewRequest if wish == form.get("wish")), None)
        if wish is None:
            raise UsageError(f"A review is one of {', '.join(ReviewRequest)}.")
        justification = _changed(form, "justification")
        return cls(wish, justification or None, _changed(form, "note"))

    @property
    def judges(self) -> bool:
        """Whether it settles the poster's status."""
        return self.wish in _JUDGES


def review_event(said: ReviewEvents, reviewed: ReviewedOutcome, by: str, at: datetime) -> Review | None:
    """The one event of a press of a button, which one undo takes back; None where nothing was changed."""
    if said.wish is ReviewRequest.UNDO:
        return reviewed.undo(by, at)
    if said.wish in _JUDGES:
        event = reviewed.judge(by, at, _JUDGES[said.wish], said.justification)
    elif said.justification is not None:
        event = reviewed.justify(by, at, said.justification)
    elif said.note is not None:
        return reviewed.annotate(by, at, said.note)
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


COOKIE = "redzone_reviewer"
_YEAR_S = 365 * 24 * 3600


def known_reviewer(request: Request) -> str:
    """The name that this browser gave before; empty where it gave none."""
    return _name(unquote(request.cookies.get(COOKIE, "")))


def suggested_reviewer(request: Request) -> str:
    """A name to begin with: the login name of whoever runs the dashboard, if it is for them alone."""
    if app_state(request).options.token is not None:
        return ""
    try:
        return _name(getpass.getuser())
    except (OSError, KeyError):
        return ""  # a container's user may have no name


def given_reviewer(request: Request, given: str) -> str:
    """The name in a form, else the one that the browser keeps. Raises UsageError without either."""
    name = _name(given) or known_reviewer(request)
    if not name:
        raise UsageError("A review needs a name: fill in who reviews, and try again.")
    return name


def keep_reviewer(response: Response, name: str) -> None:
    """Have the browser remember the name for a year."""
    response.set_cookie(
        COOKIE, quote(name, safe=""), max_age=_YEAR_S, httponly=True, samesite="strict", path="/"
    )


def _name(text: str) -> str:
    return clean(text).strip()[:NAME_LIMIT].strip()
