"""The outcomes of a run, searchable at any size and while the run works."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Self, TypeVar

from redzone.errors import CheckpointUnusable
from redzone.models import Status
from redzone.query import aggregate
from redzone.query.database import is_damage, open_database, remove_database, snapshot
from redzone.query.filter import Filter, Sort, folded
from redzone.query.lookup import CHUNK, Moved, load_reviewed
from redzone.query.sql import COUNTED, ORDERS, condition
from redzone.query.sync import refresh
from redzone.query.values import Agreement, Bin, Facets, GroupFigures, Neighbours, Page
from redzone.review import ReviewedOutcome
from redzone.runs import RunFolder

ALL = Filter()
_T = TypeVar("_T")
_Stamp = tuple[int, int, int]


class RunIndex:
    """A run's outcomes with their reviews; pending rows are not in it.

    Every call reflects the run's files at that moment: `browse.sqlite` in the run's folder is updated first,
    at about 40 us for each new outcome. If the folder cannot be written, a temporary file is used. Calls
    block; any thread may make them, one at a time. All raise CheckpointUnusable if the checkpoint has another
    schema.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._lock = Lock()
        self._db: sqlite3.Connection | None = None
        self._scratch: TemporaryDirectory[str] | None = None
        self._seen: tuple[_Stamp | None, ...] = ()
        self._text: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. A later call opens it again."""
        with self._lock:
            self._close()

    def page(self, wanted: Filter = ALL, sort: Sort = Sort.ROW, number: int = 1, per_page: int = 50) -> Page:
        """Page `number`, from 1, of the matching outcomes."""
        where, (keys, table) = condition(wanted), ORDERS[sort]
        count = f"SELECT count(*) FROM {COUNTED} WHERE {where.sql}"  # noqa: S608  ours, here and below
        some = f"SELECT row FROM {table} WHERE {where.sql} ORDER BY {', '.join(keys)} LIMIT ? OFFSET ?"  # noqa: S608

        def read(db: sqlite3.Connection) -> Page:
            total = db.execute(count, where.values).fetchone()[0]
            found = db.execute(some, (*where.values, per_page, (number - 1) * per_page))
            rows = [row for (row,) in found]
            return Page(load_reviewed(db, self.folder.checkpoint_path, rows), total, number, per_page)

        return self.ask(read, wanted.text)

    def get(self, row: int) -> ReviewedOutcome | None:
        """The outcome of a row; None if it is pending."""
        found = self.get_many([row])
        return found[0] if found else None

    def get_many(self, rows: Sequence[int]) -> tuple[ReviewedOutcome, ...]:
        """The outcomes of these rows in the order given; pending rows are omitted."""
        return self.ask(lambda db: load_reviewed(db, self.folder.checkpoint_path, rows))

    def neighbours(self, wanted: Filter, sort: Sort, row: int) -> Neighbours | None:
        """A row's place among the matching outcomes; None if it is pending."""
        where, (keys, table) = condition(wanted), ORDERS[sort]
        key, marks = ", ".join(keys), ", ".join("?" * len(keys))
        matching = f"FROM {table} WHERE {where.sql}"
        before, behind = f"AND ({key}) < ({marks})", f"AND ({key}) > ({marks})"
        back = ", ".join(f"{one} DESC" for one in keys)

        def read(db: sqlite3.Connection) -> Neighbours | None:
            def one(statement: str, *values: object) -> int | None:
                found = db.execute(statement, (*where.values, *values)).fetchone()
                return found[0] if found else None

            place = db.execute(f"SELECT {key} FROM outcome WHERE row = ?", (row,)).fetchone()  # noqa: S608
            if place is None:
                return None
            ahead = one(f"SELECT count(*) {matching} {before}", *place) or 0
            is_wanted = one(f"SELECT 1 FROM outcome WHERE {where.sql} AND row = ?", row)  # noqa: S608
            return Neighbours(
                previous=one(f"SELECT row {matching} {before} ORDER BY {back} LIMIT 1", *place),
                next=one(f"SELECT row {matching} {behind} ORDER BY {key} LIMIT 1", *place),
                position=ahead + 1 if is_wanted else None,
                total=one(f"SELECT count(*) FROM {COUNTED} WHERE {where.sql}") or 0,  # noqa: S608
            )

        return self.ask(read, wanted.text)

    def rows(self, wanted: Filter = ALL, sort: Sort = Sort.ROW) -> tuple[int, ...]:
        """The rows of all matching outcomes in order."""
        where, (keys, table) = condition(wanted), ORDERS[sort]
        every = f"SELECT row FROM {table} WHERE {where.sql} ORDER BY {', '.join(keys)}"  # noqa: S608
        return self.ask(lambda db: tuple(row for (row,) in db.execute(every, where.values)), wanted.text)

    def reviewed_outcomes(self, wanted: Filter = ALL) -> Iterator[ReviewedOutcome]:
        """All matching outcomes in input order, in constant memory. Those recorded meanwhile may be included
        or not."""
        return (reviewed for _, reviewed in self.walk(wanted) if reviewed is not None)

    def walk(self, wanted: Filter = ALL) -> Iterator[tuple[int, ReviewedOutcome | None]]:
        """Every row that has an outcome, in input order, with the outcome if it matches."""
        where = condition(wanted)
        some = f"SELECT row, {where.sql} FROM outcome NOT INDEXED WHERE row > ? ORDER BY row LIMIT ?"  # noqa: S608
        last = 0

        def read(db: sqlite3.Connection) -> list[tuple[int, ReviewedOutcome | None]]:
            rows = dict(db.execute(some, (*where.values, last, CHUNK)).fetchall())
            mine = [row for row, is_wanted in rows.items() if is_wanted]
            found = {one.row.row: one for one in load_reviewed(db, self.folder.checkpoint_path, mine)}
            return [(row, found.get(row)) for row in rows]

        while some_rows := self.ask(read, wanted.text):
            yield from some_rows
            last = some_rows[-1][0]

    def facets(self, wanted: Filter = ALL) -> Facets:
        """The number of outcomes that each further choice would leave."""
        return self.ask(lambda db: aggregate.count_facets(db, wanted), wanted.text)

    def groups(self, wanted: Filter = ALL) -> tuple[GroupFigures, ...]:
        """Counts by group, the largest group first."""
        return self.ask(lambda db: aggregate.count_groups(db, wanted), wanted.text)

    def confidence(self, wanted: Filter = ALL, bins: int = 20) -> tuple[Bin, ...]:
        """Counts by confidence in `bins` bins of equal width; outcomes without a verdict are in no bin."""
        return self.ask(lambda db: aggregate.count_confidence(db, wanted, bins), wanted.text)

    def agreement(self, wanted: Filter = ALL) -> Agreement:
        """How people's statuses compare with the run's."""
        return self.ask(lambda db: aggregate.count_agreement(db, wanted), wanted.text)

    def days(self, wanted: Filter = ALL) -> Mapping[date, Mapping[Status, int]]:
        """Counts by the day, UTC, on which the outcome was recorded; days without any are omitted."""
        return self.ask(lambda db: aggregate.count_days(db, wanted), wanted.text)

    def ask(self, query: Callable[[sqlite3.Connection], _T], text: str = "") -> _T:
        """Query the tables of `schema.py`, which are updated first; with `text`, the table `hit` holds the
        rows that contain it."""
        with self._lock:
            try:
                return self._answer(query, text)
            except Moved:
                # replaced just now: the tables are filled again
                self._seen = ()
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                self._close()
                remove_database(self.folder.browse_path)
            try:
                return self._answer(query, text)
            except Moved:
                raise CheckpointUnusable(
                    f"{self.folder.checkpoint_path} has changed while it was read; run "
                    f"`redzone check {self.folder.id}`"
                ) from None

    def _answer(self, query: Callable[[sqlite3.Connection], _T], text: str) -> _T:
        db = self._db = self._db or self._open()
        files = (self.folder.checkpoint_path, self.folder.reviews_path)
        # taken first: what is added during the update is read the next time
        now = tuple(map(_stamp, files))
        if now != self._seen:
            refresh(db, *files)
            self._seen, self._text = now, None
        with snapshot(db):
            if text and text != self._text:
                db.execute("DELETE FROM temp.hit")
                db.execute(
                    "INSERT INTO temp.hit SELECT row FROM words WHERE instr(folded, ?)", (folded(text),)
                )
                self._text = text
            return query(db)

    def _open(self) -> sqlite3.Connection:
        try:
            return open_database(self.folder.browse_path)
        except (OSError, sqlite3.OperationalError):
            # another user's folder, or a disk that is full or read-only
            self._scratch = TemporaryDirectory(prefix="redzone-browse-")
            return open_database(Path(self._scratch.name) / self.folder.browse_path.name)

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
        if self._scratch is not None:
            self._scratch.cleanup()
        self._db, self._scratch, self._seen, self._text = None, None, (), None


def _stamp(path: Path) -> _Stamp | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
