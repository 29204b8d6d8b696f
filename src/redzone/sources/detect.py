"""What kind of input a text file is: by its name, and where the name says nothing, by its first lines."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from enum import StrEnum
from pathlib import PurePath

from redzone.sources.columns import find_roles, header_names, sniff_delimiter
from redzone.sources.listing import IMAGE_SUFFIXES


class Kind(StrEnum):
    """How a text file is read."""

    TABLE = "table"
    JSON_LINES = "json-lines"
    JSON_ARRAY = "json-array"
    URL_LIST = "url-list"


_TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".tab"})
_JSON_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson"})


def kind_of(file_name: str, head: str, mapping: Mapping[str, str]) -> Kind:
    """The kind of the text that begins with `head`. A `.gz` at the end of the name is looked through."""
    suffix = PurePath(file_name.lower().removesuffix(".gz")).suffix
    if suffix in _TABLE_SUFFIXES:
        return Kind.TABLE
    text = head.lstrip("\ufeff \t\r\n")
    if suffix in _JSON_SUFFIXES or text[:1] in {"[", "{"}:
        return Kind.JSON_ARRAY if text.startswith("[") else Kind.JSON_LINES
    first = text.split("\n", 1)[0].strip()
    if _names_an_image_column(first, mapping):
        return Kind.TABLE
    looks_listed = first.startswith("#") or "://" in first or PurePath(first.lower()).suffix in IMAGE_SUFFIXES
    return Kind.URL_LIST if suffix == ".txt" or looks_listed else Kind.TABLE


def _names_an_image_column(line: str, mapping: Mapping[str, str]) -> bool:
    try:
        cells = next(csv.reader([line], delimiter=sniff_delimiter(line, mapping)), [])
    except csv.Error:
        return False
    return find_roles(header_names(cells), mapping).image is not None
