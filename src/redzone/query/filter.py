"""Which outcomes match, and in which order: as a value and as a query string."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from redzone.errors import ErrorCode, UsageError
from redzone.models import ElementKind, Row, Source, Status

_E = TypeVar("_E", bound=StrEnum)
_YES_NO = {"yes": True, "no": False}


class Sort(StrEnum):
    """The orders of a list. Equal rows are in input order."""

    ROW = "row"
    CONFIDENCE = "confidence"  # least sure first, without confidence last
    CONFIDENCE_DESC = "confidence-desc"  # surest first, without confidence last
    STATUS = "status"  # fail, unsure, error, pass
    TITLE = "title"  # ignoring case
    GROUP = "group"
    FINISHED = "finished"  # newest first


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on outcomes: a member of each set that is not empty, and everything else that is given.

    Status and text are those after review. `confidence_min` and `confidence_max`, both inclusive, are per
    cent of the least sure zone; with either, an outcome without a verdict does not match. `disagreed` is
    whether reviewers differ, so False includes what nobody reviewed. `text` is a part of the id, title,
    group, justification, note or an element's label, ignoring case. The empty group means "no group".
    Raises UsageError for per cent outside 0-100.
    """

    statuses: frozenset[Status] = frozenset()
    groups: frozenset[str] = frozenset()
    confidence_min: float | None = None
    confidence_max: float | None = None
    kinds: frozenset[ElementKind] = frozenset()
    reviewed: bool | None = None
    disagreed: bool | None = None
    sources: frozenset[Source] = frozenset()
    codes: frozenset[ErrorCode] = frozenset()
    text: str = ""

    def __post_init__(self) -> None:
        for name, value in (("min", self.confidence_min), ("max", self.confidence_max)):
            if value is not None and not 0 <= value <= 100:
                raise UsageError(f"{name}_confidence: {value:g} is not between 0 and 100")

    @classmethod
    def from_query(cls, pairs: Iterable[tuple[str, str]]) -> Filter:
        """The filter of a query string's pairs. Other names and empty values are ignored.
        Raises UsageError with the field and its possible values."""
        given: dict[str, list[str]] = {}
        for name, value in pairs:
            if value:
                given.setdefault(name, []).append(value)
        ungrouped = {""} if _one(given, "ungrouped", _yes_no) else set()
        return cls(
            statuses=_members(given, "status", Status),
            groups=frozenset(given.get("group", ())) | ungrouped,
            confidence_min=_one(given, "min_confidence", _number),
            confidence_max=_one(given, "max_confidence", _number),
            kinds=_members(given, "kind", ElementKind),
            reviewed=_one(given, "reviewed", _yes_no),
            disagreed=_one(given, "disagreed", _yes_no),
            sources=_members(given, "source", Source),
            codes=_members(given, "code", ErrorCode),
            text=given.get("text", [""])[-1],
        )

    def to_query(self) -> list[tuple[str, str]]:
        """Pairs that `from_query` reads back as an equal filter, in a fixed order; none for defaults."""
        return list(self._pairs())

    def _pairs(self) -> Iterator[tuple[str, str]]:
        yield from (("status", status) for status in sorted(self.statuses))
        yield from (("group", group) for group in sorted(self.groups) if group)
        if "" in self.groups:
            yield "ungrouped", "yes"
        if self.confidence_min is not None:
            yield "min_confidence", _format_number(self.confidence_min)
        if self.confidence_max is not None:
            yield "max_confidence", _format_number(self.confidence_max)
        yield from (("kind", kind) for kind in sorted(self.kinds))
        for name, value in (("reviewed", self.reviewed), ("disagreed", self.disagreed)):
            if value is not None:
                yield name, "yes" if value else "no"
        yield from (("source", source) for source in sorted(self.sources))
        yield from (("code", code) for code in sorted(self.codes))
        if self.text:
            yield "text", self.text

    @property
    def needs_outcome(self) -> bool:
        """Whether no row without an outcome can match."""
        by_value = (
            self.statuses or self.kinds or self.sources or self.codes or self.reviewed or self.disagreed
        )
        return bool(by_value) or (self.confidence_min, self.confidence_max) != (None, None)

    def admits_pending(self, row: Row) -> bool:
        """Whether a row without an outcome matches: it has no status, no verdict and no review."""
        if self.needs_outcome or (self.groups and row.group not in self.groups):
            return False
        text = folded(self.text)
        return any(text in folded(field) for field in (row.id, row.title, row.group))


def folded(text: str) -> bytes:
    """The text as it is compared: case-folded; a lone surrogate matches only itself."""
    return text.casefold().encode("utf-8", "surrogatepass")


def _members(given: dict[str, list[str]], name: str, kind: type[_E]) -> frozenset[_E]:
    try:
        return frozenset(map(kind, given.get(name, ())))
    except ValueError:
        known = ", ".join(kind)
        wrong = next(value for value in given[name] if value not in set(kind))
        raise UsageError(f"{name}: {wrong!r} is not one of {known}") from None


_V = TypeVar("_V")


def _one(given: dict[str, list[str]], name: str, read: Callable[[str], _V]) -> _V | None:
    values = given.get(name)
    if not values:
        return None
    try:
        return read(values[-1])
    except (ValueError, KeyError):
        kind = "a number" if read is _number else "yes or no"
        raise UsageError(f"{name}: {values[-1]!r} is not {kind}") from None


def _number(text: str) -> float:
    return float(text)


def _yes_no(text: str) -> bool:
    return _YES_NO[text]


def _format_number(number: float) -> str:
    return repr(float(number)).removesuffix(".0")
