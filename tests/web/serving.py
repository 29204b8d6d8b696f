"""The dashboard as it is served: uvicorn on a port of the loopback, in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import httpx2
from starlette.routing import BaseRoute

from redzone.web.app import Dashboard
from redzone.web.connections import ConnectionLimits
from redzone.web.server import Server, listen, options_for
from redzone.web.services.state import WebOptions

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


@dataclass(frozen=True)
class Served:
    """A dashboard that answers at `origin`."""

    origin: str
    server: Server

    def url(self, path: str) -> str:
        return self.origin + path

    def get(self, path: str, **headers: str) -> httpx2.Response:
        """Ask for a page; header names are written with `_` for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx2.get(self.url(path), headers=named, trust_env=False)

    def post(self, path: str, form: dict[str, str], **headers: str) -> httpx2.Response:
        """Send a form as the dashboard's own pages do, unless the headers say otherwise."""
        named = {name.replace("_", "-"): value for name, value in headers.items()} or SAME_ORIGIN
        return httpx2.post(self.url(path), data=form, headers=named, trust_env=False)


@contextmanager
def served(
    home: Path,
    options: WebOptions | None = None,
    more: Sequence[BaseRoute] = (),
    limits: ConnectionLimits | None = None,
) -> Iterator[Served]:
    """A dashboard of a home, for as long as the block runs, and more routes than its own."""
    listener = listen("127.0.0.1", 0)
    up = Event()
    server = Server(home, options or options_for("127.0.0.1", listener), up.set, limits)
    app = server.config.app
    assert isinstance(app, Dashboard)
    app.router.routes.extend(more)
    thread = Thread(target=lambda: asyncio.run(server.serve([listener])), name="dashboard")
    port = listener.getsockname()[1]
    thread.start()
    try:
        assert up.wait(10)
        yield Served(f"http://127.0.0.1:{port}", server)
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive(), "the dashboard did not end"
