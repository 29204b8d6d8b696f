"""`/runs/{id}`: a run's posters as a grid or a list, filtered, sorted and paged, live counts included."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from redzone.query import Sort
from redzone.runs import RunFolder
from redzone.web.live_stream import LiveParts, Parts, stream_parts
from redzone.web.pages.downloads import export_formats
from redzone.web.services.run_status import RunStatus
from redzone.web.services.state import AppState, app_state
from redzone.web.templates import render, render_part
from redzone.web.views.card import Card
from redzone.web.views.facets import build_facets
from redzone.web.views.list_query import ListLayout, ListQuery, ZoneDisplay
from redzone.web.views.pagination import Pager, page_number

PER_PAGE = 60
PATIENCE_S = 1.5  # until the page that says the run is being read
SORTS = {
    Sort.ROW: "input order",
    Sort.CONFIDENCE: "lowest confidence first",
    Sort.CONFIDENCE_DESC: "highest confidence first",
    Sort.STATUS: "status",
    Sort.TITLE: "title",
    Sort.GROUP: "group",
    Sort.FINISHED: "newest first",
}
SHOWS = {
    ZoneDisplay.ZONE: "Outline",
    ZoneDisplay.BADGE: "Badge",
    ZoneDisplay.PLAIN: "Plain",
    ZoneDisplay.ONLY: "Zone only",
}
LAYOUTS = {ListLayout.GRID: "Grid", ListLayout.LIST: "List"}


async def show_results(request: Request) -> Response:
    """Shows the page; while a long run is read for the first time, a page that says so and reloads itself."""
    state, folder = await _place(request)
    list_query = ListQuery.of(request.query_params.multi_items())
    if not await state.is_read(folder, PATIENCE_S):
        run = await asyncio.to_thread(state.overview.figures, folder)
        return render(request, "reading.html", run=run)
    number = page_number(request)
    context = await asyncio.to_thread(_context, state, folder, list_query, number)
    return render(request, "results.html", **context)


async def follow_results(request: Request) -> Response:
    """Streams the changes of the page while the run is live."""
    state, folder = await _place(request)
    done = int(request.path_params["done"])
    parts = LiveParts(lambda: state.overview.figures(folder), lambda run, _: _live_parts(run, done))
    return stream_parts(request, parts)


async def _place(request: Request) -> tuple[AppState, RunFolder]:
    state = app_state(request)
    return state, await asyncio.to_thread(state.folder, request.path_params["run_id"])


def _context(state: AppState, folder: RunFolder, list_query: ListQuery, number: int) -> dict[str, Any]:
    run = state.overview.figures(folder)
    browser = state.browser(folder)
    found = browser.page(list_query.filter, list_query.sort, number, PER_PAGE)
    pager = Pager(number, PER_PAGE, found.total, f"/runs/{folder.id}", tuple(list_query.pairs))
    if pager.number != number:
        found = browser.page(list_query.filter, list_query.sort, pager.number, PER_PAGE)
    return {
        "run": run,
        "cards": [Card(run.record, reviewed, list_query) for reviewed in found.items],
        "pager": pager,
        "facets": build_facets(browser.facets(list_query.filter), list_query.filter),
        "list_query": list_query,
        "ways": export_formats(folder.id, list_query, pager.total),
        "review": _first_to_review(state, folder, list_query),
        "sorts": SORTS,
        "shows": SHOWS,
        "layouts": LAYOUTS,
    }


def _first_to_review(state: AppState, folder: RunFolder, list_query: ListQuery) -> str | None:
    """The URL of the first poster to review in the list; None where every poster is reviewed."""
    queue = list_query.for_review
    first = state.browser(folder).page(queue.filter, queue.sort, 1, 1)
    if not first.items:
        return None
    return queue.at(f"/runs/{folder.id}/posters/{first.items[0].row.row}")


def _live_parts(run: RunStatus, listed: int) -> Parts:
    """The page's header, and how many outcomes there are that the list does not show yet."""
    return {
        "run-head": render_part("results/head.html", run=run),
        "fresh": render_part("results/fresh.html", fresh=max(0, run.done - listed)),
    }


routes: list[BaseRoute] = [
    Route("/runs/{run_id:run}", show_results),
    Route("/runs/{run_id:run}/stream/{done:count}", follow_results),
]
