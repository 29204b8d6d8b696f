"""`/`: every run, newest first; live runs update."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from redzone.web.live_stream import LiveParts, Parts, stream_parts
from redzone.web.services.run_status import RunStatus
from redzone.web.services.state import AppState, app_state
from redzone.web.templates import render, render_part
from redzone.web.views.pagination import Pager, page_number

PER_PAGE = 50


async def show_runs(request: Request) -> Response:
    """Shows the page."""
    context = await asyncio.to_thread(_context, app_state(request), page_number(request))
    return render(request, "runs.html", **context)


async def follow_runs(request: Request) -> Response:
    """Streams the changes of the page."""
    state, number = app_state(request), page_number(request)
    return stream_parts(request, LiveParts(lambda: _context(state, number), _live_parts))


def _context(state: AppState, number: int) -> dict[str, Any]:
    found = state.overview.newest_first()
    pager = Pager(number, PER_PAGE, len(found), path="/")
    return {
        "runs": found[pager.start : pager.stop],
        "pager": pager,
        "totals": _totals(found),
        "home": str(state.home),
    }


def _totals(found: Sequence[RunStatus]) -> dict[str, float]:
    live = [run for run in found if run.live]
    return {
        "runs": len(found),
        "live": len(live),
        "posters": sum(run.done for run in found),
        "per_min": sum(run.per_min for run in live),
        "cost_usd": sum(run.cost_usd for run in found),
    }


def _live_parts(context: dict[str, Any], live: LiveParts[dict[str, Any]]) -> Parts:
    """The page's rows, or the whole list where a run has come or gone."""
    listed = [run.id for run in context["runs"]]
    # most runs are over, and comparing their figures is quicker than rendering their rows
    rows = {
        run.id: live.once_for(run.id, run, partial(render_part, "runs/row.html", run=run))
        for run in context["runs"]
    }
    tiles = render_part("runs/tiles.html", **context)
    whole = live.once_for("runs", listed, lambda: render_part("runs/list.html", **context))
    return {"tiles": tiles, "runs": whole, **rows}


routes: list[BaseRoute] = [
    Route("/", show_runs, name="runs"),
    Route("/runs/stream", follow_runs),
]
