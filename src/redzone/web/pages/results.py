"""`/runs/{id}`: a run's posters as a grid or a list, filtered, sorted and paged; a live run's counts move."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from redzone.query import Sort
from redzone.runs import RunFolder
from redzone.web.live_stream import Parts, stream_parts
from redzone.web.pages.downloads import ways_for
from redzone.web.services.run_status import RunFigures
from redzone.web.services.state import Site, site_of
from redzone.web.templates import render, render_part
from redzone.web.views.card import Card
from redzone.web.views.facets import facets_of
from redzone.web.views.list_query import Look, Selection, Show
from redzone.web.views.pagination import Pager, page_number

PER_PAGE = 60
PATIENCE_S = 1.5  # until a page says that it is reading
SORTS = {
    Sort.ROW: "input order",
    Sort.CONFIDENCE: "least sure first",
    Sort.CONFIDENCE_DESC: "surest first",
    Sort.STATUS: "status",
    Sort.TITLE: "title",
    Sort.GROUP: "group",
    Sort.FINISHED: "newest first",
}
SHOWS = {
    Show.ZONE: "Outline",
    Show.BADGE: "Badge",
    Show.PLAIN: "Plain",
    Show.ONLY: "Zone only",
}
LOOKS = {Look.GRID: "Grid", Look.LIST: "List"}


async def show_results(request: Request) -> Response:
    """The page; while a long run is read for the first time, one that says so and asks again by itself."""
    site, folder = await _place(request)
    selection = Selection.of(request.query_params.multi_items())
    if not await site.is_read(folder, PATIENCE_S):
        run = await asyncio.to_thread(site.overview.figures, folder)
        return render(request, "reading.html", run=run)
    number = page_number(request)
    context = await asyncio.to_thread(_context, site, folder, selection, number)
    return render(request, "results.html", **context)


async def follow_results(request: Request) -> Response:
    """What changes on the page while the run is at work."""
    site, folder = await _place(request)
    done = int(request.path_params["done"])
    return stream_parts(request, _Follower(site, folder, done))


async def _place(request: Request) -> tuple[Site, RunFolder]:
    site = site_of(request)
    return site, await asyncio.to_thread(site.folder, request.path_params["run_id"])


def _context(site: Site, folder: RunFolder, selection: Selection, number: int) -> dict[str, Any]:
    run = site.overview.figures(folder)
    browser = site.browser(folder)
    found = browser.page(selection.filter, selection.sort, number, PER_PAGE)
    pager = Pager(number, PER_PAGE, found.total, f"/runs/{folder.id}", tuple(selection.pairs))
    if pager.number != number:
        found = browser.page(selection.filter, selection.sort, pager.number, PER_PAGE)
    return {
        "run": run,
        "cards": [Card(run.record, finding, selection) for finding in found.items],
        "pager": pager,
        "facets": facets_of(browser.facets(selection.filter), selection.filter),
        "selection": selection,
        "ways": ways_for(folder.id, selection, pager.total),
        "review": _first_to_review(site, folder, selection),
        "sorts": SORTS,
        "shows": SHOWS,
        "looks": LOOKS,
    }


def _first_to_review(site: Site, folder: RunFolder, selection: Selection) -> str | None:
    """The address where a review of what is selected begins; None where everything is reviewed."""
    queue = selection.for_review
    first = site.browser(folder).page(queue.filter, queue.sort, 1, 1)
    if not first.items:
        return None
    return queue.at(f"/runs/{folder.id}/posters/{first.items[0].row.row}")


@dataclass(frozen=True, slots=True)
class _Follower:
    """The head of the page, and how many outcomes there are by now that the list does not have yet."""

    site: Site
    folder: RunFolder
    listed: int

    def __call__(self) -> Parts:
        run = self.site.overview.figures(self.folder)
        return {
            "run-head": render_part("results/head.html", run=run),
            "fresh": render_part("results/fresh.html", fresh=_fresh(run, self.listed)),
        }


def _fresh(run: RunFigures, listed: int) -> int:
    return max(0, run.done - listed)


routes: list[BaseRoute] = [
    Route("/runs/{run_id:run}", show_results),
    Route("/runs/{run_id:run}/stream/{done:count}", follow_results),
]
