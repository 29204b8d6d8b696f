"""What changed between two runs of a list, and which run came before."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from redzone.inputs import STDIN
from redzone.models import Status
from redzone.query.index import RunIndex
from redzone.query.schema import STATUSES
from redzone.query.values import Change, Comparison, GroupFigures, Trend
from redzone.runs import RecordedState, RunRecord


class _Found(NamedTuple):
    row: int
    status: Status
    poster: bytes
    poster_id: bytes | None
    picture: str | None
    image: bytes


def compare(before: RunIndex, after: RunIndex) -> Comparison:
    """Compare the outcomes of the same posters, by the status after review.

    Posters are the same by id and image. Of the rest, those with an id that is unique on both sides are the
    same, with a replaced picture; in lists without an id column the image alone counts.
    `newly_failing` fail now and did not before; `fixed` pass now and failed before; `flipped` changed in any
    other way.
    """
    old, new = before.ask(_all), after.ask(_all)
    pairs = list(_pairs(old, new))
    changes = sorted(
        (_change(one, other) for one, other in pairs if one.status is not other.status),
        key=lambda change: change.row_after,
    )
    return Comparison(
        newly_failing=tuple(change for change in changes if change.after is Status.FAIL),
        fixed=tuple(change for change in changes if _is_fixed(change)),
        flipped=tuple(one for one in changes if one.after is not Status.FAIL and not _is_fixed(one)),
        unchanged=len(pairs) - len(changes),
        only_before=len(old) - len(pairs),
        only_after=len(new) - len(pairs),
    )


def _all(db: sqlite3.Connection) -> list[_Found]:
    found = db.execute("SELECT row, status, poster, poster_id, picture, image FROM outcome ORDER BY row")
    return [_Found(row, STATUSES[status], *rest) for row, status, *rest in found]


def _pairs(old: Sequence[_Found], new: Sequence[_Found]) -> Iterator[tuple[_Found, _Found]]:
    old, new = list(old), list(new)
    for pairing in (_same_poster, _same_id, _same_image):
        pairs = list(pairing(old, new))
        yield from pairs
        paired = {one.row for one, _ in pairs}, {other.row for _, other in pairs}
        old = [one for one in old if one.row not in paired[0]]
        new = [other for other in new if other.row not in paired[1]]


def _same_poster(old: Sequence[_Found], new: Sequence[_Found]) -> Iterator[tuple[_Found, _Found]]:
    return _in_order(old, new, lambda one: one.poster)


def _same_id(old: Sequence[_Found], new: Sequence[_Found]) -> Iterator[tuple[_Found, _Found]]:
    left = _by_id(old)
    for poster_id, other in _by_id(new).items():
        if poster_id in left:
            yield left[poster_id], other


def _same_image(old: Sequence[_Found], new: Sequence[_Found]) -> Iterator[tuple[_Found, _Found]]:
    """In a list without an id column the id is the row's number, which says nothing about the poster."""
    for one, other in _in_order(old, new, lambda found: found.image):
        if one.poster_id is None or other.poster_id is None:
            yield one, other


def _in_order(
    old: Sequence[_Found], new: Sequence[_Found], key: Callable[[_Found], bytes]
) -> Iterator[tuple[_Found, _Found]]:
    """Those with the same key: the first with the first, the second with the second."""
    waiting: dict[bytes, list[_Found]] = {}
    for one in reversed(old):
        waiting.setdefault(key(one), []).append(one)
    for other in new:
        same = waiting.get(key(other))
        if same:
            yield same.pop(), other


def _by_id(found: Iterable[_Found]) -> dict[bytes, _Found]:
    """Those with a unique id."""
    some = [(one.poster_id, one) for one in found if one.poster_id is not None]
    times = Counter(poster_id for poster_id, _ in some)
    return {poster_id: one for poster_id, one in some if times[poster_id] == 1}


def _change(one: _Found, other: _Found) -> Change:
    known = one.picture is not None and other.picture is not None
    same = one.picture == other.picture if known else None
    return Change(one.row, other.row, one.status, other.status, same)


def _is_fixed(change: Change) -> bool:
    return change.before is Status.FAIL and change.after is Status.PASS


def trends(now: Sequence[GroupFigures], before: Sequence[GroupFigures]) -> tuple[Trend, ...]:
    """Each group of a run with its figures in the run before."""
    known = {group.name: group for group in before}
    return tuple(Trend(group, known.get(group.name)) for group in now)


def run_before(runs: Iterable[RunRecord], record: RunRecord) -> RunRecord | None:
    """Of `runs`, newest first, the newest older one of the same list that has outcomes; None without one.

    A list is identified by its paths, whatever its content and the selected rows; standard input, which has
    no path, by its content.
    """
    for other in runs:
        is_older = (other.created_at, other.id) < (record.created_at, record.id)
        found = other.state is RecordedState.FINISHED or any(other.counts.values())
        if is_older and found and _list_identity(other) == _list_identity(record):
            return other
    return None


def _list_identity(record: RunRecord) -> object:
    return record.input_sha256 if STDIN in record.inputs.paths else record.inputs.paths
