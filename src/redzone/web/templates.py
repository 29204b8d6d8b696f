"""Pages and parts of pages: templates, what they can say, and the pages that say what went wrong."""

from __future__ import annotations

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
from redzone.web.security import Refusal
from redzone.web.static_files import asset_path
from redzone.web.views.new_run_form import again
from redzone.web.views.pagination import address


@dataclass(frozen=True, slots=True)
class NavItem:
    """A page that the head of every page leads to, by a click or a key."""

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
    """A whole page from a template, with what every page knows: `request` and the chosen `theme`."""
    theme = request.cookies.get(THEME_COOKIE)
    shared = {"request": request, "theme": theme if theme in THEMES else ""}
    return HTMLResponse(render_part(template, **shared, **context), status_code)


def render_part(template: str, **context: Any) -> str:
    """The HTML of a template with only what it is given: a part of a page for an event stream."""
    return _TEMPLATES.get_template(template).render(context)


def error_page(request: Request, status: int, reason: str) -> HTMLResponse:
    """A page that says what went wrong and where to go on."""
    return render(request, "error.html", status, status=status, title=_phrase(status), reason=reason)


def refusal_page(scope: Scope, refusal: Refusal) -> Response:
    """The page for somebody who may not come in."""
    return error_page(Request(scope), refusal.status, refusal.reason)


async def on_http_error(request: Request, error: Exception) -> Response:
    """404, 405, 413 and what else routing or a page raises."""
    assert isinstance(error, HTTPException)  # noqa: S101  registered for these only
    status = error.status_code
    reason = error.detail if error.detail != _phrase(status) else _REASONS.get(status, "")
    page = error_page(request, status, reason)
    page.headers.update(error.headers or {})
    return page


async def on_usage_error(request: Request, error: Exception) -> Response:
    """A run that is not there is 404; whatever else the user must change is 400."""
    return error_page(request, 404 if isinstance(error, RunNotFound) else 400, str(error))


async def on_crash(request: Request, error: Exception) -> Response:
    """A fault of ours: the page says so and tells nothing of the inside."""
    del error
    return error_page(request, 500, _REASONS[500])


_REASONS = {
    400: "The address or the form says something that this page does not understand.",
    404: "There is no such page. The run may have been removed, or the address is cut short.",
    405: "This page cannot be used in this way.",
    413: "That is larger than the dashboard takes.",
    500: "That was a fault of the dashboard. What happened is in the terminal in which it runs.",
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
    """An instant in the zone of the machine that serves, with UTC where the pointer rests."""
    if moment is None:
        return Markup("")
    exact = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    return Markup('<time datetime="{}" title="{:%Y-%m-%d %H:%M:%S} UTC">{}</time>').format(
        exact, moment, moment.astimezone().strftime(form)
    )


def _strip(counts: Counts, pending: int = 0, title: str = "Outcomes") -> Markup:
    return Markup(status_strip(counts, title, pending=pending, width=320))  # noqa: S704  our own SVG


def _sources() -> dict[str, str]:
    """Every template by its path: read at once, so that no request waits for a file."""
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
    """A sentence in which options and variables stand out, to be copied."""
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
