"""Results as Parquet, with types: for DuckDB, pandas, Spark, BigQuery."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from redzone.errors import UsageError
from redzone.reports.table import TableLayout, result_columns
from redzone.review import ReviewedOutcome

_TYPES = {
    "contains_key_elements": "BOOLEAN",
    "confidence_pct": "DOUBLE",
    "attempts": "INTEGER",
    "cost_usd": "DOUBLE",
    "finished_at": "TIMESTAMPTZ",
    "reviewed": "BOOLEAN",
    "reviewed_at": "TIMESTAMPTZ",
    "disagreed": "BOOLEAN",
}
# by default it uses a thread and a write buffer per core, and 80 % of the machine's memory
_BOUNDS = {"threads": "1", "memory_limit": "512MB", "autoinstall_known_extensions": "false"}
_ROW_GROUP = 20_480  # rows held before they are written: 400,000 rows in 130 MB instead of 360 MB


def write_parquet(path: Path, reviewed_outcomes: Iterable[ReviewedOutcome], layout: TableLayout) -> int:
    """Write the rows in the order given, in constant memory, and return their number.

    The input's own columns are text, unchanged. Verdicts are booleans; percentages, money and counts are
    numbers; instants are UTC timestamps; missing values are null. Raises UsageError.
    """
    import duckdb

    with TemporaryDirectory(prefix="redzone-") as folder:
        lines = Path(folder) / "rows.jsonl"
        count = _spool(lines, reviewed_outcomes, layout)
        try:
            with duckdb.connect(config={**_BOUNDS}) as database:
                database.execute(_copy(layout, path), [str(lines)])
        except duckdb.Error as error:
            raise UsageError(f"{path} cannot be written: {error}; name another file") from error
    return count


def _spool(lines: Path, reviewed_outcomes: Iterable[ReviewedOutcome], layout: TableLayout) -> int:
    """Write one JSON object a line, which DuckDB reads in pieces."""
    count = 0
    with lines.open("w", encoding="utf-8") as stream:
        for reviewed in reviewed_outcomes:
            cells = {f"c{number}": cell for number, cell in enumerate(layout.cells(reviewed))}
            # Parquet holds UTF-8 only, which has no lone surrogates
            text = json.dumps(cells, ensure_ascii=False).encode("utf-8", "replace").decode()
            stream.write(text + "\n")
            count += 1
    return count


def _copy(layout: TableLayout, path: Path) -> str:
    own, judged = layout.input_columns, result_columns(layout.zones)
    columns = layout.columns
    cells = [_name(f"c{number}") for number in range(len(columns))]
    values = [*cells[: len(own)], *map(_typed, cells[len(own) :], judged)]
    named = ", ".join(
        f"{value} AS {_name(name)}" for value, name in zip(values, _usable(columns), strict=True)
    )
    spooled = ", ".join(f"{cell}: 'VARCHAR'" for cell in cells)
    place = str(path).replace("'", "''")
    source = f"read_json(?, format = 'newline_delimited', columns = {{{spooled}}})"
    options = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROW_GROUP}"
    return f"COPY (SELECT {named} FROM {source}) TO '{place}' ({options})"  # noqa: S608  names are quoted


def _typed(cell: str, column: str) -> str:
    kind = next((kind for name, kind in _TYPES.items() if column.endswith(name)), "VARCHAR")
    return f"CAST(NULLIF({cell}, '') AS {kind})"


def _name(text: str) -> str:
    quoted = text.replace('"', '""')
    return f'"{quoted}"'


def _usable(columns: Sequence[str]) -> list[str]:
    """Names that SQL accepts: not empty, and unique whatever the case."""
    taken: set[str] = set()
    names = []
    for number, column in enumerate(columns, start=1):
        base = column.encode("utf-8", "replace").decode().replace("\0", "") or f"column_{number}"
        name, again = base, 2
        while name.casefold() in taken:
            name, again = f"{base}_{again}", again + 1
        taken.add(name.casefold())
        names.append(name)
    return names
