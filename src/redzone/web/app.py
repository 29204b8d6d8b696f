"""The dashboard as an ASGI app."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from redzone.errors import UsageError
from redzone.web import static_files
from redzone.web.pages import (
    analytics,
    downloads,
    health,
    images,
    new_run,
    performance,
    poster,
    results,
    run_actions,
    runs,
)
from redzone.web.security import Access
from redzone.web.services.state import AppState, WebOptions
from redzone.web.templates import (
    on_crash,
    on_file_error,
    on_http_error,
    on_usage_error,
    refusal_page,
)

# a form; the page that accepts uploads has a limit of its own
MAX_BODY_BYTES = 64 * 1024
PAGES = (
    runs,
    new_run,
    run_actions,
    results,
    poster,
    images,
    downloads,
    performance,
    analytics,
    health,
    static_files,
)


class Dashboard(Starlette):
    """The Starlette app behind access control: a refused request reaches nothing else, and every response,
    an internal error too, has the security headers."""

    def __init__(self, state: AppState) -> None:
        super().__init__(
            routes=[route for page in PAGES for route in page.routes],
            exception_handlers={
                HTTPException: on_http_error,
                UsageError: on_usage_error,
                OSError: on_file_error,
                sqlite3.Error: on_file_error,
                Exception: on_crash,
            },
            lifespan=_closing,
            max_body_size=MAX_BODY_BYTES,
        )
        self.state.state = state
        static_files.assets()  # read now, so that the first request does not wait for the disk

    def build_middleware_stack(self) -> ASGIApp:
        """Starlette's own middleware, with access control around all of it."""
        return Access(super().build_middleware_stack(), self.state.state.options, refusal_page)


@asynccontextmanager
async def _closing(app: Starlette) -> AsyncIterator[None]:
    yield
    await app.state.state.aclose()


def create_app(home: Path, options: WebOptions | None = None) -> Starlette:
    """Creates the dashboard of a home. It reads and creates no file until a page is requested."""
    return Dashboard(AppState(home, options or WebOptions()))
