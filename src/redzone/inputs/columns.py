"""Which column is the id, the image, the title, the group: aliases, `--map`, and the header line."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from redzone.errors import InputUnusable
from redzone.text import clean

# In order of preference: the first alias that the input has is taken.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "id": ("content_id", "id", "poster_id", "program_id"),
    "image": ("poster_img_url", "poster_url", "image_url", "img_url", "url", "image", "path"),
    "title": ("content_name", "title", "name"),
    "group": ("sot_name", "sot", "group"),
}
DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True, slots=True)
class Roles:
    """The columns that redzone reads; None where the input has none."""

    id: str | None = None
    image: str | None = None
    title: str | None = None
    group: str | None = None


# One row as the file has it: its first line, its cells by column, and a fault if they cannot be relied on. A
# plain tuple: a named one costs 0.3 us more a row.
Record = tuple[int, dict[str, str], str | None]


class InputSource(Protocol):
    """One input. `base_dir` is what its relative image paths are relative to."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def base_dir(self) -> Path:
        """An absolute folder."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns in order. May read the whole input. Raises InputUnusable."""

    @property
    def roles(self) -> Roles:
        """Which of the columns are used for what. Raises InputUnusable where no image column exists."""

    def records(self) -> Iterator[Record]:
        """Every row, in order, from the beginning at each call. Raises InputUnusable."""

    def digest(self) -> str:
        """sha256, hex: changes when the rows may have changed."""


def check_mapping(mapping: Mapping[str, str]) -> None:
    """Raises InputUnusable for a role that does not exist."""
    unknown = sorted(set(mapping) - set(ALIASES))
    if unknown:
        raise InputUnusable(f"--map {unknown[0]}=...: there is no such role; map one of {', '.join(ALIASES)}")


def find_roles(columns: Sequence[str], mapping: Mapping[str, str]) -> Roles:
    """The column for each role: the mapped one, else the first alias; names match regardless of case."""
    by_folded: dict[str, str] = {}
    for column in columns:
        by_folded.setdefault(_folded(column), column)
    found: dict[str, str | None] = {}
    for role, aliases in ALIASES.items():
        wanted = (mapping[role],) if role in mapping else aliases
        hits = (name if name in columns else by_folded.get(_folded(name)) for name in wanted)
        found[role] = next((hit for hit in hits if hit is not None), None)
    return Roles(**found)


def required_roles(name: str, columns: Sequence[str], mapping: Mapping[str, str]) -> Roles:
    """`find_roles`; raises InputUnusable, listing the columns, without an image or a mapped column."""
    roles = find_roles(columns, mapping)
    listed = _listed(columns)
    for role, column in mapping.items():
        if getattr(roles, role) is None:
            raise InputUnusable(
                f"{name} has no column {column} (--map {role}={column}); columns found: {listed}"
            )
    if roles.image is None:
        hint = "add a header line such as `id,image`, or give a .txt list of URLs"
        if not any("://" in column for column in columns):
            hint = f"name one with --map image=COLUMN, or call it one of {', '.join(ALIASES['image'])}"
        raise InputUnusable(f"{name} has no image column; columns found: {listed}; {hint}")
    return roles


def header_names(cells: Sequence[str]) -> tuple[str, ...]:
    """Names without surrounding spaces and BOM. Nameless columns get `column_N`, repeated ones `name_2`."""
    names: list[str] = []
    for position, cell in enumerate(cells, 1):
        name = base = cell.strip().strip("\ufeff").strip() or f"column_{position}"
        count = 1
        while name in names:
            count += 1
            name = f"{base}_{count}"
        names.append(name)
    return tuple(names)


def sniff_delimiter(header_line: str, mapping: Mapping[str, str]) -> str:
    """The delimiter under which the header names most roles, then has most cells; a comma in doubt."""

    def fitness(delimiter: str) -> tuple[int, int]:
        try:
            cells = next(csv.reader([header_line], delimiter=delimiter))
        except (csv.Error, StopIteration):
            return 0, 0
        roles = find_roles(header_names(cells), mapping)
        return sum(getattr(roles, role) is not None for role in ALIASES), len(cells)

    return max(DELIMITERS, key=fitness)


def _listed(columns: Sequence[str]) -> str:
    """Column names for a message: the file's own words, so they are cleaned, and not thousands of them."""
    shown = [clean(column, 60) for column in columns[:30]]
    if len(columns) > len(shown):
        shown.append(f"and {len(columns) - len(shown):,} more")
    return ", ".join(shown) or "none"


def _folded(name: str) -> str:
    return name.strip().strip("\ufeff").strip().casefold()
