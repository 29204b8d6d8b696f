"""Who reviews: asked once, then kept in a cookie of the browser."""

from __future__ import annotations

import getpass
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import Response

from redzone.errors import UsageError
from redzone.review import NAME_LIMIT
from redzone.text import clean
from redzone.web.site import site_of

COOKIE = "redzone_reviewer"
_YEAR_S = 365 * 24 * 3600


def known_reviewer(request: Request) -> str:
    """The name that this browser gave before; empty where it gave none."""
    return _name(unquote(request.cookies.get(COOKIE, "")))


def suggested_reviewer(request: Request) -> str:
    """A name to begin with: the login name of whoever runs the dashboard, if it is for them alone."""
    if site_of(request).options.token is not None:
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
