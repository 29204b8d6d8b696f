"""`/analytics`: results of several runs, changes between two runs, and agreement with reviewers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from redzone.errors import RunNotFound, UsageError
from redzone.query import run_before
from redzone.web.live_stream import Last, LiveParts, Parts, stream_parts
from redzone.web.services.run_status import RunStatus
from redzone.web.services.state import AppState, app_state
from redzone.web.templates import render, render_part
from redzone.web.views.analytics import JUDGEABLE, LISTED_GROUPS, Analytics, Difference, find_changes
from redzone.web.views.analytics_query import AnalyticsQuery
from redzone.web.views.card import Card
from redzone.web.views.list_query import ListQuery
from redzone.web.views.pagination import with_query

OFFERED_RUNS = 200
LISTED_CHANGES = 50
READ_FOR_S = 1.0  # runs that take longer are streamed later, and the page says so


async def show_analytics(request: Request) -> Response:
    """The page."""
    query = AnalyticsQuery.of(request.query_params.multi_items())
    context = await asyncio.to_thread(_context, app_state(request), query)
    return render(request, "analytics.html", **context)


async def follow_analytics(request: Request) -> Response:
    """Streams the figures while runs are read for the first time."""
    query = AnalyticsQuery.of(request.query_params.multi_items())
    state = app_state(request)
    return stream_parts(
        request, LiveParts(lambda: _context(state, query), lambda found, _: _live_parts(found))
    )


def _live_parts(context: dict[str, Any]) -> Parts | Last:
    parts = {"figures": render_part("analytics/figures.html", **context)}
    return parts if context["found"].reading else Last(parts)


def _context(state: AppState, query: AnalyticsQuery) -> dict[str, Any]:
    found = look(state, query)
    return {
        "found": found,
        "query": query,
        "judgeable": JUDGEABLE,
        "listed_groups": LISTED_GROUPS,
        "stream": with_query("/analytics/stream", query.pairs),
    }


def look(state: AppState, query: AnalyticsQuery) -> Analytics:
    """Reads what a query covers, with as many runs as can be read in a second."""
    runs = state.overview.newest_first()
    selected = query.selected(runs)
    newest = selected[0] if selected else None
    previous = _before(newest, runs)
    after = _named(runs, query.after) or newest
    before = _named(runs, query.before) or _before(after, runs)
    pair = [run for run in (after, before) if run is not None]
    wanted = {run.id: state.folder(run.id) for run in [*pair, *([previous] if previous else []), *selected]}
    totals, unread = state.totals.of(wanted.values(), READ_FOR_S)
    difference = None
    if after is not None and before is not None and not {after.id, before.id} & unread:
        difference = _difference(state, before, after)
    return Analytics(
        query=query,
        every=runs[:OFFERED_RUNS],
        within=query.within(runs)[:OFFERED_RUNS],
        before=before,
        after=after,
        runs=selected,
        totals=totals,
        newest=newest,
        previous=previous,
        difference=difference,
        reading=len(unread),
    )


def _before(run: RunStatus | None, runs: Sequence[RunStatus]) -> RunStatus | None:
    record = run_before((other.record for other in runs), run.record) if run is not None else None
    return _named(runs, record.id) if record is not None else None


def _named(runs: Iterable[RunStatus], run_id: str) -> RunStatus | None:
    """The run of that id; None without one. Raises RunNotFound."""
    if not run_id:
        return None
    for run in runs:
        if run.id == run_id:
            return run
    raise RunNotFound(f"there is no run {run_id}")


def _difference(state: AppState, before: RunStatus, after: RunStatus) -> Difference | None:
    with suppress(UsageError):  # a checkpoint of another schema, which has no totals either
        found = state.totals.compared(state.folder(before.id), state.folder(after.id))
        browser = state.browser(state.folder(after.id))

        def cards(rows: Sequence[int]) -> list[Card]:
            return [Card(after.record, reviewed, ListQuery()) for reviewed in browser.get_many(rows)]

        return Difference(before, after, found, find_changes(found, cards, LISTED_CHANGES))
    return None


routes: list[BaseRoute] = [
    Route("/analytics", show_analytics),
    Route("/analytics/stream", follow_analytics),
]
