"""CSV and TSV: dialects, columns, and rows that are not what they should be."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.errors import InputUnusable
from redzone.inputs.csv_reader import RECOVERY_LIMIT
from redzone.models import BadRow
from tests.inputs.reading import opened, posters, read, reasons, write

URL = "https://img.example.com/a.jpg"


def test_the_issue_s_columns_are_found_by_name_and_every_column_is_kept(tmp_path: Path) -> None:
    """content_id, content_name, sot_name and poster_img_url have roles; `year` just travels along."""
    path = write(
        tmp_path,
        "p.csv",
        f"content_id,content_name,sot_name,poster_img_url,year\n0012,Heat,award,{URL},1995\n",
    )
    (poster,) = posters(read(path))
    assert (poster.row, poster.id, poster.title, poster.group, poster.image) == (
        1,
        "0012",
        "Heat",
        "award",
        URL,
    )
    assert poster.columns == {
        "content_id": "0012",
        "content_name": "Heat",
        "sot_name": "award",
        "poster_img_url": URL,
        "year": "1995",
    }


@pytest.mark.parametrize(
    "alias", ["poster_img_url", "poster_url", "image_url", "img_url", "url", "image", "path"]
)
def test_every_alias_of_the_image_column_works_in_any_case(tmp_path: Path, alias: str) -> None:
    """Header names match regardless of case, surrounding spaces and a byte order mark."""
    path = write(tmp_path, "p.csv", f"\ufeff {alias.upper()} ,Id\n{URL},7\n")
    (poster,) = posters(read(path))
    assert (poster.id, poster.image) == ("7", URL)
    assert opened(path).columns == (alias.upper(), "Id")


def test_the_first_alias_in_the_documented_order_wins(tmp_path: Path) -> None:
    """poster_img_url is preferred to url, content_id to id, wherever they stand."""
    path = write(
        tmp_path, "p.csv", f"url,id,poster_img_url,content_id\nhttps://page.example.com/,1,{URL},c1\n"
    )
    (poster,) = posters(read(path))
    assert (poster.id, poster.image) == ("c1", URL)


def test_a_mapping_overrides_the_aliases(tmp_path: Path) -> None:
    """--map names columns by role, regardless of case."""
    path = write(tmp_path, "p.csv", f"id,url,Cover,Key\n1,https://page.example.com/,{URL},k9\n")
    (poster,) = posters(read(path, image="cover", id="Key"))
    assert (poster.id, poster.image) == ("k9", URL)


def test_a_mapped_column_that_is_missing_is_an_error_that_lists_the_columns(tmp_path: Path) -> None:
    """A typing mistake in --map never falls back to an alias."""
    path = write(tmp_path, "p.csv", f"id,url\n1,{URL}\n")
    with pytest.raises(InputUnusable, match=r"no column Cover .*columns found: id, url"):
        opened(path, image="Cover")
    with pytest.raises(InputUnusable, match="no such role; map one of id, image, title, group"):
        opened(path, picture="url")


def test_no_image_column_is_an_error_that_lists_the_columns_and_suggests_map(tmp_path: Path) -> None:
    """Bad input: what it found and the next step, at once."""
    path = write(tmp_path, "p.csv", "content_id,scan\n1,a.jpg\n")
    with pytest.raises(
        InputUnusable, match=r"no image column; columns found: content_id, scan; .*--map image=scan"
    ):
        opened(path)


def test_a_header_cannot_steer_the_terminal_that_shows_the_error(tmp_path: Path) -> None:
    """The columns listed are cleaned, and a thousand of them are not all listed."""
    names = ["\x1b[2Jid", "x" * 100, *(f"c{number}" for number in range(1000))]
    with pytest.raises(InputUnusable, match=r"found: id, x{59}…, c0, .*, c27, and 972 more; ") as info:
        opened(write(tmp_path, "p.csv", ",".join(names) + "\n1\n"))
    assert "\x1b" not in str(info.value)


def test_a_table_without_a_header_line_says_so(tmp_path: Path) -> None:
    """A URL where a column name is expected means that the header is missing."""
    path = write(tmp_path, "p.csv", f"1,{URL}\n2,{URL}\n")
    with pytest.raises(InputUnusable, match="add a header line"):
        opened(path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["p.csv", "p.tsv", "p"])
def test_the_delimiter_is_found_from_the_header(tmp_path: Path, delimiter: str, name: str) -> None:
    """Whatever the extension, and although another delimiter stands in a column's name."""
    header = delimiter.join(["id", '"title, original; or | other"', "image_url"])
    path = write(tmp_path, name, f"{header}\n{delimiter.join(['1', 'x', URL])}\n")
    (poster,) = posters(read(path))
    assert (poster.id, poster.image) == ("1", URL)


