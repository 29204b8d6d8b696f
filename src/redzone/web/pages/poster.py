"""`/runs/{id}/posters/{row}`: one poster in detail, and its review."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from redzone.query import Neighbours
from redzone.review import Review, ReviewedOutcome, active_reviews
from redzone.runs import RunFolder
from redzone.runs.reviews import append_reviews
from redzone.web.pages.results import PER_PAGE, SHOWS
from redzone.web.services.reviewing import (
    ReviewForm,
    given_reviewer,
    keep_reviewer,
    known_reviewer,
    review_event,
    suggested_reviewer,
)
from redzone.web.services.state import AppState, app_state
from redzone.web.templates import render
from redzone.web.views.card import Card, percent
from redzone.web.views.list_query import ListQuery

AFTER = "after"
"""Query parameter: the row judged in the previous step, for undo. The page's own row: it was the last."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A poster within a list query."""

    state: AppState
    folder: RunFolder
    row: int
    list_query: ListQuery

    @classmethod
    def of(cls, request: Request) -> _Place:
        state, path = app_state(request), request.path_params
        list_query = ListQuery.of(request.query_params.multi_items())
        return cls(state, state.folder(path["run_id"]), path["row"], list_query)

    def reviewed(self, row: int) -> ReviewedOutcome | None:
        return self.state.browser(self.folder).get(row)

    def known(self) -> tuple[ReviewedOutcome, Neighbours]:
        """The outcome and its place in the list. Raises HTTPException 404 for a row without one."""
        browser = self.state.browser(self.folder)
        reviewed = browser.get(self.row)
        neighbours = browser.neighbours(self.list_query.filter, self.list_query.sort, self.row)
        if reviewed is None or neighbours is None:
            raise HTTPException(404, f"Run {self.folder.id} has no outcome of row {self.row} yet.")
        return reviewed, neighbours

    def address(self, row: int, **more: int) -> str:
        return self.list_query.at(f"/runs/{self.folder.id}/posters/{row}", **more)

    @property
    def review_address(self) -> str:
        return self.list_query.at(f"/runs/{self.folder.id}/posters/{self.row}/review")


async def show_poster(request: Request) -> Response:
    """The page."""
    reviewer = known_reviewer(request)
    context = await asyncio.to_thread(_context, _Place.of(request), request.query_params.get(AFTER), reviewer)
    suggested = reviewer or await asyncio.to_thread(suggested_reviewer, request)
    return render(request, "poster.html", reviewer=reviewer, suggested=suggested, **context)


async def review_poster(request: Request) -> Response:
    """Saves a review and redirects: after a verdict, to the next poster of the list."""
    async with request.form() as form:
        fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    form_review, by = ReviewForm.of(fields), given_reviewer(request, fields.get("by", ""))
    address = await asyncio.to_thread(_review, _Place.of(request), form_review, by)
    # 303: the next page is fetched with GET, so reloading it does not repeat the review
    answer = RedirectResponse(address, HTTPStatus.SEE_OTHER)
    keep_reviewer(answer, by)
    return answer


def _review(place: _Place, form_review: ReviewForm, by: str) -> str:
    """Appends the event and returns the URL of the next page."""
    # neighbours first: after the review, a list of unreviewed posters no longer has this one
    reviewed, neighbours = place.known()
    event = review_event(form_review, reviewed, by, datetime.now(UTC))
    if event is not None:
        append_reviews(place.folder.reviews_path, [event])
    if not form_review.judges:
        return place.address(place.row)
    onward = place.row if neighbours.next is None else neighbours.next
    return place.address(onward, **{AFTER: place.row})


def _context(place: _Place, after: str | None, reviewer: str) -> dict[str, Any]:
    # both are slow to import
    from redzone.net.urls import shorten_url
    from redzone.thumbnails import shown_view

    reviewed, neighbours = place.known()
    record = place.folder.read()
    card = Card(record, reviewed, place.list_query)
    judged = _judged_before(place, after)
    coming = place.reviewed(neighbours.next) if neighbours.next is not None else None
    return {
        "record": record,
        "card": card,
        "reviewed": reviewed,
        "neighbours": neighbours,
        "list_query": place.list_query,
        "back": _back(place, neighbours),
        "before": place.address(neighbours.previous) if neighbours.previous is not None else None,
        "next": place.address(neighbours.next) if neighbours.next is not None else None,
        "coming": Card(record, coming, place.list_query) if coming is not None else None,
        "judged": Card(record, judged, place.list_query) if judged is not None else None,
        "at_end": judged is not None and judged.row.row == place.row,
        "undo": _undo(place, (judged, reviewed), reviewer),
        "view": shown_view(reviewed.outcome, record.view),
        "review_address": place.review_address,
        "stands": active_reviews(reviewed.reviews),
        "image": shorten_url(reviewed.outcome.image) if reviewed.outcome is not None else "",
        "raw": reviewed.outcome.model_dump_json(indent=2) if reviewed.outcome is not None else "",
        "percent": percent,
        "shows": SHOWS,
    }


def _judged_before(place: _Place, after: str | None) -> ReviewedOutcome | None:
    if after is None or not (after.isascii() and after.isdecimal() and len(after) < 10):
        return None
    return place.reviewed(int(after))


@dataclass(frozen=True, slots=True)
class _Undo:
    """The event that undo reverts: of this poster, or of the one judged just before."""

    address: str
    event: Review
    name: str


def _undo(place: _Place, candidates: Iterable[ReviewedOutcome | None], reviewer: str) -> _Undo | None:
    for reviewed in candidates:
        own = (
            [event for event in active_reviews(reviewed.reviews) if event.by == reviewer] if reviewed else []
        )
        if reviewed is not None and own:
            about = replace(place, row=reviewed.row.row)
            return _Undo(about.review_address, own[-1], reviewed.row.title or reviewed.row.id)
    return None


def _back(place: _Place, neighbours: Neighbours) -> str:
    """The URL of the list page that has the poster."""
    number = (neighbours.position - 1) // PER_PAGE + 1 if neighbours.position is not None else 1
    return place.list_query.at(f"/runs/{place.folder.id}", **({"page": number} if number > 1 else {}))


routes: list[BaseRoute] = [
    Route("/runs/{run_id:run}/posters/{row:row}", show_poster),
    Route("/runs/{run_id:run}/posters/{row:row}/review", review_poster, methods=["POST"]),
]
