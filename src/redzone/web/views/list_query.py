"""What of a run is looked at, and how: all of it stands in the address, so that it can be kept and sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeVar

from redzone.errors import UsageError
from redzone.query import Filter, Sort
from redzone.web.views.pagination import with_query

_E = TypeVar("_E", bound=StrEnum)


class Look(StrEnum):
    """How a list of findings is laid out."""

    GRID = "grid"
    LIST = "list"


class Show(StrEnum):
    """What is drawn of the zones: their outline, a badge as a viewer of the service sees it, nothing at all,
    or the zones alone, enlarged."""

    ZONE = "zone"
    BADGE = "badge"
    PLAIN = "plain"
    ONLY = "only"


@dataclass(frozen=True, slots=True)
class ListQuery:
    """Which findings in which order, and how they are shown."""

    filter: Filter = field(default_factory=Filter)
    sort: Sort = Sort.ROW
    look: Look = Look.GRID
    show: Show = Show.ZONE

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> ListQuery:
        """The selection of a query string. Raises UsageError that names what is wrong and what can be."""
        given = list(pairs)
        last = dict(given)
        return cls(
            Filter.from_query(given),
            _member(last, "sort", Sort.ROW),
            _member(last, "look", Look.GRID),
            _member(last, "show", Show.ZONE),
        )

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """A query that `of` reads back equal; empty for everything in the order of the input."""
        sort = [("sort", str(self.sort))] if self.sort is not Sort.ROW else []
        return [*self.filter.to_query(), *sort, *self.shown]

    @property
    def shown(self) -> list[tuple[str, str]]:
        """The part of the query that decides how, not what; what is usual is left out."""
        look = [("look", str(self.look))] if self.look is not Look.GRID else []
        return [*look, *([("show", str(self.show))] if self.show is not Show.ZONE else [])]

    def at(self, path: str, **more: int) -> str:
        """The address of a page with this selection, and with what else it is asked."""
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
        """What of it nobody has reviewed, least sure first."""
        return replace(self, filter=replace(self.filter, reviewed=False), sort=Sort.CONFIDENCE)

    @property
    def next_show(self) -> Show:
        """What one key goes to from here: outline, badge, nothing, outline."""
        shows = [show for show in Show if show is not Show.ONLY]
        return shows[(shows.index(self.show) + 1) % len(shows)] if self.show in shows else Show.ZONE

    @property
    def bounds(self) -> tuple[str, str]:
        """The confidence asked for, per cent, as a form has it."""
        return _written(self.filter.confidence_min), _written(self.filter.confidence_max)


def _written(bound_pct: float | None) -> str:
    return "" if bound_pct is None else f"{bound_pct:.12g}"


def _member(given: dict[str, str], name: str, default: _E) -> _E:
    value = given.get(name) or default
    for member in type(default):
        if member == value:
            return member
    raise UsageError(f"{name}: {value!r} is none of {', '.join(type(default))}")
