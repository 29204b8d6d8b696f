"""Turns a submitted review form into review events, and remembers the reviewer's name."""

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


class ReviewAction(StrEnum):
    """What a button of the review form asks for."""

    PASS = "pass"
    FAIL = "fail"
    SAVE = "save"
    UNDO = "undo"


_JUDGES = {ReviewAction.PASS: Status.PASS, ReviewAction.FAIL: Status.FAIL}


@dataclass(frozen=True, slots=True)
class ReviewForm:
    """A submitted review form. A text is None unless the reviewer changed it: the text that was shown may be
    out of date when the form is submitted."""

    action: ReviewAction
    justification: str | None = None
    note: str | None = None

    @classmethod
    def of(cls, form: Mapping[str, str]) -> ReviewForm:
        """Parses a form. Raises UsageError for an unknown action or a text that is too long."""
        action = next((action for action in ReviewAction if action == form.get("wish")), None)
        if action is None:
            raise UsageError(f"A review must be one of {', '.join(ReviewAction)}.")
        justification = _changed(form, "justification")
        return cls(action, justification or None, _changed(form, "note"))

    @property
    def judges(self) -> bool:
        """Whether it sets the poster's status."""
        return self.action in _JUDGES


def review_event(form: ReviewForm, reviewed: ReviewedOutcome, by: str, at: datetime) -> Review | None:
    """The event of one press of a button, which one undo reverts; None where nothing was changed."""
    if form.action is ReviewAction.UNDO:
        return reviewed.undo(by, at)
    if form.action in _JUDGES:
        event = reviewed.judge(by, at, _JUDGES[form.action], form.justification)
    elif form.justification is not None:
        event = reviewed.justify(by, at, form.justification)
    elif form.note is not None:
        return reviewed.annotate(by, at, form.note)
    else:
        return None
    return event.model_copy(update={"note": form.note})


def _changed(form: Mapping[str, str], name: str) -> str | None:
    """A field's text if it differs from the one that was shown. Forms send line breaks as CR LF."""
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
    """The name in this browser's cookie; empty without one."""
    return _name(unquote(request.cookies.get(COOKIE, "")))


def suggested_reviewer(request: Request) -> str:
    """The default name: the login name of the account that runs the dashboard, unless access is by token."""
    if app_state(request).options.token is not None:
        return ""
    try:
        return _name(getpass.getuser())
    except (OSError, KeyError):
        return ""  # a container's user may have no name


def given_reviewer(request: Request, given: str) -> str:
    """The name in a form, else in the cookie. Raises UsageError without either."""
    name = _name(given) or known_reviewer(request)
    if not name:
        raise UsageError("A review needs a name. Enter your name and try again.")
    return name


def keep_reviewer(response: Response, name: str) -> None:
    """Sets a cookie with the name, for a year."""
    response.set_cookie(
        COOKIE, quote(name, safe=""), max_age=_YEAR_S, httponly=True, samesite="strict", path="/"
    )


def _name(text: str) -> str:
    return clean(text).strip()[:NAME_LIMIT].strip()
