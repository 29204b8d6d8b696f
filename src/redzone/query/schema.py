"""The tables that a run's findings are looked up in, and how a finding is put into them.

Everything in them is derived from the run's files and may be deleted at any time.
"""

from __future__ import annotations

import hashlib

from redzone.models import ElementKind, Outcome, Status
from redzone.query.filter import folded
from redzone.review import ReviewedOutcome

# kept in the file's header; with another number the file is made anew
VERSION = 3
# in the order of Sort.STATUS: what somebody must look at comes first
STATUSES = (Status.FAIL, Status.UNSURE, Status.ERROR, Status.PASS)
KINDS = tuple(ElementKind)
NO_CONFIDENCE = -1.0  # NULL would compare as neither before nor behind anything

TABLES = (
    "CREATE TABLE file (name TEXT PRIMARY KEY, inode INTEGER, offset INTEGER, tail BLOB) WITHOUT ROWID",
    """CREATE TABLE finding (
        row INTEGER PRIMARY KEY, offset INTEGER NOT NULL,
        status INTEGER NOT NULL, original INTEGER NOT NULL, judged INTEGER NOT NULL,
        reviewed INTEGER NOT NULL, disagreed INTEGER NOT NULL, kinds INTEGER NOT NULL,
        unsaid INTEGER NOT NULL, confidence REAL NOT NULL, source TEXT, code TEXT,
        grp TEXT NOT NULL, title TEXT NOT NULL, finished_us INTEGER NOT NULL,
        poster BLOB NOT NULL, poster_id BLOB, picture TEXT
    )""",
    "CREATE TABLE words (row INTEGER PRIMARY KEY, folded BLOB NOT NULL)",
    """CREATE TABLE review (
        row INTEGER NOT NULL, number INTEGER NOT NULL, event TEXT NOT NULL, PRIMARY KEY (row, number)
    ) WITHOUT ROWID""",
)
FINDING_COLUMNS = 18
# What filters look at stands in every index, so that a scan never leaves it: any page of any filter and order
# of 100,000 findings takes about 10 ms, and no plan depends on statistics.
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
# made when the first lines are in, which takes half the time of keeping them up line by line
INDEXES = (
    f"CREATE INDEX IF NOT EXISTS facets ON finding ({FACETS}, confidence)",
    f"CREATE INDEX IF NOT EXISTS judgements ON finding (original, {_FILTERED}) WHERE judged",
    *(f"CREATE INDEX IF NOT EXISTS {name} ON finding ({keys}, {_FILTERED})" for name, keys in _KEYS.items()),
)


def reviewed_row(reviewed: ReviewedOutcome, outcome: Outcome, offset: int) -> tuple[object, ...]:
    """The columns of table `finding`; `offset` is where the outcome's line begins in the checkpoint."""
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
        # an id that is the row's number may be none of the list's, and tells nothing in another list
        _digest(outcome.id) if outcome.id != str(outcome.row) else None,
        outcome.image_sha256[:16] if outcome.image_sha256 is not None else None,
    )


def words_row(reviewed: ReviewedOutcome, outcome: Outcome) -> tuple[int, bytes]:
    """The columns of table `words`: every text that is searched, with a byte between that no text has."""
    labels = (element.label for zone in outcome.zones for element in zone.elements)
    texts = (outcome.id, outcome.title, outcome.group, reviewed.justification, reviewed.note or "", *labels)
    return outcome.row, b"\xff".join(map(folded, texts))


def kind_bits(kinds: frozenset[ElementKind] | set[ElementKind]) -> int:
    """One bit for each kind."""
    return sum(1 << number for number, kind in enumerate(KINDS) if kind in kinds)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).digest()
