"""The tables of a run's index, and how an outcome is put into them.

Everything in them is derived from the run's files and may be deleted at any time.
"""

from __future__ import annotations

import hashlib

from redzone.models import ElementKind, Outcome, Status
from redzone.query.filter import folded
from redzone.review import ReviewedOutcome

# in the file's header; a file with another number is created again
VERSION = 5
# in the order of Sort.STATUS: what needs attention comes first
STATUSES = (Status.FAIL, Status.UNSURE, Status.ERROR, Status.PASS)
KINDS = tuple(ElementKind)
NO_CONFIDENCE = -1.0  # NULL would compare neither before nor after anything

TABLES = (
    "CREATE TABLE file (name TEXT PRIMARY KEY, inode INTEGER, offset INTEGER, tail BLOB) WITHOUT ROWID",
    """CREATE TABLE outcome (
        row INTEGER PRIMARY KEY, offset INTEGER NOT NULL,
        status INTEGER NOT NULL, original INTEGER NOT NULL, judged INTEGER NOT NULL,
        reviewed INTEGER NOT NULL, disagreed INTEGER NOT NULL, kinds INTEGER NOT NULL,
        unsaid INTEGER NOT NULL, confidence REAL NOT NULL, source TEXT, code TEXT,
        grp TEXT NOT NULL, title TEXT NOT NULL, finished_us INTEGER NOT NULL,
        poster BLOB NOT NULL, poster_id BLOB, picture TEXT, image BLOB NOT NULL
    )""",
    "CREATE TABLE words (row INTEGER PRIMARY KEY, folded BLOB NOT NULL)",
    """CREATE TABLE review (
        row INTEGER NOT NULL, number INTEGER NOT NULL, event TEXT NOT NULL, PRIMARY KEY (row, number)
    ) WITHOUT ROWID""",
)
OUTCOME_COLUMNS = 19
# Every index contains all filtered columns, so that a scan never leaves it: any page of any filter and order
# of 100,000 outcomes takes about 10 ms, and no plan depends on statistics.
_FILTERED = "status, grp, reviewed, disagreed, kinds, source, code, confidence"
FACETS = "status, source, code, kinds, reviewed, disagreed, grp"
_KEYS = {
    "by_confidence": "unsaid, confidence, row",
    "by_falling_confidence": "unsaid, -confidence, row",
    "by_status": "status, row",
    "by_title": "title, row",
    "by_group": "grp, row",
    "by_finish": "-finished_us, row, finished_us",
}
# created after the first lines are inserted, which takes half the time of updating them line by line
INDEXES = (
    f"CREATE INDEX IF NOT EXISTS facets ON outcome ({FACETS}, confidence)",
    f"CREATE INDEX IF NOT EXISTS judgements ON outcome (original, {_FILTERED}) WHERE judged",
    *(f"CREATE INDEX IF NOT EXISTS {name} ON outcome ({keys}, {_FILTERED})" for name, keys in _KEYS.items()),
)


def reviewed_row(reviewed: ReviewedOutcome, outcome: Outcome, offset: int) -> tuple[object, ...]:
    """The columns of table `outcome`; `offset` is the offset of the outcome's line in the checkpoint."""
    zones = outcome.zones
    kinds = {element.kind for zone in zones for element in zone.elements}
    return (
        outcome.row,
        offset,
        STATUSES.index(reviewed.status or outcome.status),
        STATUSES.index(outcome.status),
        reviewed.judged,
        reviewed.reviewed,
        reviewed.disagreed,
        kind_bits(kinds),
        not zones,
        min(zone.confidence_pct for zone in zones) if zones else NO_CONFIDENCE,
        outcome.source,
        outcome.error.code if outcome.error is not None else None,
        outcome.group,
        outcome.title.casefold(),
        round(outcome.finished_at.timestamp() * 1_000_000),
        _digest(f"{len(outcome.id)},{outcome.id}{outcome.image}"),
        # an id that equals the row number is probably made up, and means nothing in another list
        _digest(outcome.id) if outcome.id != str(outcome.row) else None,
        outcome.image_sha256[:16] if outcome.image_sha256 is not None else None,
        _digest(outcome.image),
    )


def words_row(reviewed: ReviewedOutcome, outcome: Outcome) -> tuple[int, bytes]:
    """The columns of table `words`: all searched texts, separated by a byte that no text contains."""
    labels = (element.label for zone in outcome.zones for element in zone.elements)
    texts = (outcome.id, outcome.title, outcome.group, reviewed.justification, reviewed.note or "", *labels)
    return outcome.row, b"\xff".join(map(folded, texts))


def kind_bits(kinds: frozenset[ElementKind] | set[ElementKind]) -> int:
    """One bit for each kind."""
    return sum(1 << number for number, kind in enumerate(KINDS) if kind in kinds)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).digest()
