"""`/performance`: how fast a run goes and why not faster, live while it works."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from redzone.models import Status
from redzone.runs import RunFolder
from redzone.telemetry.metrics import RateFigures, Snapshot, Timings
from redzone.web.live_stream import Last, Parts, stream_parts
from redzone.web.services.run_status import RunStatus
from redzone.web.services.state import AppState, app_state
from redzone.web.templates import render, render_part
from redzone.web.views.performance import Performance

RUNS_TO_CHOOSE = 100
CHART_EVERY = 5  # looks; in one of them it moves by less than can be seen
PARTS = ("state", "tiles", "advice", "seconds", "limits", "errors", "workers")


async def show_newest(request: Request) -> Response:
    """The newest live run, else the newest run; `?run=` leads to the page of a chosen one."""
    chosen = request.query_params.get("run")
    if chosen is not None:
        return RedirectResponse(f"/runs/{app_state(request).folder(chosen).id}/performance", 303)
    return await _page(request, None)


async def show_run(request: Request) -> Response:
    """One run, whether it is live or over."""
    return await _page(request, request.path_params["run_id"])


async def follow_run(request: Request) -> Response:
    """What changes on the page, as long as the run is live."""
    state = app_state(request)
    return stream_parts(request, _Follower(state, state.folder(request.path_params["run_id"])))


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
    """A run as it is now. Raises RunNotFound where it is gone."""
    run = state.overview.figures(folder)
    said = state.histories.read(folder.metrics_path)
    last = said.last if run.snapshot is not None else None
    return Performance(run, last or _nothing_yet(run), said.recent, said.moments)


@dataclass(slots=True)
class _Follower:
    """The parts of a run's page, again and again; the last ones once the run is over."""

    state: AppState
    folder: RunFolder
    _looks: int = 0
    _chart: Markup = field(default_factory=Markup)

    def __call__(self) -> Parts | Last:
        perf = look(self.state, self.folder)
        if self._looks % CHART_EVERY == 0 or not perf.run.live:
            self._chart = perf.chart
        self._looks += 1
        parts = {part: render_part(f"performance/{part}.html", perf=perf) for part in PARTS}
        parts["pace"] = render_part("performance/pace.html", perf=perf, chart=self._chart)
        return parts if perf.run.live else Last(parts)


def _nothing_yet(run: RunStatus) -> Snapshot:
    """What a process that has said nothing would say."""
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
