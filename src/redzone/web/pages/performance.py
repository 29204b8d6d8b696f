"""`/performance`: how fast a run is and what limits it, updated while it is live."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from redzone.models import Status
from redzone.runs import RunFolder
from redzone.telemetry.metrics import RateFigures, Snapshot, Timings
from redzone.web.live_stream import Last, LiveParts, Parts, stream_parts
from redzone.web.services.run_status import RunStatus
from redzone.web.services.state import AppState, app_state
from redzone.web.templates import render, render_part
from redzone.web.views.performance import Performance

RUNS_TO_CHOOSE = 100
CHART_EVERY = 5  # seconds: in one it changes by less than can be seen
PARTS = ("state", "tiles", "advice", "seconds", "limits", "errors", "workers")


async def show_newest(request: Request) -> Response:
    """Shows the newest live run, else the newest run; `?run=` redirects to the page of that run."""
    chosen = request.query_params.get("run")
    if chosen is not None:
        return RedirectResponse(f"/runs/{app_state(request).folder(chosen).id}/performance", 303)
    return await _page(request, None)


async def show_run(request: Request) -> Response:
    """Shows one run, live or over."""
    return await _page(request, request.path_params["run_id"])


async def follow_run(request: Request) -> Response:
    """Streams the changes of the page while the run is live."""
    state = app_state(request)
    folder = await asyncio.to_thread(state.folder, request.path_params["run_id"])
    return stream_parts(request, LiveParts(lambda: look(state, folder), _live_parts))


async def _page(request: Request, run_id: str | None) -> Response:
    context = await asyncio.to_thread(_context, app_state(request), run_id)
    return render(request, "performance.html", **context)


def _context(state: AppState, run_id: str | None) -> dict[str, Any]:
    runs = state.overview.newest_first()
    shown = next((run.id for run in runs if run.live), runs[0].id if runs else None)
    wanted = run_id or shown
    if wanted is None:
        return {"perf": None, "runs": ()}
    perf = look(state, state.folder(wanted))
    return {"perf": perf, "chart": perf.chart, "runs": runs[:RUNS_TO_CHOOSE]}


def look(state: AppState, folder: RunFolder) -> Performance:
    """Reads a run as it is now. Raises RunNotFound where it no longer exists."""
    run = state.overview.figures(folder)
    history = state.metrics.read(folder.metrics_path)
    last = history.last if run.snapshot is not None else None
    return Performance(run, last or _nothing_yet(run), history.recent, history.moments)


def _live_parts(perf: Performance, live: LiveParts[Performance]) -> Parts | Last:
    """The parts of a run's page; the last ones once the run is over."""
    parts = {part: render_part(f"performance/{part}.html", perf=perf) for part in PARTS}
    moment = live.looks // CHART_EVERY if perf.run.live else None
    parts["pace"] = live.once_for(
        "pace", moment, lambda: render_part("performance/pace.html", perf=perf, chart=perf.chart)
    )
    return parts if perf.run.live else Last(parts)


def _nothing_yet(run: RunStatus) -> Snapshot:
    """The snapshot of a run whose process has written none yet."""
    return Snapshot(
        at=run.record.created_at,
        elapsed_s=0.0,
        rows=run.record.rows,
        done=run.done,
        earlier=run.done,
        passed=run.counts.get(Status.PASS, 0),
        failed=run.counts.get(Status.FAIL, 0),
        unsure=run.counts.get(Status.UNSURE, 0),
        errors=run.counts.get(Status.ERROR, 0),
        cached=0,
        duplicates=0,
        errors_by_code={},
        posters_last_min=0.0,
        eta_s=None,
        requests=0,
        tokens_in=0,
        tokens_out=0,
        cost_usd=run.cost_usd,
        workers=0,
        lanes=(),
        rate=RateFigures(),
        timings=Timings(),
        note="",
    )


routes: list[BaseRoute] = [
    Route("/performance", show_newest),
    Route("/runs/{run_id:run}/performance", show_run),
    Route("/runs/{run_id:run}/performance/stream", follow_run),
]
