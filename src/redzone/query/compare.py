"""What changed between two runs of a list, and which run came before."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
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


def compare(before: RunIndex, after: RunIndex) -> Comparison:
    """Compare the outcomes of the same posters, by the status after review.

    Posters are the same by id and image. Of the rest, those with an id that is unique on both sides are the
    same, with a replaced picture. `newly_failing` fail now and did not before; `fixed` pass now and failed
    before; `flipped` changed in any other way.
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
    found = db.execute("SELECT row, status, poster, poster_id, picture FROM outcome ORDER BY row")
    return [_Found(row, STATUSES[status], *rest) for row, status, *rest in found]


def _pairs(old: Sequence[_Found], new: Sequence[_Found]) -> Iterator[tuple[_Found, _Found]]:
    # of rows with the same poster, the first is paired with the first, the second with the second
    waiting: dict[bytes, list[_Found]] = {}
    for one in reversed(old):
        waiting.setdefault(one.poster, []).append(one)
    rest = []
    for other in new:
        same = waiting.get(other.poster)
        if same:
            yield same.pop(), other
        else:
            rest.append(other)
    left = _by_id(one for some in waiting.values() for one in some)
    for poster_id, other in _by_id(rest).items():
        if poster_id in left:
            yield left[poster_id], other


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
