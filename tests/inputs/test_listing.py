"""Lists of URLs, folders of images, and what an unnamed text is taken for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from redzone.errors import InputUnusable
from redzone.inputs.reader import Kind, detect_kind
from tests.inputs.reading import opened, posters, read, reasons, write

URL = "https://img.example.com/a.jpg"


def test_a_list_has_a_row_for_every_line_that_says_something(tmp_path: Path) -> None:
    """Comments and blank lines are no rows; the id is the row number; a path is relative to the list."""
    path = write(tmp_path, "list.txt", f"# posters\n\n  {URL}#part\r\nimages/b.jpg\n")
    rows = posters(read(path))
    assert [(row.row, row.id, row.image) for row in rows] == [
        (1, "1", f"{URL}#part"),
        (2, "2", str(tmp_path / "images/b.jpg")),
    ]
    assert opened(path).columns == ("url",)
    assert rows[0].columns == {"url": f"{URL}#part"}


def test_a_list_of_comments_has_no_rows(tmp_path: Path) -> None:
    """An empty run is a mistake worth a word."""
    with pytest.raises(InputUnusable, match="has no rows; there is nothing to analyse"):
        opened(write(tmp_path, "list.txt", "# nothing\n")).survey()


def test_a_folder_has_a_row_for_every_image_in_natural_order(tmp_path: Path) -> None:
    """Subfolders too; hidden files, other files and linked folders are no rows."""
    (tmp_path / "b").mkdir()
    (tmp_path / ".cache").mkdir()
    for name in ["p10.jpg", "p2.PNG", "b/p1.webp", "notes.txt", ".hidden.jpg", ".cache/x.jpg"]:
        write(tmp_path, name, b"x")
    (tmp_path / "b" / "loop").symlink_to(tmp_path)
    rows = posters(read(tmp_path))
    assert [row.id for row in rows] == ["b/p1", "p2", "p10"]
    assert [row.image for row in rows] == [
        str(tmp_path / name) for name in ("b/p1.webp", "p2.PNG", "p10.jpg")
    ]
    assert rows[0].columns == {"id": "b/p1", "path": "b/p1.webp"}


def test_a_folder_without_images_is_an_error(tmp_path: Path) -> None:
    """It names the kinds of file that count."""
    write(tmp_path, "notes.txt", "x")
    with pytest.raises(InputUnusable, match=r"holds no image: \.avif, \.bmp"):
        opened(tmp_path).survey()


def test_a_file_name_that_is_no_text_is_a_bad_row(tmp_path: Path) -> None:
    """It could not be written into a checkpoint."""
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\xff.jpg")).write_bytes(b"x")
    rows = read(tmp_path)
    assert [row.id for row in rows] == ["a?"]
    assert "its file name is not UTF-8; rename it" in reasons(rows)[0]


def test_a_folder_s_digest_changes_with_names_and_sizes_and_not_with_times(tmp_path: Path) -> None:
    """A copy of the folder is the same input."""
    image = write(tmp_path, "a.jpg", b"x")
    first = opened(tmp_path).survey().sha256
    os.utime(image, (1, 1))
    assert opened(tmp_path).survey().sha256 == first
    write(tmp_path, "a.jpg", b"xy")
    second = opened(tmp_path).survey().sha256
    image.rename(tmp_path / "b.jpg")
    assert len({first, second, opened(tmp_path).survey().sha256}) == 3


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("p.csv", "{", Kind.TABLE),
        ("p.tsv.gz", URL, Kind.TABLE),
        ("p.json", ' \n[{"url": ""}]', Kind.JSON_ARRAY),
        ("p.json", '{"url": ""}', Kind.JSON_LINES),
        ("p.ndjson", "nonsense", Kind.JSON_LINES),
        ("p.txt", "posters/a.jpg", Kind.URL_LIST),
        ("p.txt", "id\timage_url\n", Kind.TABLE),
        ("p.txt", "anything", Kind.URL_LIST),
        ("", f"\ufeff{URL}\n", Kind.URL_LIST),
        ("", f"# list\n{URL}\n", Kind.URL_LIST),
        ("", "# list\n", None),
        ("posters.txt", "# list\n", Kind.URL_LIST),
        ("kometa.yml", "# a comment\ncollections:\n", None),
        ("notes.md", "# Posters\n\nSee below.\n", None),
        ("settings.ini", "[posters]\nsize=1\n", None),
        ("", "images/a.webp\n", Kind.URL_LIST),
        ("", "id;poster_url\n", Kind.TABLE),
        ("", "id;cover\n", Kind.TABLE),
        ("", '{"url": ""}\n', Kind.JSON_LINES),
        ("", '[{"url": ""}]', Kind.JSON_ARRAY),
    ],
)
def test_the_name_decides_and_else_the_first_lines(name: str, head: str, kind: Kind | None) -> None:
    """Standard input has no name at all."""
    assert detect_kind(name, head, {}) is kind
