"""`/`: every run, newest first, and those at work move."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from redzone.web.live_stream import Parts, stream_parts
from redzone.web.services.run_status import RunStatus
from redzone.web.services.state import AppState, app_state
from redzone.web.templates import render, render_part
from redzone.web.views.pagination import Pager, page_number

PER_PAGE = 50


async def show_runs(request: Request) -> Response:
    """The page."""
    context = await asyncio.to_thread(_context, app_state(request), page_number(request))
    return render(request, "runs.html", **context)


async def follow_runs(request: Request) -> Response:
    """What changes on the page."""
    return stream_parts(request, _Follower(app_state(request), page_number(request)))


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


@dataclass(slots=True)
class _Follower:
    """The parts of the page: its rows, or the whole list where a run has come or gone."""

    state: AppState
    number: int
    _listed: list[str] = field(default_factory=list)
    _rows: dict[str, tuple[RunStatus, str]] = field(default_factory=dict)

    def __call__(self) -> Parts:
        context = _context(self.state, self.number)
        tiles = render_part("runs/tiles.html", **context)
        listed = [run.id for run in context["runs"]]
        if listed != self._listed:
            self._listed = listed
            return {"tiles": tiles, "runs": render_part("runs/list.html", **context)}
        return {"tiles": tiles, **{run.id: self._row(run) for run in context["runs"]}}

    def _row(self, run: RunStatus) -> str:
        # most runs are over, and comparing figures is quicker than making a row of them
        kept = self._rows.get(run.id)
        if kept is None or kept[0] != run:
            kept = self._rows[run.id] = run, render_part("runs/row.html", run=run)
        return kept[1]


routes: list[BaseRoute] = [
    Route("/", show_runs, name="runs"),
    Route("/runs/stream", follow_runs),
]
