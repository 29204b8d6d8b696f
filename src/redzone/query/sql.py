"""Turns a filter into an SQL condition, and an order into its columns. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from redzone.query.filter import Filter, Sort
from redzone.query.schema import STATUSES, kind_bits


class Order(NamedTuple):
    """The columns of an order, all ascending, the row last so that no two outcomes are equal; and the table
    with the index to use."""

    keys: tuple[str, ...]
    table: str


ORDERS: Mapping[Sort, Order] = {
    Sort.ROW: Order(("row",), "outcome NOT INDEXED"),
    Sort.CONFIDENCE: Order(("unsaid", "confidence", "row"), "outcome INDEXED BY by_confidence"),
    Sort.CONFIDENCE_DESC: Order(("unsaid", "-confidence", "row"), "outcome INDEXED BY by_falling_confidence"),
    Sort.STATUS: Order(("status", "row"), "outcome INDEXED BY by_status"),
    Sort.TITLE: Order(("title", "row"), "outcome INDEXED BY by_title"),
    Sort.GROUP: Order(("grp", "row"), "outcome INDEXED BY by_group"),
    Sort.FINISHED: Order(("-finished_us", "row"), "outcome INDEXED BY by_finish"),
}
# for counting, without an order
COUNTED = "outcome INDEXED BY facets"


class Condition(NamedTuple):
    """An SQL expression over table `outcome`, and the values of its parameters. If the filter has a text,
    table `hit` must hold the rows that contain it."""

    sql: str
    values: tuple[object, ...]


def condition(wanted: Filter) -> Condition:
    """True for exactly the outcomes that match the filter."""
    parts = list(_parts(wanted))
    return Condition(
        " AND ".join(part.sql for part in parts) or "1",
        tuple(value for part in parts for value in part.values),
    )


def _parts(wanted: Filter) -> Iterator[Condition]:
    if wanted.statuses:
        yield _one_of("status", (STATUSES.index(status) for status in wanted.statuses))
    if wanted.groups:
        yield _one_of("grp", wanted.groups)
    if wanted.sources:
        yield _one_of("source", wanted.sources)
    if wanted.codes:
        yield _one_of("code", wanted.codes)
    if wanted.kinds:
        yield Condition("kinds & ?", (kind_bits(wanted.kinds),))
    if wanted.reviewed is not None:
        yield Condition("reviewed = ?", (wanted.reviewed,))
    if wanted.disagreed is not None:
        yield Condition("disagreed = ?", (wanted.disagreed,))
    if (wanted.confidence_min, wanted.confidence_max) != (None, None):
        highest = 100.0 if wanted.confidence_max is None else wanted.confidence_max
        yield Condition("confidence BETWEEN ? AND ?", (wanted.confidence_min or 0.0, highest))
    if wanted.text:
        yield Condition("row IN (SELECT row FROM temp.hit)", ())


def _one_of(column: str, values: Iterable[object]) -> Condition:
    given = tuple(values)
    return Condition(f"{column} IN ({', '.join('?' * len(given))})", given)
