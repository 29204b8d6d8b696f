"""`/healthz` and `/metrics`: for probes and Prometheus."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from redzone.web.services.state import AppState, app_state


async def show_health(_: Request) -> Response:
    """Answers `ok`."""
    return PlainTextResponse("ok\n")


async def show_metrics(request: Request) -> Response:
    """Shows metrics over all runs, and of the newest and every live run."""
    return await asyncio.to_thread(_metrics, app_state(request))


def _metrics(state: AppState) -> Response:
    # slow to import, and rarely used
    from redzone.web.views.prometheus import MEDIA_TYPE, exposition

    return Response(exposition(state.overview.newest_first()), media_type=MEDIA_TYPE)


routes: list[BaseRoute] = [Route("/healthz", show_health), Route("/metrics", show_metrics)]
