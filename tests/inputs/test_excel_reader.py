"""Workbooks, written as a spreadsheet program writes them."""

from __future__ import annotations

import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from redzone.errors import InputUnusable
from tests.inputs.reading import opened, posters, read

URL = "https://img.example.com/a.jpg"
NAMESPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def workbook(path: Path, rows: list[list[str | float]], sheets: tuple[str, ...] = ("Posters",)) -> Path:
    """An .xlsx file with the rows in its first sheet; numbers are numbers."""

    def cell(value: str | float) -> str:
        if isinstance(value, str):
            return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'
        return f"<c><v>{value}</v></c>"

    lines = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    names = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(sheets, 1))
    links = "".join(
        f'<Relationship Id="rId{n}" Type="{RELATIONS}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in range(1, len(sheets) + 1)
    )
    sheet_type = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{sheet_type}.worksheet+xml"/>'
        for n in range(1, len(sheets) + 1)
    )
    files = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{sheet_type}.sheet.main+xml"/>{parts}</Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/>'
        "</Relationships>",
        "xl/workbook.xml": f'<workbook xmlns="{NAMESPACE}" xmlns:r="{RELATIONS}">'
        f"<sheets>{names}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">{links}'
        "</Relationships>",
    }
    for n in range(1, len(sheets) + 1):
        data = lines if n == 1 else ""
        files[f"xl/worksheets/sheet{n}.xml"] = (
            f'<worksheet xmlns="{NAMESPACE}"><sheetData>{data}</sheetData></worksheet>'
        )
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{content}')
    return path


def test_the_first_sheet_is_read_as_text(tmp_path: Path) -> None:
    """Ids stay as they are shown: text with its zeros, whole numbers without a point."""
    path = workbook(
        tmp_path / "p.xlsx",
        [["Export", "", ""], ["content id", "Title", "Poster URL"], ["0012", "Heat", URL], [7, "Ran", URL]],
        sheets=("Posters", "Notes"),
    )
    inputs = opened(path)
    assert [(row.id, row.title) for row in inputs.rows()] == [("0012", "Heat"), ("7", "Ran")]
    assert "the first of 2 sheets is read, Posters" in inputs.survey().notes[0]


def test_a_row_that_is_too_short_has_empty_cells(tmp_path: Path) -> None:
    """Spreadsheets leave empty cells at the end of a row away."""
    found = read(workbook(tmp_path / "p.xlsx", [["image", "title"], [URL]]))
    assert [poster.title for poster in posters(found)] == [""]


def test_an_empty_or_broken_workbook_is_an_error(tmp_path: Path) -> None:
    """Each with its name and the reason."""
    with pytest.raises(InputUnusable, match=r"p\.xlsx is empty"):
        opened(workbook(tmp_path / "p.xlsx", []))
    (tmp_path / "q.xlsx").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(InputUnusable, match=r"q\.xlsx cannot be read as a workbook"):
        opened(tmp_path / "q.xlsx")


def test_without_the_extra_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a traceback out of an import."""
    monkeypatch.setitem(__import__("sys").modules, "python_calamine", None)
    with pytest.raises(InputUnusable, match=r"is an Excel workbook; install the reader"):
        opened(workbook(tmp_path / "p.xlsx", [["image"], [URL]]))
