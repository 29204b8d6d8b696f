"""Pagination: the page shown, and the URLs of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request

_AROUND = 2
_LARGEST = 1_000_000


@dataclass(frozen=True, slots=True)
class Pager:
    """One page of `total` items; `path` and `query` are its URL. `number` counts from 1 and is clamped to the
    existing pages."""

    wanted: int
    per_page: int
    total: int
    path: str
    query: tuple[tuple[str, str], ...] = ()

    @property
    def pages(self) -> int:
        """How many there are; an empty list has one."""
        return max(1, -(-self.total // self.per_page))

    @property
    def number(self) -> int:
        """The page shown."""
        return min(self.wanted, self.pages)

    @property
    def start(self) -> int:
        """Items before this page."""
        return (self.number - 1) * self.per_page

    @property
    def stop(self) -> int:
        """Items up to the end of this page."""
        return min(self.total, self.start + self.per_page)

    @property
    def numbers(self) -> list[int | None]:
        """Page numbers to link: the first, the last and the nearest; None for a gap."""
        near = range(self.number - _AROUND, self.number + _AROUND + 1)
        shown = sorted({1, self.pages, *(number for number in near if 1 <= number <= self.pages)})
        offered: list[int | None] = []
        for before, number in zip([0, *shown], shown, strict=False):
            if number - before == 2:
                offered.append(number - 1)
            elif number - before > 2:
                offered.append(None)
            offered.append(number)
        return offered

    def href(self, number: int) -> str:
        """The URL of another page of the list."""
        return with_query(self.path, [*self.query, *([("page", str(number))] if number > 1 else [])])


def page_number(request: Request) -> int:
    """The page number of the query string; 1 for anything invalid."""
    text = request.query_params.get("page", "1")
    return min(max(1, int(text)), _LARGEST) if text.isascii() and text.isdecimal() and len(text) < 10 else 1


def with_query(path: str, query: Sequence[tuple[str, str]]) -> str:
    """A URL from a path and a query."""
    return f"{path}?{urlencode(query)}" if query else path


def address(request: Request, **changes: object) -> str:
    """The request's own URL with changed query parameters, for templates; None removes one."""
    kept = [pair for pair in request.query_params.multi_items() if pair[0] not in changes]
    added = [(name, str(value)) for name, value in changes.items() if value is not None]
    return with_query(request.url.path, [*kept, *added])
