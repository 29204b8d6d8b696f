"""Counts over the outcomes of a run, each in one scan of an index."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime

from redzone.errors import ErrorCode
from redzone.models import ElementKind, Source, Status
from redzone.query.filter import Filter
from redzone.query.schema import FACETS, KINDS, STATUSES
from redzone.query.sql import COUNTED, condition
from redzone.query.values import Agreement, Bin, Facets, GroupFigures

_SECOND_US = 1_000_000
_DAY_S = 86_400


def count_facets(db: sqlite3.Connection, wanted: Filter) -> Facets:
    """The counts of `Facets`, from one table of counts by all facets."""
    chosen: tuple[frozenset[str], ...] = (
        wanted.statuses,
        wanted.groups,
        wanted.kinds,
        _words(wanted.reviewed),
        _words(wanted.disagreed),
        wanted.sources,
        wanted.codes,
    )
    counts = [Counter[str]() for _ in chosen]
    total = 0
    for parts, count in _cells(db, wanted):
        rejecting = [n for n, part in enumerate(parts) if chosen[n] and chosen[n].isdisjoint(part)]
        if not rejecting:
            total += count
        for n, part in enumerate(parts):
            # a value counts under all other parts of the filter, whatever its own part says
            if rejecting in ([], [n]):
                counts[n].update(dict.fromkeys(part, count))
    return Facets(
        total=total,
        statuses={status: counts[0][status] for status in Status if counts[0][status]},
        groups=dict(sorted(counts[1].items(), key=lambda item: (-item[1], item[0]))),
        kinds={kind: counts[2][kind] for kind in ElementKind if counts[2][kind]},
        reviewed=_by_truth(counts[3]),
        disagreed=_by_truth(counts[4]),
        sources={source: counts[5][source] for source in Source if counts[5][source]},
        codes={code: counts[6][code] for code in ErrorCode if counts[6][code]},
    )


def _cells(db: sqlite3.Connection, wanted: Filter) -> Iterator[tuple[tuple[tuple[str, ...], ...], int]]:
    """Every combination of facets that occurs: the values of each facet, and the number of outcomes."""
    where = condition(
        Filter(confidence_min=wanted.confidence_min, confidence_max=wanted.confidence_max, text=wanted.text)
    )
    cells = db.execute(
        f"SELECT {FACETS}, count(*) FROM {COUNTED} WHERE {where.sql} GROUP BY {FACETS}",  # noqa: S608  ours
        where.values,
    )
    for status, source, code, bits, reviewed, disagreed, group, count in cells:
        kinds = tuple(kind for number, kind in enumerate(KINDS) if bits >> number & 1)
        sources = (source,) if source is not None else ()
        codes = (code,) if code is not None else ()
        truths = (_word(reviewed),), (_word(disagreed),)
        yield ((STATUSES[status],), (group,), kinds, *truths, sources, codes), count


def _word(truth: bool | int) -> str:
    return "yes" if truth else "no"


def _words(wanted: bool | None) -> frozenset[str]:
    return frozenset() if wanted is None else frozenset({_word(wanted)})


def _by_truth(counts: Counter[str]) -> dict[bool, int]:
    return {truth: counts[_word(truth)] for truth in (True, False) if counts[_word(truth)]}


def count_groups(db: sqlite3.Connection, wanted: Filter) -> tuple[GroupFigures, ...]:
    """Counts by group, the largest group first."""
    where = condition(wanted)
    counts: dict[str, dict[Status, int]] = {}
    for group, status, count in db.execute(
        f"SELECT grp, status, count(*) FROM {COUNTED} WHERE {where.sql} GROUP BY grp, status",  # noqa: S608
        where.values,
    ):
        counts.setdefault(group, dict.fromkeys(Status, 0))[STATUSES[status]] = count
    figures = (GroupFigures(group, found) for group, found in counts.items())
    return tuple(sorted(figures, key=lambda group: (-group.total, group.name)))


def count_confidence(db: sqlite3.Connection, wanted: Filter, bins: int) -> tuple[Bin, ...]:
    """Counts by confidence in `bins` bins of equal width; outcomes without a verdict are in no bin."""
    where = condition(wanted)
    width = 100 / bins
    counts = [dict.fromkeys(Status, 0) for _ in range(bins)]
    for number, status, count in db.execute(
        "SELECT min(CAST(confidence / ? AS INTEGER), ?), status, count(*) "  # noqa: S608
        f"FROM {COUNTED} WHERE {where.sql} AND confidence >= 0 GROUP BY 1, 2",
        (width, bins - 1, *where.values),
    ):
        counts[number][STATUSES[status]] = count
    return tuple(Bin(n * width, (n + 1) * width, found) for n, found in enumerate(counts))


def count_agreement(db: sqlite3.Connection, wanted: Filter) -> Agreement:
    """How people's statuses compare with the run's."""
    where = condition(wanted)
    pairs: dict[tuple[Status, Status], int] = {}
    disagreed = 0
    for original, status, count, differ in db.execute(
        "SELECT original, status, count(*), sum(disagreed) "  # noqa: S608
        f"FROM outcome INDEXED BY judgements WHERE {where.sql} AND judged GROUP BY original, status",
        where.values,
    ):
        pairs[STATUSES[original], STATUSES[status]] = count
        disagreed += differ
    return Agreement(pairs, disagreed)


def count_days(db: sqlite3.Connection, wanted: Filter) -> Mapping[date, Mapping[Status, int]]:
    """Counts by the day, UTC, on which the outcome was recorded; days without any are omitted."""
    where = condition(wanted)
    days: dict[date, dict[Status, int]] = {}
    for number, status, count in db.execute(
        "SELECT finished_us / ?, status, count(*) "  # noqa: S608
        f"FROM outcome INDEXED BY by_finish WHERE {where.sql} GROUP BY 1, 2 ORDER BY 1",
        (_DAY_S * _SECOND_US, *where.values),
    ):
        day = datetime.fromtimestamp(number * _DAY_S, UTC).date()
        days.setdefault(day, dict.fromkeys(Status, 0))[STATUSES[status]] = count
    return days
