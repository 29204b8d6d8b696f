"""`/runs/{id}/pictures/{row}`: the pictures of the pages.

An address names a run and a row, never a URL: nobody can make the dashboard fetch what no run has asked for.
`?size=` is the whole poster, `?zone=` a zone alone, `?seen=yes` what the model saw. With `&v=`, the beginning
of the hash of what was judged, a browser may keep the picture for ever.
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

from redzone.review import Finding
from redzone.runs import RunRecord
from redzone.web.services.state import Site, site_of
from redzone.web.views.card import VERSION_LENGTH
from redzone.web.views.placeholder import MEDIA_TYPE, changed_svg, missing_svg

if TYPE_CHECKING:
    from redzone.thumbnails import Missing, Picture, Recipe, Terms, Thumbnail

FOREVER = "private, max-age=31536000, immutable"
ASK_AGAIN = "private, no-cache"
PATIENCE_S = 4.0
# px of a placeholder: the shape that pictures of the kind mostly have
POSTER_SIZE = (200, 300)
CLOSEUP_SIZE = (360, 72)


@dataclass(frozen=True, slots=True)
class _Asked:
    record: RunRecord
    terms: Terms
    finding: Finding


async def show_picture(request: Request) -> Response:
    """The picture; a drawing with the reason where there is none, as an image of its own (200: a page full of
    missing posters is no page full of errors)."""
    # what fetches and decodes takes longer to import than all else: not before somebody looks at a picture
    await asyncio.to_thread(importlib.import_module, "redzone.thumbnails")
    from redzone.thumbnails import Missing, first_view, picture_of

    site = site_of(request)
    run_id, row = request.path_params["run_id"], request.path_params["row"]
    asked = await asyncio.to_thread(_look_up, site, run_id, row)
    recipe = _recipe(request, asked)
    picture = picture_of(asked.finding.row, asked.finding.outcome, first_view(asked.record))
    got: Thumbnail | Missing
    if isinstance(picture, Missing):
        got = picture
    else:
        got = await _get(site, picture, recipe, asked.terms)
    return _missing(got, recipe) if isinstance(got, Missing) else _answer(request, got, recipe)


async def _get(site: Site, picture: Picture, recipe: Recipe, terms: Terms) -> Thumbnail | Missing:
    """The picture if it comes soon. One that does not is still being fetched, for the next who asks; but a
    browser has six connections for a host, and slow pictures would keep the next page waiting."""
    from redzone.thumbnails import Missing

    try:
        async with asyncio.timeout(PATIENCE_S):
            return await site.thumbnails.get(picture, recipe, terms)
    except TimeoutError:
        return Missing(f"not here after {PATIENCE_S:g} s, still being fetched; look again in a moment")


def _look_up(site: Site, run_id: str, row: int) -> _Asked:
    from redzone.thumbnails import terms_of

    folder = site.folder(run_id)
    finding = site.browser(folder).get(row)
    if finding is None:
        raise HTTPException(404, f"Run {run_id} has no outcome of row {row}.")
    record = folder.read()
    return _Asked(record, terms_of(folder, record), finding)


def _recipe(request: Request, asked: _Asked) -> Recipe:
    """What the query names. Raises HTTPException 404 for anything but the fixed sizes and the run's zones."""
    from redzone.thumbnails import Scaled, Seen, ZoneOnly, shown_view
    from redzone.thumbnails.render import SIZES

    query = request.query_params
    if "zone" in query:
        zone = next((zone for zone in asked.record.zones if zone.name == query["zone"]), None)
        if zone is None:
            raise HTTPException(404, "The run has no such zone.")
        return ZoneOnly(zone)
    if query.get("seen") == "yes":
        return Seen(asked.record.zones, shown_view(asked.finding.outcome, asked.record.view))
    size = next((size for size in SIZES if query.get("size") == str(size)), None)
    if size is None:
        raise HTTPException(404, f"Pictures come in {', '.join(map(str, SIZES))} pixels.")
    return Scaled(size)


def _answer(request: Request, got: Thumbnail, recipe: Recipe) -> Response:
    etag = f'"{got.sha256}-{recipe.key}{"-changed" if got.changed else ""}"'
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


def _missing(missing: Missing, recipe: Recipe) -> Response:
    from redzone.thumbnails import ZoneOnly

    size = CLOSEUP_SIZE if isinstance(recipe, ZoneOnly) else POSTER_SIZE
    # soon asked for again: it may be there by then
    headers = {"Cache-Control": "no-store"}
    return Response(missing_svg(missing.reason, *size), media_type=MEDIA_TYPE, headers=headers)


routes: list[BaseRoute] = [Route("/runs/{run_id:run}/pictures/{row:row}", show_picture)]
