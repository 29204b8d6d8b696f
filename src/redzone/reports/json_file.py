"""Results as JSON Lines or one JSON array, without loss: unsafe characters are escaped, not stripped."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import TextIO

from redzone.models import Outcome, Poster
from redzone.reports.table import PENDING, REVIEW_COLUMNS, TableLayout
from redzone.review import ReviewedOutcome

# JSON allows them raw, but terminals interpret C1 and bidi controls, and UTF-8 has no lone surrogates.
_UNSAFE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_INPUT_FIELDS = frozenset({"row", "id", "title", "group", "image"})


def write_jsonl(stream: TextIO, reviewed_outcomes: Iterable[ReviewedOutcome], layout: TableLayout) -> int:
    """Write one object per line and return the number of rows."""
    count = 0
    for reviewed in reviewed_outcomes:
        stream.write(_render(reviewed, layout) + "\n")
        count += 1
    return count


def write_json(stream: TextIO, reviewed_outcomes: Iterable[ReviewedOutcome], layout: TableLayout) -> int:
    """Write one array with an object per line and return the number of rows."""
    count = 0
    stream.write("[")
    for reviewed in reviewed_outcomes:
        stream.write(",\n" if count else "\n")
        stream.write(_render(reviewed, layout))
        count += 1
    stream.write("\n]\n" if count else "]\n")
    return count


def result_object(reviewed: ReviewedOutcome, layout: TableLayout) -> dict[str, object]:
    """The row and its outcome, with the names of the checkpoint; `columns` are the input's own.

    `status` is the one after review. Every object has the same keys. Without an outcome the status is
    `pending` and the rest empty; an unknown cost is null.
    """
    row, outcome = reviewed.row, reviewed.outcome
    image = row.image if isinstance(row, Poster) else ""
    source: dict[str, object] = {
        "row": row.row,
        "id": row.id,
        "title": row.title,
        "group": row.group,
        "image": image,
        "columns": {column: row.columns.get(column, "") for column in layout.input_columns},
    }
    if outcome is None:
        empty = dict.fromkeys((*_OUTCOME_FIELDS, *REVIEW_COLUMNS))
        return source | empty | {"status": PENDING, "zones": []}
    found = outcome.model_dump(mode="json", exclude=set(_INPUT_FIELDS))
    if not layout.cost_is_known(reviewed):
        found["cost_usd"] = None
    return source | found | {"status": reviewed.status} | _reviewed(reviewed)


def _reviewed(reviewed: ReviewedOutcome) -> dict[str, object]:
    at = reviewed.reviewed_at
    values = (
        reviewed.justification,
        reviewed.reviewed,
        reviewed.reviewed_by,
        at.isoformat() if at is not None else None,
        reviewed.original_status,
        reviewed.original_justification,
        reviewed.disagreed,
        reviewed.note,
    )
    return dict(zip(REVIEW_COLUMNS, values, strict=True))


_OUTCOME_FIELDS = tuple(name for name in Outcome.model_fields if name not in _INPUT_FIELDS)


def _render(reviewed: ReviewedOutcome, layout: TableLayout) -> str:
    text = json.dumps(result_object(reviewed, layout), ensure_ascii=False)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
