"""Which column is the id, the image, the title, the group: aliases, `--map`, and the header line."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PurePath
from typing import Protocol
from urllib.parse import urlsplit

from redzone.errors import InputUnusable
from redzone.text import clean

# In order of preference. Names are compared folded, without case, spaces and punctuation.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "id": (
        *("content_id", "id", "poster_id", "program_id", "asset_id", "item_id", "movie_id", "title_id"),
        *("imdb_id", "tmdb_id", "tvdb_id", "tconst", "guid", "uuid"),
    ),
    "image": (
        *("poster_img_url", "poster_url", "image_url", "img_url", "poster_image_url", "poster_link"),
        *("poster_image", "poster_img", "poster_path", "poster_src", "poster_file", "image_link"),
        *("image_path", "image_src", "image_file", "img_link", "img_path", "img_src", "picture_url"),
        *("artwork_url", "cover_url", "cover_image", "cover_path", "thumbnail_url", "thumb_url"),
        *("poster", "image", "img", "picture", "artwork", "art", "cover", "thumbnail", "thumb"),
        *("url", "path", "file", "filename"),
    ),
    "title": (
        "content_name",
        "title",
        "name",
        "movie_title",
        "series_title",
        "primary_title",
        "original_title",
    ),
    "group": ("sot_name", "sot", "group"),
}
# What people and programs write into an empty cell.
EMPTY = frozenset({"", "n/a", "#n/a", "na", "nan", "null", "none", "nil", "-", "--", "\u2013", "\u2014", "?"})
# Rows whose values decide between columns that could all be the image.
SAMPLE_ROWS = 50
DELIMITERS = (",", ";", "\t", "|")
IMAGE_SUFFIXES = frozenset({".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp"})


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

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about choices that were made in reading it."""

    def records(self) -> Iterator[Record]:
        """Every row, in order, from the beginning at each call. Raises InputUnusable."""

    def digest(self) -> str:
        """sha256, hex: changes when the rows may have changed."""


def check_mapping(mapping: Mapping[str, str]) -> None:
    """Raises InputUnusable for a role that does not exist."""
    unknown = sorted(set(mapping) - set(ALIASES))
    if unknown:
        raise InputUnusable(f"--map {unknown[0]}=...: there is no such role; map one of {', '.join(ALIASES)}")


def find_roles(
    columns: Sequence[str], mapping: Mapping[str, str], sample: Sequence[Mapping[str, str]] = ()
) -> Roles:
    """The column for each role: the mapped one, else the first alias.

    If several columns could be the image, the values of the `sample` rows decide: the column with the most
    values that look like pictures.
    """
    by_folded: dict[str, str] = {}
    for column in columns:
        by_folded.setdefault(folded(column), column)
    found: dict[str, str | None] = {}
    for role, aliases in ALIASES.items():
        names = (mapping[role],) if role in mapping else aliases
        hits = [name if name in columns else by_folded.get(folded(name)) for name in names]
        candidates = list(dict.fromkeys(hit for hit in hits if hit is not None))
        if role == "image" and sample:
            # max keeps the first of equals: the order of preference
            found[role] = max(candidates, key=lambda name: picture_share(sample, name), default=None)
        else:
            found[role] = candidates[0] if candidates else None
    return Roles(**found)


def required_roles(
    name: str,
    columns: Sequence[str],
    mapping: Mapping[str, str],
    sample: Sequence[Mapping[str, str]] = (),
) -> Roles:
    """`find_roles`; raises InputUnusable, with the nearest column, without an image or a mapped column."""
    roles = find_roles(columns, mapping, sample)
    for role, column in mapping.items():
        if getattr(roles, role) is None:
            raise InputUnusable(
                f"{name} has no column {column} (--map {role}={column}); columns found: {_listed(columns)}"
            )
    if roles.image is None:
        raise InputUnusable(
            f"{name} has no image column; columns found: {_listed(columns)}; {_suggestion(columns, sample)}"
        )
    return roles


def image_choice(name: str, columns: Sequence[str], roles: Roles, mapping: Mapping[str, str]) -> str | None:
    """A sentence about the image column if another one could have been meant."""
    aliases = {folded(alias) for alias in ALIASES["image"]}
    others = [column for column in columns if folded(column) in aliases and column != roles.image]
    if "image" in mapping or not others:
        return None
    chosen = clean(roles.image or "", 60)
    return (
        f"{name}: images are taken from {chosen}, not from {_listed(others)} (--map image=COLUMN changes it)"
    )


def picture_share(sample: Sequence[Mapping[str, str]], column: str) -> float:
    """The share of values that look like pictures, 0-1. An address without a picture's suffix counts half."""
    values = [row.get(column, "").strip() for row in sample]
    return sum(map(_picture_likeness, values)) / max(1, len(values))


def _picture_likeness(value: str) -> float:
    if value.casefold() in EMPTY:
        return 0.0
    path = urlsplit(value).path if "://" in value else value
    if PurePath(path.lower()).suffix in IMAGE_SUFFIXES:
        return 1.0
    return 0.5 if value.startswith(("http://", "https://", "data:image/")) else 0.0


def _suggestion(columns: Sequence[str], sample: Sequence[Mapping[str, str]]) -> str:
    if any("://" in column for column in columns):
        return "add a header line such as `id,image`, or give a .txt list of URLs"
    likeliest = max(columns, key=lambda column: picture_share(sample, column), default=None)
    if likeliest is not None and picture_share(sample, likeliest) > 0:
        return f"did you mean --map image={clean(likeliest, 60)}? its values look like pictures"
    near = get_close_matches("poster", [folded(column) for column in columns], 1, 0.7)
    match = next((column for column in columns if near and folded(column) == near[0]), "COLUMN")
    common = "poster_url, image_url, poster, image, url"
    return f"name one with --map image={clean(match, 60)}, or call it one of {common}"


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


def folded(name: str) -> str:
    """A column name without case, spaces and punctuation: `Poster_Link`, `poster-link` and `posterLink` are
    one."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())
