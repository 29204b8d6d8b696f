"""`/runs/{id}/pictures/{row}`: poster images.

The URL names a run and a row, so the dashboard fetches only images that a run has listed. `?size=` is the
whole poster, `?zone=` a zone alone, `?seen=yes` what the model saw. With `&v=`, the beginning of the content
hash, a browser may cache the picture for ever.
"""

from __future__ import annotations

import asyncio
import importlib
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from redzone.review import ReviewedOutcome
from redzone.runs import RunRecord
from redzone.web.services.state import AppState, app_state
from redzone.web.views.card import VERSION_LENGTH
from redzone.web.views.placeholder import MEDIA_TYPE, changed_svg, missing_svg

if TYPE_CHECKING:
    from redzone.thumbnails import FetchPolicy, Missing, Picture, RenderSpec, Thumbnail

FOREVER = "private, max-age=31536000, immutable"
ASK_AGAIN = "private, no-cache"
PATIENCE_S = 4.0
# px of a placeholder: the shape that pictures of the kind mostly have
POSTER_SIZE = (200, 300)
CLOSEUP_SIZE = (360, 72)


@dataclass(frozen=True, slots=True)
class _ImageRequest:
    record: RunRecord
    policy: FetchPolicy
    reviewed: ReviewedOutcome


async def show_picture(request: Request) -> Response:
    """Sends the picture, or a placeholder with the reason (200: a missing poster is no error of the page)."""
    # fetching and decoding is slow to import: only when a picture is requested
    await asyncio.to_thread(importlib.import_module, "redzone.thumbnails")
    from redzone.thumbnails import Missing, first_view, poster_picture

    state = app_state(request)
    run_id, row = request.path_params["run_id"], request.path_params["row"]
    found = await asyncio.to_thread(_look_up, state, run_id, row)
    spec = _render_spec(request, found)
    picture = poster_picture(found.reviewed.row, found.reviewed.outcome, first_view(found.record))
    got: Thumbnail | Missing
    if isinstance(picture, Missing):
        got = picture
    else:
        got = await _get(state, picture, spec, found.policy)
    return _missing(got, spec) if isinstance(got, Missing) else _answer(request, got, spec)


async def _get(
    state: AppState, picture: Picture, spec: RenderSpec, policy: FetchPolicy
) -> Thumbnail | Missing:
    """The picture, if it arrives soon. A slow one is still fetched, for the next request; a browser has six
    connections per host, and slow pictures would delay the next page."""
    from redzone.thumbnails import Missing

    try:
        async with asyncio.timeout(PATIENCE_S):
            return await state.thumbnails.get(picture, spec, policy)
    except TimeoutError:
        return Missing(f"still being downloaded after {PATIENCE_S:g} s; reload in a moment")


def _look_up(state: AppState, run_id: str, row: int) -> _ImageRequest:
    from redzone.thumbnails import fetch_policy

    folder = state.folder(run_id)
    reviewed = state.browser(folder).get(row)
    if reviewed is None:
        raise HTTPException(404, f"Run {run_id} has no outcome of row {row}.")
    record = folder.read()
    return _ImageRequest(record, fetch_policy(folder, record), reviewed)


def _render_spec(request: Request, found: _ImageRequest) -> RenderSpec:
    """The rendering that the query names: a fixed size or a zone of the run. Raises HTTPException 404."""
    from redzone.thumbnails import Scaled, Seen, ZoneOnly, shown_view
    from redzone.thumbnails.render import SIZES

    query = request.query_params
    if "zone" in query:
        zone = next((zone for zone in found.record.zones if zone.name == query["zone"]), None)
        if zone is None:
            raise HTTPException(404, "This run has no such zone.")
        return ZoneOnly(zone)
    if query.get("seen") == "yes":
        return Seen(found.record.zones, shown_view(found.reviewed.outcome, found.record.view))
    size = next((size for size in SIZES if query.get("size") == str(size)), None)
    if size is None:
        raise HTTPException(404, f"Pictures come in {', '.join(map(str, SIZES))} pixels.")
    return Scaled(size)


def _answer(request: Request, got: Thumbnail, spec: RenderSpec) -> Response:
    etag = f'"{got.sha256}-{spec.key}{"-changed" if got.changed else ""}"'
    judged = not got.changed and request.query_params.get("v") == got.sha256[:VERSION_LENGTH]
    headers = {"ETag": etag, "Cache-Control": FOREVER if judged else ASK_AGAIN}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if not got.changed:
        return Response(got.data, media_type=got.content_type, headers=headers)
    from PIL import Image

    with Image.open(BytesIO(got.data)) as picture:
        drawn = changed_svg(got.data, *picture.size)
    return Response(drawn, media_type=MEDIA_TYPE, headers=headers)


def _missing(missing: Missing, spec: RenderSpec) -> Response:
    from redzone.thumbnails import ZoneOnly

    size = CLOSEUP_SIZE if isinstance(spec, ZoneOnly) else POSTER_SIZE
    # it may be available by the next request
    headers = {"Cache-Control": "no-store"}
    return Response(missing_svg(missing.reason, *size), media_type=MEDIA_TYPE, headers=headers)


routes: list[BaseRoute] = [Route("/runs/{run_id:run}/pictures/{row:row}", show_picture)]
