"""Renders pages and parts of pages from Jinja templates, and the error pages."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Scope

from redzone.charts import Counts, status_strip
from redzone.errors import RunNotFound
from redzone.models import Status
from redzone.terminal.formatting import (
    format_cost,
    format_count,
    format_duration,
    format_pct,
    format_rate,
    format_short,
)
from redzone.text import clean
from redzone.web.security import AccessRefusal
from redzone.web.static_files import asset_path
from redzone.web.views.new_run_form import again
from redzone.web.views.pagination import address

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NavItem:
    """A link in the header of every page, and its key."""

    name: str
    path: str
    key: str


NAV = (
    NavItem("Runs", "/", "1"),
    NavItem("Performance", "/performance", "2"),
    NavItem("Analytics", "/analytics", "3"),
    NavItem("New run", "/new", "4"),
)
SIGNS = {**{status.value: status.sign for status in Status}, "pending": "·"}
THEMES = ("light", "dark")
THEME_COOKIE = "redzone_theme"


def render(request: Request, template: str, status_code: int = 200, **context: Any) -> HTMLResponse:
    """Renders a whole page; every template gets `request` and the chosen `theme`."""
    theme = request.cookies.get(THEME_COOKIE)
    shared = {"request": request, "theme": theme if theme in THEMES else ""}
    return HTMLResponse(render_part(template, **shared, **context), status_code)


def render_part(template: str, **context: Any) -> str:
    """Renders a part of a page, for an event stream, with only the given context."""
    return _TEMPLATES.get_template(template).render(context)


def error_page(request: Request, status: int, reason: str) -> HTMLResponse:
    """Renders the error page with a reason and a link to the runs."""
    return render(request, "error.html", status, status=status, title=_phrase(status), reason=reason)


def refusal_page(scope: Scope, refusal: AccessRefusal) -> Response:
    """Renders the page of a refused request."""
    return error_page(Request(scope), refusal.status, refusal.reason)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Handles 404, 405, 413 and whatever else routing or a page raises."""
    assert isinstance(error, HTTPException)  # noqa: S101  registered for these only
    status = error.status_code
    reason = error.detail if error.detail != _phrase(status) else _REASONS.get(status, "")
    page = error_page(request, status, reason)
    page.headers.update(error.headers or {})
    return page


async def on_usage_error(request: Request, error: Exception) -> Response:
    """A missing run is a 404; any other usage error is a 400."""
    return error_page(request, 404 if isinstance(error, RunNotFound) else 400, str(error))


async def on_file_error(request: Request, error: Exception) -> Response:
    """A run folder that is damaged, or changed while it is read, is a 503 with the reason."""
    if isinstance(error, BrokenPipeError | ConnectionError):
        raise error
    reason = str(error)
    if isinstance(error, OSError) and error.strerror:
        reason = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    _log.warning("%s %s: %s", request.method, request.url.path, reason)
    return error_page(
        request, 503, f"A file of the run cannot be read ({reason}). Reload the page when it is back."
    )


async def on_crash(request: Request, error: Exception) -> Response:
    """Handles a bug: the page shows no internals."""
    del error
    return error_page(request, 500, _REASONS[500])


_REASONS = {
    400: "The URL or the form has a value that this page does not accept.",
    404: "There is no such page. The run may have been removed, or the URL is incomplete.",
    405: "This page does not accept this method.",
    413: "The request is larger than the dashboard accepts.",
    500: "Internal error. See the terminal that runs the dashboard.",
}


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _shown(value: object) -> object:
    # titles, ids and what a model wrote: no terminal escapes, no bidi overrides; HTML is autoescape's matter
    if isinstance(value, str) and not isinstance(value, Markup):
        return clean(value, keep_lines=True)
    return value


def _when(moment: datetime | None, form: str = "%Y-%m-%d %H:%M") -> Markup:
    """Formats an instant in the server's time zone, with UTC as the tooltip."""
    if moment is None:
        return Markup("")
    exact = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    return Markup('<time datetime="{}" title="{:%Y-%m-%d %H:%M:%S} UTC">{}</time>').format(
        exact, moment, moment.astimezone().strftime(form)
    )


def _strip(counts: Counts, pending: int = 0, title: str = "Outcomes") -> Markup:
    return Markup(status_strip(counts, title, pending=pending, width=320))  # noqa: S704  our own SVG


def _sources() -> dict[str, str]:
    """Reads every template by its path, once, so that no request waits for the disk."""
    found = {}
    folders = [("", files("redzone.web") / "templates")]
    for prefix, folder in folders:
        for entry in folder.iterdir():
            if entry.is_dir():
                folders.append((f"{prefix}{entry.name}/", entry))
            else:
                found[prefix + entry.name] = entry.read_text(encoding="utf-8")
    return found


def _settings(text: str) -> Markup:
    """Marks options and variables in a sentence as code."""
    pieces = re.split(r"(--[a-z][a-z-]+(?: \d[\d,]*)?|[A-Z]+(?:_[A-Z]+)+)", text)
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if number % 2 else piece
        for number, piece in enumerate(pieces)
    )


def _environment() -> jinja2.Environment:
    env = jinja2.Environment(
        loader=jinja2.DictLoader(_sources()),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    env.filters |= {
        "count": format_count,
        "short": format_short,
        "cost": format_cost,
        "duration": format_duration,
        "rate": format_rate,
        "pct": format_pct,
        "when": _when,
        "settings": _settings,
        "again": again,
        "sign": lambda status: SIGNS[status],
    }
    env.globals |= {
        "asset": asset_path,
        "address": address,
        "nav": NAV,
        "strip": _strip,
        "statuses": tuple(Status),
    }
    return env


_TEMPLATES = _environment()
