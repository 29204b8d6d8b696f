"""Encodings, compression, and files that are no text."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from redzone.errors import ExitCode, InputUnusable
from redzone.inputs import InputSpec, open_inputs
from redzone.inputs.text_file import LINE_LIMIT_CHARS
from tests.inputs.reading import opened, posters, read, write

URL = "https://img.example.com/a.jpg"
TABLE = f"id,title,url\n1,Amélie 天,{URL}\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_encodings_with_or_without_their_mark_are_read(tmp_path: Path, encoding: str) -> None:
    """UTF-8, and UTF-16 and UTF-32 with a byte order mark."""
    (poster,) = posters(read(write(tmp_path, "p.csv", TABLE.encode(encoding))))
    assert poster.title == "Amélie 天"
    assert list(poster.columns) == ["id", "title", "url"]


def test_another_encoding_is_found_wherever_it_begins(tmp_path: Path) -> None:
    """A Latin-1 letter at line 90,000: the file is read as what it is, and a note says so."""
    lines = [f"{n},x,{URL}" for n in range(90_000)]
    lines[89_998] = f"1,Amélie,{URL}"
    path = write(tmp_path, "p.csv", ("id,title,url\n" + "\n".join(lines)).encode("latin-1"))
    inputs = opened(path)
    assert "p.csv is not UTF-8; it is read as cp1252 (--encoding changes it)" in inputs.survey().notes[0]
    assert posters(read(path))[89_998].title == "Amélie"


def test_an_encoding_of_much_text_is_told_by_its_letters(tmp_path: Path) -> None:
    """Cyrillic in its own encoding."""
    titles = ["Война и мир", "Летят журавли", "Иваново детство", "Москва слезам не верит", "Зеркало"]
    table = "id,title,url\n" + "".join(f"{n},{title},{URL}\n" for n, title in enumerate(titles))
    found = posters(read(write(tmp_path, "p.csv", table.encode("cp1251"))))
    assert [poster.title for poster in found] == titles


def test_a_given_encoding_is_taken(tmp_path: Path) -> None:
    """Without a guess; one that does not exist is an error."""
    path = write(tmp_path, "p.csv", f"id,title,url\n1,Żądło,{URL}\n".encode("cp1250"))
    inputs = open_inputs(InputSpec((str(path),), encoding="cp1250"))
    assert [row.title for row in inputs.rows()] == ["Żądło"]
    with pytest.raises(InputUnusable, match="--encoding klingon: there is no such encoding"):
        open_inputs(InputSpec((str(path),), encoding="klingon"))


def test_damaged_utf_8_is_an_error_with_line_and_next_step(tmp_path: Path) -> None:
    """A wrong byte among UTF-8 is damage: guessing an encoding would hide it."""
    lines = [f"{n},天,{URL}".encode() for n in range(90_000)]
    lines[89_998] = f"1,Amélie,{URL}".encode("latin-1")
    inputs = opened(write(tmp_path, "p.csv", b"id,title,url\n" + b"\n".join(lines)))
    with pytest.raises(
        InputUnusable, match=r"line 90,000: byte 0xE9 at offset [0-9,]+ is not UTF-8; .*--encoding"
    ) as info:
        inputs.survey()
    assert info.value.exit_code is ExitCode.USAGE


def test_a_wrong_byte_is_found_where_it_is(tmp_path: Path) -> None:
    """The offset is the file's, also behind a byte order mark and in UTF-16."""
    with pytest.raises(InputUnusable, match="line 2: byte 0xFF at offset 8 is"):
        read(write(tmp_path, "a.csv", b"\xef\xbb\xbfurl\nx\xff\n"))
    broken = "url\nab".encode("utf-16-le") + b"\x00\xdc" + "c\n".encode("utf-16-le")
    with pytest.raises(InputUnusable, match=r"line 2: byte 0x00 at offset 14 is not UTF-16"):
        read(write(tmp_path, "b.csv", b"\xff\xfe" + broken))
    with pytest.raises(InputUnusable, match="line 2: byte 0xC3"):
        read(write(tmp_path, "c.csv", b"url\nx\xc3"))


def test_utf_16_without_its_mark_is_named(tmp_path: Path) -> None:
    """The hint says from which encoding to convert."""
    with pytest.raises(InputUnusable, match=r"UTF-16LE without a byte order mark; .*iconv -f UTF-16LE"):
        opened(write(tmp_path, "p.csv", "id,url\n1,https://x.example/\n".encode("utf-16-le")))


@pytest.mark.parametrize("content", ["", "\n\n  \n", "\ufeff", "\ufeff\n"])
def test_an_empty_file_is_an_error(tmp_path: Path, content: str) -> None:
    """Bad input: nothing, or nothing but white space."""
    with pytest.raises(InputUnusable, match="is empty; a table needs a header line and rows"):
        opened(write(tmp_path, "p.csv", content))


def test_binary_files_are_named(tmp_path: Path) -> None:
    """Bad input: what the file is and what to do, instead of a thousand bad rows."""
    workbook, picture = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(workbook, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    Image.new("RGB", (8, 8)).save(picture, "JPEG")
    for content, what in [
        (workbook.getvalue(), "an Excel workbook or another ZIP archive"),
        (picture.getvalue(), "a JPEG image"),
        (b"PAR1\x15\x04\x15", "a Parquet file"),
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF document"),
        (b"id,u\0rl\n1,2\n", "binary data"),
        (gzip.compress(b"PAR1\x15\x04\x15"), "a Parquet file"),
    ]:
        with pytest.raises(InputUnusable, match=f"is {what}, not a table or list; "):
            opened(write(tmp_path, "p.csv", content))


def test_gzip_is_seen_by_content_and_looked_through_by_name(tmp_path: Path) -> None:
    """`p.csv.gz` is a table, `list.txt.gz` a list, and a packed file without `.gz` is read too."""
    packed = gzip.compress(TABLE.encode())
    for name in ("p.csv.gz", "p.csv", "p"):
        assert [row.id for row in read(write(tmp_path, name, packed))] == ["1"]
    (poster,) = posters(read(write(tmp_path, "list.txt.gz", gzip.compress(f"{URL}\n".encode()))))
    assert poster.image == URL


def test_a_cut_off_gzip_file_is_an_error(tmp_path: Path) -> None:
    """A half download never passes for a shorter input."""
    packed = gzip.compress(os.urandom(50_000).hex().encode())
    with pytest.raises(InputUnusable, match="damaged or cut-off gzip file"):
        read(write(tmp_path, "list.txt.gz", packed[:-20_000]))


def test_an_endless_line_is_an_error(tmp_path: Path) -> None:
    """Memory stays bounded where a file has no line breaks."""
    packed = gzip.compress(b"url\n" + b"x" * (LINE_LIMIT_CHARS + 1), compresslevel=1)
    with pytest.raises(InputUnusable, match="line 2: longer than 16,777,216 characters"):
        read(write(tmp_path, "p.csv", packed))


def test_what_is_no_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing, a pipe, no path at all: each with its own words, and the full path where it was not given."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputUnusable) as missing:
        opened(Path("missing.csv"))
    assert str(missing.value) == (
        "missing.csv cannot be read: No such file or directory; "
        f"the full path is {tmp_path}/missing.csv; check the name"
    )
    with pytest.raises(InputUnusable, match=r"^/[^;]*missing.csv cannot be read: [^;]*; check the name$"):
        opened(tmp_path / "missing.csv")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputUnusable, match="pipe or device, which can be read only once"):
        opened(tmp_path / "pipe")
    with pytest.raises(InputUnusable, match="no input"):
        open_inputs(InputSpec(paths=()))
