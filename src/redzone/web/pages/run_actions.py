"""Stops and resumes a run."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from redzone.runs import RunFolder
from redzone.runs.lock import interrupt
from redzone.web.services.state import AppState, app_state

WAIT_S = 8.0


async def stop(request: Request) -> Response:
    """Sends Ctrl-C to the run's process: it finishes posters in progress and starts no others. `now=yes` is
    the second Ctrl-C, which stops at once; without it, pressing the button twice has no effect."""
    state, folder = await _place(request)
    async with request.form(max_fields=2) as fields:
        now = fields.get("now") == "yes"
    await asyncio.to_thread(_interrupt, state, folder, now)
    return _back(folder)


async def resume(request: Request) -> Response:
    """Starts `redzone resume` and waits until it has taken the run."""
    state, folder = await _place(request)
    async with request.form(max_fields=2) as fields:
        retry_errors = fields.get("retry_errors") == "yes"
    started = await asyncio.to_thread(state.launcher.resume, folder, retry_errors=retry_errors)
    await started.run_id(WAIT_S)
    return _back(folder)


async def _place(request: Request) -> tuple[AppState, RunFolder]:
    state = app_state(request)
    return state, await asyncio.to_thread(state.folder, request.path_params["run_id"])


def _interrupt(state: AppState, folder: RunFolder, now: bool) -> None:
    try:
        hold = folder.id, folder.lock_path.stat().st_mtime_ns  # written when the process took the lock
    except FileNotFoundError:
        hold = folder.id, 0
    if now or hold not in state.draining:
        interrupt(folder)
        state.draining.add(hold)


def _back(folder: RunFolder) -> Response:
    return RedirectResponse(f"/runs/{folder.id}", 303)


routes: list[BaseRoute] = [
    Route("/runs/{run_id:run}/stop", stop, methods=["POST"]),
    Route("/runs/{run_id:run}/resume", resume, methods=["POST"]),
]
