"""Live parts of a page: an event stream of HTML that is rendered on the server."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request

from redzone.errors import UsageError
from redzone.web.services.state import app_state

Parts = Mapping[str, str]
"""HTML by the id of the element that it replaces."""

T = TypeVar("T")

EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Last:
    """The final parts: the stream ends with them."""

    parts: Parts


@dataclass(slots=True)
class LiveParts(Generic[T]):
    """The live parts of one open page: `look` reads what the page shows, `render` makes parts of it.

    What is costly to render is rendered by `once_for`, which `render` gets: again only for a changed value.
    """

    look: Callable[[], T]
    render: Callable[[T, LiveParts[T]], Parts | Last]
    looks: int = 0
    _rendered: dict[str, tuple[object, str]] = field(default_factory=dict)

    def __call__(self) -> Parts | Last:
        """The parts as they are now. Blocking: call it in a thread."""
        parts = self.render(self.look(), self)
        self.looks += 1
        return parts

    def once_for(self, name: str, value: object, render: Callable[[], str]) -> str:
        """The HTML of a part for a value: what was rendered last time if the value is equal."""
        kept = self._rendered.get(name)
        if kept is None or kept[0] != value:
            kept = self._rendered[name] = value, render()
        return kept[1]


def stream_parts(
    request: Request, render: Callable[[], Parts | Last], every_s: float = EVERY_S
) -> EventSourceResponse:
    """Streams what `render` returns every second, of which only changed parts are sent.

    `render` is called in a thread. Each part is one element with an id; app.js replaces the element of that
    id. The stream ends when the client leaves or the server shuts down, and for good with the Last parts or
    when the run is gone or cannot be read.
    """
    return EventSourceResponse(_events(request, render, every_s))


async def _events(
    request: Request, render: Callable[[], Parts | Last], every_s: float
) -> AsyncIterator[ServerSentEvent]:
    closing = app_state(request).closing
    sent: dict[str, str] = {}
    while not closing.is_set():
        try:
            found = await asyncio.to_thread(render)
        except (UsageError, OSError, sqlite3.Error):
            yield ServerSentEvent(event="end", data="")
            return
        parts = found.parts if isinstance(found, Last) else found
        for part, html in parts.items():
            if sent.get(part) != html:
                sent[part] = html
                # one at a time: an HTML parser drops a table row that follows a paragraph
                yield ServerSentEvent(html)
        if isinstance(found, Last):
            yield ServerSentEvent(event="end", data="")
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(closing.wait(), every_s)
