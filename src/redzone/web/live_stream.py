"""Parts of a page that follow what happens: an event stream of HTML, rendered on the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request

from redzone.errors import UsageError
from redzone.web.services.state import app_state

Parts = Mapping[str, str]
"""HTML by the id of the element that it replaces."""

EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Last:
    """The parts that do not change any more: with them the stream ends."""

    parts: Parts


def stream_parts(
    request: Request, render: Callable[[], Parts | Last], every_s: float = EVERY_S
) -> EventSourceResponse:
    """What `render` says every second, of which only parts that differ from the last time are sent.

    `render` is called in a thread. Each part is one element with its id, which app.js puts in the place of
    the one in the page. The stream ends when the reader goes or the server ends, and for good with the Last
    parts or when `render` raises UsageError, as it does for a run that is gone.
    """
    return EventSourceResponse(_events(request, render, every_s))


async def _events(
    request: Request, render: Callable[[], Parts | Last], every_s: float
) -> AsyncIterator[ServerSentEvent]:
    closing = app_state(request).closing
    sent: dict[str, str] = {}
    while not closing.is_set():
        try:
            said = await asyncio.to_thread(render)
        except UsageError:
            yield ServerSentEvent(event="end", data="")
            return
        parts = said.parts if isinstance(said, Last) else said
        for part, html in parts.items():
            if sent.get(part) != html:
                sent[part] = html
                # one at a time: no parser takes a table's row after a paragraph
                yield ServerSentEvent(html)
        if isinstance(said, Last):
            yield ServerSentEvent(event="end", data="")
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(closing.wait(), every_s)
