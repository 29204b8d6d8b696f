"""Which column is the image, as real lists call it."""

from __future__ import annotations

from pathlib import Path

import pytest

from redzone.errors import InputUnusable
from redzone.inputs import InputSpec, open_inputs
from tests.inputs.reading import opened, posters, read, reasons, write

URL = "https://img.example.com/a.jpg"


@pytest.mark.parametrize(
    "name",
    [
        *("Poster_Link", "Poster", "poster_path", "posterUrl", "Poster_Url", "thumbnail", "imageUrl"),
        *("Image URL", "image-url", "image-src", "cover", "artwork", "img", "IMG SRC", "\ufeffposter"),
    ],
)
def test_names_are_folded(tmp_path: Path, name: str) -> None:
    """Case, spaces, hyphens, underscores and camelCase make no difference."""
    (poster,) = posters(read(write(tmp_path, "p.csv", f"Overview,{name}\nx,{URL}\n")))
    assert poster.image == URL


def test_the_picture_is_taken_before_the_page(tmp_path: Path) -> None:
    """`url` is often the page about the title."""
    inputs = opened(write(tmp_path, "p.csv", f"id,url,image\n1,https://a.example/page,{URL}\n"))
    (row,) = inputs.rows()
    assert row.columns["image"] == getattr(row, "image", None) == URL
    (note,) = inputs.survey().notes
    assert note.endswith("p.csv: images are taken from image, not from url (--map image=COLUMN changes it)")


def test_values_decide_between_columns_that_could_be_meant(tmp_path: Path) -> None:
    """A `cover` that is a description, and a `thumbnail` that is an address."""
    rows = "".join(f"{n},hard cover,{URL}\n" for n in range(5))
    inputs = opened(write(tmp_path, "p.csv", f"id,cover,thumbnail\n{rows}"))
    assert {getattr(row, "image", None) for row in inputs.rows()} == {URL}
    assert "taken from thumbnail, not from cover" in inputs.survey().notes[0]


def test_a_mapped_column_is_not_questioned(tmp_path: Path) -> None:
    """No note, although another column looks more like it."""
    inputs = opened(write(tmp_path, "p.csv", f"id,image,scan\n1,{URL},b.jpg\n"), image="scan")
    assert [getattr(row, "image", None) for row in inputs.rows()] == [str(tmp_path / "b.jpg")]
    assert inputs.survey().notes == ()


def test_without_a_known_name_the_likeliest_column_is_suggested(tmp_path: Path) -> None:
    """The one whose values look like pictures."""
    with pytest.raises(InputUnusable, match="did you mean --map image=Scan\\? its values look like pictures"):
        opened(write(tmp_path, "p.csv", f"id,Note,Scan\n1,good,{URL}\n"))


@pytest.mark.parametrize("value", ["", "N/A", "nan", "NULL", "None", "-", "#N/A", " n/a "])
def test_a_word_for_nothing_is_an_empty_cell(tmp_path: Path, value: str) -> None:
    """Not a file of that name."""
    (reason,) = reasons(read(write(tmp_path, "p.csv", f"id,image\n1,{value}\n")))
    assert "image is empty" in reason


def test_relative_paths_are_appended_to_an_address(tmp_path: Path) -> None:
    """As in the lists of film databases; addresses stay as they are."""
    path = write(
        tmp_path, "p.csv", f"id,poster_path\n1,/abc.jpg\n2,def.jpg\n3,{URL}\n4,//img.example/x.jpg\n"
    )
    inputs = open_inputs(InputSpec((str(path),), image_base="https://image.example/t/p/w500/"))
    assert [getattr(row, "image", None) for row in inputs.rows()] == [
        "https://image.example/t/p/w500/abc.jpg",
        "https://image.example/t/p/w500/def.jpg",
        URL,
        "https://img.example/x.jpg",
    ]


def test_the_separator_line_of_a_spreadsheet_is_used_and_skipped(tmp_path: Path) -> None:
    """Excel writes and reads `sep=;` as the first line."""
    (poster,) = posters(read(write(tmp_path, "p.csv", f"sep=;\r\nid;image\r\n007;{URL}\r\n")))
    assert (poster.id, poster.image) == ("007", URL)


def test_titles_above_the_header_are_passed_over(tmp_path: Path) -> None:
    """With a note about where the header is."""
    text = f"Poster export,,\nfrom 2026-11-28,,\nid,title,image\n1,Heat,{URL}\n"
    inputs = opened(write(tmp_path, "p.csv", text))
    assert [row.title for row in inputs.rows()] == ["Heat"]
    assert "the header is on line 3" in inputs.survey().notes[0]


def test_a_cell_called_like_a_column_is_no_header(tmp_path: Path) -> None:
    """The header is the first line, although a film is called Poster."""
    inputs = opened(write(tmp_path, "p.csv", f"id,name,scan\n1,Poster,{URL}\n2,Image,{URL}\n"), image="scan")
    assert [row.title for row in inputs.rows()] == ["Poster", "Image"]


def test_a_space_before_a_quote_is_no_part_of_the_cell(tmp_path: Path) -> None:
    """`1, "Heat, 1995"` is two cells."""
    (poster,) = posters(read(write(tmp_path, "p.csv", f'id, title, image\n1, "Heat, 1995", "{URL}"\n')))
    assert (poster.title, poster.image) == ("Heat, 1995", URL)
