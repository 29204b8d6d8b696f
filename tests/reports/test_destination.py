"""Where results may be written: not onto an input, not over somebody else's file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from redzone.errors import UsageError
from redzone.reports import Format, Report, TableLayout, write_results
from redzone.reports.destination import check_destinations
from redzone.review import ReviewedOutcome
from tests.reports.samples import FACTS, failed, poster

LAYOUT = TableLayout(("content_id", "url"), ("red",))


def write(path: Path, form: Format, rows: int = 2) -> None:
    found = [ReviewedOutcome(poster(row), failed(row)) for row in range(1, rows + 1)]
    write_results(path, form, found, LAYOUT, Report(FACTS))


def refusal(target: Path | str, *inputs: Path, overwrite: bool = False) -> str:
    with pytest.raises(UsageError) as info:
        check_destinations([str(target)], map(str, inputs), overwrite=overwrite)
    return str(info.value)


@pytest.mark.parametrize("form", list(Format))
def test_results_replace_results_of_every_format(tmp_path: Path, form: Format) -> None:
    """`-o results.csv` twice works, whatever the format; so does a new file and an empty one."""
    path = tmp_path / f"results.{form}"
    check_destinations([str(path)])
    path.touch()
    check_destinations([str(path)])
    write(path, form)
    check_destinations([str(path)])


@pytest.mark.parametrize("form", list(Format))
def test_a_file_of_somebody_else_is_not_replaced_unless_asked(tmp_path: Path, form: Format) -> None:
    """Even where it is named like results, and whatever is in it."""
    path = tmp_path / f"films.{form}"
    for content in (
        b"id,title\n1,Heat\n",
        b'{"id": 1}\n',
        b"\xff\xfe\x00",
        b'[{"row": 1}]',
        b"%PDF-1.7 PAR1",
    ):
        path.write_bytes(content)
        assert "exists and was not written by redzone" in refusal(path)
        check_destinations([str(path)], overwrite=True)
        assert path.read_bytes() == content


def test_results_without_a_row_are_results(tmp_path: Path) -> None:
    """An empty array and a lone header."""
    for form in (Format.JSON, Format.CSV):
        write(tmp_path / f"none.{form}", form, rows=0)
        check_destinations([str(tmp_path / f"none.{form}")])


def test_a_table_of_a_run_whose_input_had_our_names_is_ours(tmp_path: Path) -> None:
    """Its result columns begin with `redzone_`."""
    path = tmp_path / "again.csv"
    layout = TableLayout(("status", "model", "cost_usd", "error"), ("red",))
    write_results(path, Format.CSV, [ReviewedOutcome(poster(1), failed(1))], layout)
    assert "redzone_status" in path.read_text()
    check_destinations([str(path)])


def test_the_input_is_never_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name, by another spelling, through links, hard ones too; not even when asked."""
    source = tmp_path / "list.csv"
    source.write_text("id,image\n1,a.jpg\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "soft.csv").symlink_to(source)
    (tmp_path / "hard.csv").hardlink_to(source)
    (tmp_path / "folder").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    for target in ("list.csv", "./sub/../list.csv", "soft.csv", "hard.csv", "folder/list.csv", str(source)):
        assert "is the input" in refusal(target, source, overwrite=True)
    assert "is the input" in refusal(source, Path("list.csv"))
    write(source, Format.CSV)  # results of ours that are judged again are an input like any other
    assert "is the input" in refusal(source, source)


def test_a_place_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    """A folder, a missing folder, a file for a folder, a name that is too long, a pipe for a PDF."""
    (tmp_path / "out.csv").mkdir()
    assert f"is a folder; name a file in it, such as {tmp_path}/out.csv/results.csv" in refusal(
        tmp_path / "out.csv"
    )
    assert "there is no folder" in refusal(tmp_path / "missing" / "out.csv")
    (tmp_path / "file").touch()
    assert "cannot be written: Not a directory" in refusal(tmp_path / "file" / "out.csv")
    assert "cannot be written: File name too long" in refusal(tmp_path / f"{'x' * 300}.csv")
    assert "named twice" in refusal_of_two(tmp_path / "a.csv", tmp_path / "." / "a.csv")
    os.mkfifo(tmp_path / "pipe.pdf")
    os.mkfifo(tmp_path / "pipe.csv")
    assert "is not a file, which .pdf needs" in refusal(tmp_path / "pipe.pdf")
    check_destinations([str(tmp_path / "pipe.csv"), "-"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "out.csv", "pipe.csv", "pipe.pdf"]


def refusal_of_two(*targets: Path) -> str:
    with pytest.raises(UsageError) as info:
        check_destinations([str(target) for target in targets])
    return str(info.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    """Nothing can be created in it; a read-only file is not replaced either."""
    (tmp_path / "kept.csv").touch(mode=0o400)
    assert "is read-only" in refusal(tmp_path / "kept.csv")
    tmp_path.chmod(0o500)
    assert "cannot be written: Permission denied" in refusal(tmp_path / "out.csv")
    tmp_path.chmod(0o700)
