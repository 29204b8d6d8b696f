"""`/runs/{id}/pictures/{row}`: the pictures of the pages.

An address names a run and a row, never a URL: nobody can make the dashboard fetch what no run has asked for.
`?size=` is the whole poster, `?zone=` a zone alone, `?seen=yes` what the model saw. With `&v=`, the beginning
of the hash of what was judged, a browser may keep the picture for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route


async def show_picture(request: Request) -> Response:
    """The picture, or a drawing that says why there is none."""
    answer = await asyncio.to_thread(_answer)
    return await answer(request)


def _answer() -> Callable[[Request], Awaitable[Response]]:
    # what fetches and decodes takes longer to import than all else: not before somebody looks at a picture
    from redzone.web.picture_answers import answer_picture

    return answer_picture


routes: list[BaseRoute] = [Route("/runs/{run_id:run}/pictures/{row:row}", show_picture)]
