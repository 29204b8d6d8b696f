"""The choices of the filter beside a list, each with the number of posters that it matches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from redzone.models import ElementKind, Status
from redzone.query import Facets, Filter

_S = TypeVar("_S", bound=str)
MOST_GROUPS = 40


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice: the form field and value, its label, and the number of posters that it matches."""

    name: str
    value: str
    label: str
    count: int
    chosen: bool


@dataclass(frozen=True, slots=True)
class Facet:
    """A group of choices; with `single`, exactly one is chosen. `more` choices are not shown."""

    name: str
    legend: str
    choices: tuple[Choice, ...]
    single: bool = False
    more: int = 0


def build_facets(facets: Facets, wanted: Filter) -> list[Facet]:
    """Builds the facets that have more than one choice, in page order."""
    found = [
        Facet("status", "Status", _choices("status", Status, facets.statuses, wanted.statuses)),
        Facet("reviewed", "Reviewed", _reviewed(facets, wanted), single=True),
        Facet("disagreed", "Reviewers", _disagreed(facets, wanted), single=True),
        _groups(facets, wanted),
        Facet("kind", "Element", _choices("kind", ElementKind, facets.kinds, wanted.kinds)),
        Facet("source", "Source", _choices("source", (), facets.sources, wanted.sources)),
        Facet("code", "Error", _choices("code", (), facets.codes, wanted.codes)),
    ]
    return [facet for facet in found if len(facet.choices) > 1 or any(one.chosen for one in facet.choices)]


def _choices(
    name: str, always: Iterable[_S], counts: Mapping[_S, int], chosen: frozenset[_S]
) -> tuple[Choice, ...]:
    """A choice for each value that is always offered, that occurs, or that is chosen."""
    values = dict.fromkeys((*always, *counts, *sorted(chosen)))
    return tuple(Choice(name, str(one), str(one), counts.get(one, 0), one in chosen) for one in values)


def _groups(facets: Facets, wanted: Filter) -> Facet:
    """The largest groups and the chosen ones. The empty group has its own form field, as an empty value there
    means no choice."""
    boxes = _choices("group", (), facets.groups, wanted.groups)
    shown = [box for place, box in enumerate(boxes) if place < MOST_GROUPS or box.chosen]
    named = (
        box if box.value else Choice("ungrouped", "yes", "no group", box.count, box.chosen) for box in shown
    )
    return Facet("group", "Group", tuple(named), more=len(boxes) - len(shown))


def _reviewed(facets: Facets, wanted: Filter) -> tuple[Choice, ...]:
    yes, no = facets.reviewed.get(True, 0), facets.reviewed.get(False, 0)
    return (
        Choice("reviewed", "", "all", yes + no, wanted.reviewed is None),
        Choice("reviewed", "no", "not yet", no, wanted.reviewed is False),
        Choice("reviewed", "yes", "reviewed", yes, wanted.reviewed is True),
    )


def _disagreed(facets: Facets, wanted: Filter) -> tuple[Choice, ...]:
    """No choices where no reviewers disagree, as in most runs."""
    yes, no = facets.disagreed.get(True, 0), facets.disagreed.get(False, 0)
    if not yes and wanted.disagreed is None:
        return ()
    return (
        Choice("disagreed", "", "all", yes + no, wanted.disagreed is None),
        Choice("disagreed", "yes", "disagree", yes, wanted.disagreed is True),
        Choice("disagreed", "no", "do not", no, wanted.disagreed is False),
    )
