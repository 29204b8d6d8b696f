"""The SQLite file of a run's index, created again whenever it is missing, old or damaged."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from redzone.query.schema import TABLES, VERSION
from redzone.runs.files import open_private

BUSY_S = 60.0  # how long another process may lock the file: indexing 1,000,000 outcomes takes about that
CACHE_KIB = 16 * 1024
DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def open_database(path: Path) -> sqlite3.Connection:
    """A connection to the file with our tables, usable by any thread, one at a time.

    Raises OSError or sqlite3.OperationalError if the file cannot be written.
    """
    try:
        return _connected(path)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
    remove_database(path)
    return _connected(path)


def remove_database(path: Path) -> None:
    """Delete the file and its companions. Processes that have it open continue with the old one."""
    for part in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        part.unlink(missing_ok=True)


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether the file itself is damaged, so that a new one helps."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in DAMAGED


def _connected(path: Path) -> sqlite3.Connection:
    os.close(open_private(path, os.O_RDWR))
    db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        with suppress(sqlite3.OperationalError):
            # fails at once, without waiting BUSY_S, while another process opens the file, which then switches
            db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        db.execute("PRAGMA temp_store = MEMORY")
        db.execute("CREATE TEMP TABLE hit (row INTEGER PRIMARY KEY)")
        with transaction(db):
            if db.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                clear(db)
    except BaseException:
        db.close()
        raise
    return db


def clear(db: sqlite3.Connection) -> None:
    """Replace everything by our empty tables, within the caller's transaction."""
    names = db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    for (name,) in names.fetchall():
        db.execute(f'DROP TABLE "{name}"')
    for statement in TABLES:
        db.execute(statement)
    db.execute(f"PRAGMA user_version = {VERSION}")


@contextmanager
def snapshot(db: sqlite3.Connection) -> Iterator[None]:
    """A read transaction: the block sees one moment, whatever other processes write."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("COMMIT")


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """A write transaction: all or nothing, one writer at a time across processes."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