def test_blank_lines_are_no_rows_and_line_numbers_are_the_file_s(tmp_path: Path) -> None:
    """Rows count data, reasons name the physical line."""
    path = write(tmp_path, "p.csv", f"\n\nid,url\n\n1,{URL}\n   \n2,\n")
    rows = read(path)
    assert [row.row for row in rows] == [1, 2]
    assert reasons(rows) == [f"{path} line 7: url is empty"]


def test_bad_rows_are_rows_with_a_reason(tmp_path: Path) -> None:
    """Empty image, too few and too many cells, NUL, text after a quote, an endless cell: none is dropped."""
    body = [
        f"1,{URL},ok",
        "2,,no image",
        f"3,{URL}",
        f"4,{URL},x,surplus,more",
        f"5,{URL},a\0b",
        f'6,{URL},"a"b',
        f"7,{URL},{'x' * 140_000}",
        f"8,{URL}\x07,x",
        f"9,{URL},ok",
    ]
    path = write(tmp_path, "p.csv", "id,url,note\n" + "\n".join(body) + "\n")
    rows = read(path)
    assert [row.row for row in rows] == list(range(1, 10))
    assert [row.id for row in rows] == ["1", "2", "3", "4", "5", "6", "7", "8", "9"]
    wanted = [
        "line 3: url is empty",
        "line 4: it has 2 cells where the header has 3",
        "line 5: it has 5 cells where the header has 3; beyond the header's columns: surplus,more",
        "line 6: it contains a NUL character",
        "line 7: text follows a closing quote",
        "line 8: a cell is longer than 131,072 characters",
        "line 9: url contains a control character",
    ]
    assert all(part in reason for part, reason in zip(wanted, reasons(rows), strict=True))


def test_quoted_cells_hold_line_breaks_delimiters_and_quotes(tmp_path: Path) -> None:
    """A record may span lines; the next one's line number is right all the same."""
    path = write(tmp_path, "p.csv", f'id,note,url\r\n1,"two\r\nlines, ""quoted""",{URL}\r\n2,x,\r\n')
    first, second = read(path)
    assert first.columns["note"] == 'two\r\nlines, "quoted"'
    assert reasons([second]) == [f"{path} line 4: url is empty"]


def test_an_unclosed_quote_costs_its_own_row_only(tmp_path: Path) -> None:
    """It would swallow the file up to the next quote or the end; the lines behind it are read as rows."""
    lines = [f'{n},"never closed,{URL}' if n == 3 else f"{n},t,{URL}" for n in range(1, 2000)]
    rows = read(write(tmp_path, "p.csv", "id,title,url\n" + "\n".join(lines)))
    assert [row.id for row in rows] == [str(n) for n in range(1, 2000)]
    assert [row.row for row in rows if isinstance(row, BadRow)] == [3]
    assert "line 4: a quote is opened on this line and not closed" in reasons(rows)[0]


def test_an_unclosed_quote_that_meets_the_next_quote_costs_its_own_row_only(tmp_path: Path) -> None:
    """The other quote's row is good."""
    path = write(tmp_path, "p.csv", f'id,title,url\n1,"open,{URL}\n2,t,{URL}\n3,"closed, yes",{URL}\n')
    rows = read(path)
    assert [(row.id, isinstance(row, BadRow)) for row in rows] == [("1", True), ("2", False), ("3", False)]


