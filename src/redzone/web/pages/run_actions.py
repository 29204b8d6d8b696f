"""Stop and resume of a run, by the buttons on its pages."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from redzone.runs import RunFolder
from redzone.runs.lock import interrupt
from redzone.web.services.state import Site, site_of

WAIT_S = 8.0


async def stop(request: Request) -> Response:
    """Ctrl-C for the process at work: nothing new is started, what is in hand is finished. `now=yes` is the
    second Ctrl-C, which gives up what is in hand; without it a second press does no harm."""
    site, folder = await _place(request)
    async with request.form(max_fields=2) as fields:
        now = fields.get("now") == "yes"
    await asyncio.to_thread(_interrupt, site, folder, now)
    return _back(folder)


async def resume(request: Request) -> Response:
    """Start `redzone resume`, and wait until it is at work."""
    site, folder = await _place(request)
    async with request.form(max_fields=2) as fields:
        retry_errors = fields.get("retry_errors") == "yes"
    started = await asyncio.to_thread(site.launcher.resume, folder, retry_errors=retry_errors)
    await started.run_id(WAIT_S)
    return _back(folder)


async def _place(request: Request) -> tuple[Site, RunFolder]:
    site = site_of(request)
    return site, await asyncio.to_thread(site.folder, request.path_params["run_id"])


def _interrupt(site: Site, folder: RunFolder, now: bool) -> None:
    try:
        hold = folder.id, folder.lock_path.stat().st_mtime_ns  # written when the process took the run in hand
    except FileNotFoundError:
        hold = folder.id, 0
    if now or hold not in site.draining:
        interrupt(folder)
        site.draining.add(hold)


def _back(folder: RunFolder) -> Response:
    return RedirectResponse(f"/runs/{folder.id}", 303)


routes: list[BaseRoute] = [
    Route("/runs/{run_id:run}/stop", stop, methods=["POST"]),
    Route("/runs/{run_id:run}/resume", resume, methods=["POST"]),
]
