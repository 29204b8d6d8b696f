"""`/healthz` and `/metrics`: for machines that watch."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from redzone.web.services.state import AppState, app_state


async def show_health(_: Request) -> Response:
    """`ok`, as long as the server answers at all."""
    return PlainTextResponse("ok\n")


async def show_metrics(request: Request) -> Response:
    """The figures of all runs in sum, and of the newest and the live ones each."""
    return await asyncio.to_thread(_metrics, app_state(request))


def _metrics(state: AppState) -> Response:
    # most dashboards are never asked for this, and its import takes a while
    from redzone.web.views.prometheus import MEDIA_TYPE, exposition

    return Response(exposition(state.overview.newest_first()), media_type=MEDIA_TYPE)


routes: list[BaseRoute] = [Route("/healthz", show_health), Route("/metrics", show_metrics)]