def test_quotes_broken_all_over_stop_the_reading(tmp_path: Path) -> None:
    """Every recovery reads ahead, so their number is bounded."""
    lines = [f'{n},"open,{URL}' for n in range(RECOVERY_LIMIT + 10)]
    with pytest.raises(InputUnusable, match="quotes are never closed"):
        read(write(tmp_path, "p.csv", "id,title,url\n" + "\n".join(lines)))


def test_ids_stay_text_and_a_missing_id_is_the_row_number(tmp_path: Path) -> None:
    """`0012` keeps its zeros and `=cmd()` is an id like any other; an empty one falls back to the row."""
    path = write(tmp_path, "p.csv", f"id,url\n0012,{URL}\n=cmd(),{URL}\n,{URL}\n")
    assert [poster.id for poster in posters(read(path))] == ["0012", "=cmd()", "3"]
    assert [row.id for row in read(write(tmp_path, "q.csv", f"url\n{URL}\n"))] == ["1"]


def test_titles_with_terminal_escapes_and_markup_are_kept_as_data(tmp_path: Path) -> None:
    """The row is good and its columns untouched; making text safe is the business of who shows it."""
    title = "\x1b[31mred\x1b[0m [/bold]"
    (poster,) = posters(read(write(tmp_path, "p.csv", f"title,url\n{title},{URL}\n")))
    assert poster.title == title


def test_nameless_and_repeated_columns_get_names_of_their_own(tmp_path: Path) -> None:
    """No cell hides another one."""
    path = write(tmp_path, "p.csv", f",url,note,note\n0,{URL},a,b\n")
    (poster,) = posters(read(path))
    assert poster.columns == {"column_1": "0", "url": URL, "note": "a", "note_2": "b"}


def test_relative_paths_are_relative_to_the_input_and_schemes_are_left_alone(tmp_path: Path) -> None:
    """`Mission: Impossible.jpg` is a file; `s3://` and `file:` go to the fetcher as they are."""
    images = [
        "images/a.jpg",
        "/abs/b.jpg",
        "Mission: Impossible.jpg",
        URL,
        "HTTP://X.example/c",
        "s3://b/k",
        "file:/x",
    ]
    path = write(tmp_path, "p.csv", "image\n" + "\n".join(images))
    read_images = [poster.image for poster in posters(read(path))]
    assert read_images[:3] == [str(tmp_path / "images/a.jpg"), "/abs/b.jpg", str(tmp_path / images[2])]
    assert read_images[3:] == images[3:]


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@given(
    rows=st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=8),
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_a_csv_writer_wrote_is_read_back(
    rows: list[tuple[str, str, str]], delimiter: str, end: str
) -> None:
    """parse(render(rows)) == rows, in every dialect, for any text."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(["id", "title", "note", "url"])
    writer.writerows((*row, URL) for row in rows)
    with tempfile.TemporaryDirectory() as folder:
        got = posters(read(write(Path(folder), "p.csv", out.getvalue())))
    assert [tuple(row.columns.values())[:3] for row in got] == rows
    assert [row.row for row in got] == list(range(1, len(rows) + 1))


NOISE = st.text(st.sampled_from('",\n\r\t ab;\0'), max_size=12)


@given(noise=st.lists(NOISE, min_size=1, max_size=12))
def test_no_line_is_ever_dropped(noise: list[str]) -> None:
    """Whatever stands between them, every marker appears in some row's cells or in its reason."""
    body = "".join(f"{text}m{number}x\n" for number, text in enumerate(noise))
    long = f"0,{URL}?{'x' * 2000}\n"  # so that a NUL here and there does not make the file binary data
    with tempfile.TemporaryDirectory() as folder:
        rows = read(write(Path(folder), "p.csv", "id,url\n" + long + body))
    assert [row.row for row in rows] == list(range(1, len(rows) + 1))
    kept = " ".join([*reasons(rows), *(cell for row in rows for cell in row.columns.values())])
    assert [number for number in range(len(noise)) if f"m{number}x" not in kept] == []
