"""Results as JSON Lines or one JSON array, without loss: unsafe characters are escaped, not stripped."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import TextIO

from redzone.models import Outcome, Poster, Row
from redzone.reports.table import PENDING, Layout

# JSON allows these as they are, but terminals obey C1 and bidi controls, and lone surrogates are no UTF-8.
_UNSAFE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_INPUT_FIELDS = frozenset({"row", "id", "title", "group", "image"})


def write_jsonl(stream: TextIO, rows: Iterable[tuple[Row, Outcome | None]], layout: Layout) -> int:
    """Write one object a line; the number of rows written."""
    count = 0
    for row, outcome in rows:
        stream.write(_render(row, outcome, layout) + "\n")
        count += 1
    return count


def write_json(stream: TextIO, rows: Iterable[tuple[Row, Outcome | None]], layout: Layout) -> int:
    """Write one array with an object per line; the number of rows written."""
    count = 0
    stream.write("[")
    for row, outcome in rows:
        stream.write(",\n" if count else "\n")
        stream.write(_render(row, outcome, layout))
        count += 1
    stream.write("\n]\n" if count else "]\n")
    return count


def result_object(row: Row, outcome: Outcome | None, layout: Layout) -> dict[str, object]:
    """The row and its outcome, with the names of the checkpoint; `columns` are the input's own.

    Every object has the same keys. Without an outcome the status is `pending` and the rest empty.
    """
    image = row.image if isinstance(row, Poster) else ""
    subject: dict[str, object] = {
        "row": row.row,
        "id": row.id,
        "title": row.title,
        "group": row.group,
        "image": image,
        "columns": {column: row.columns.get(column, "") for column in layout.input_columns},
    }
    if outcome is None:
        return subject | dict.fromkeys(_OUTCOME_FIELDS) | {"status": PENDING, "zones": []}
    return subject | outcome.model_dump(mode="json", exclude=set(_INPUT_FIELDS))


_OUTCOME_FIELDS = tuple(name for name in Outcome.model_fields if name not in _INPUT_FIELDS)


def _render(row: Row, outcome: Outcome | None, layout: Layout) -> str:
    text = json.dumps(result_object(row, outcome, layout), ensure_ascii=False)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
