"""The query string of a list of posters: filter, order and layout."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeVar

from redzone.errors import UsageError
from redzone.query import Filter, Sort
from redzone.web.views.pagination import with_query

_E = TypeVar("_E", bound=StrEnum)


class ListLayout(StrEnum):
    """The layout of a list of posters."""

    GRID = "grid"
    LIST = "list"


class ZoneDisplay(StrEnum):
    """How zones are drawn: an outline, a badge as a viewer of the service sees it, not at all (plain), or the
    zones alone, enlarged."""

    ZONE = "zone"
    BADGE = "badge"
    PLAIN = "plain"
    ONLY = "only"


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The filter, order, layout and zone display of a list of posters."""

    filter: Filter = field(default_factory=Filter)
    sort: Sort = Sort.ROW
    layout: ListLayout = ListLayout.GRID
    show: ZoneDisplay = ZoneDisplay.ZONE

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> ListQuery:
        """Parses a query string. Raises UsageError that names the parameter and its allowed values."""
        given = list(pairs)
        last = dict(given)
        return cls(
            Filter.from_query(given),
            _member(last, "sort", Sort.ROW),
            _member(last, "look", ListLayout.GRID),
            _member(last, "show", ZoneDisplay.ZONE),
        )

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """A query that `of` reads back equal; empty for everything in the order of the input."""
        sort = [("sort", str(self.sort))] if self.sort is not Sort.ROW else []
        return [*self.filter.to_query(), *sort, *self.shown]

    @property
    def shown(self) -> list[tuple[str, str]]:
        """The part of the query for layout and zone display, without defaults."""
        look = [("look", str(self.layout))] if self.layout is not ListLayout.GRID else []
        return [*look, *([("show", str(self.show))] if self.show is not ZoneDisplay.ZONE else [])]

    def at(self, path: str, **more: int) -> str:
        """The URL of a page with this query and more parameters."""
        return with_query(path, [*self.pairs, *((name, str(value)) for name, value in more.items())])

    @property
    def filtered(self) -> bool:
        """Whether anything is left out."""
        return self.filter != Filter()

    @property
    def unfiltered(self) -> ListQuery:
        """Everything, shown in the same way."""
        return replace(self, filter=Filter())

    @property
    def for_review(self) -> ListQuery:
        """The unreviewed posters of the list, lowest confidence first."""
        return replace(self, filter=replace(self.filter, reviewed=False), sort=Sort.CONFIDENCE)

    @property
    def next_show(self) -> ZoneDisplay:
        """The next display for the Z key: outline, badge, plain, outline."""
        shows = [show for show in ZoneDisplay if show is not ZoneDisplay.ONLY]
        return shows[(shows.index(self.show) + 1) % len(shows)] if self.show in shows else ZoneDisplay.ZONE

    @property
    def bounds(self) -> tuple[str, str]:
        """The bounds of the confidence, per cent, as form values."""
        return _written(self.filter.confidence_min), _written(self.filter.confidence_max)


def _written(bound_pct: float | None) -> str:
    return "" if bound_pct is None else f"{bound_pct:.12g}"


def _member(given: dict[str, str], name: str, default: _E) -> _E:
    value = given.get(name) or default
    for member in type(default):
        if member == value:
            return member
    raise UsageError(f"{name}: {value!r} is not one of {', '.join(type(default))}")
