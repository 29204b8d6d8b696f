"""Thumbnails on disk."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from redzone.thumbnails.disk_cache import DiskCache

PICTURE = b"\xff\xd8\xff" + b"." * 95 + b"\xff\xd9"  # 100 bytes that begin and end as a JPEG does
A, B, C = ("0" * 63 + digit for digit in "abc")


def files_of(shelf: DiskCache) -> list[Path]:
    return sorted(path for path in shelf.folder.rglob("*") if path.is_file())


def unused_for(shelf: DiskCache, sha256: str, hours: float) -> None:
    path = shelf.folder / sha256[:2] / f"{sha256}-w160.jpg"
    then = time.time() - hours * 3600
    os.utime(path, (then, then))


def test_what_is_kept_is_found_again_by_content_and_recipe(tmp_path: Path) -> None:
    """And by nothing else; another process finds it too."""
    DiskCache(tmp_path, 1000).put(A, "w160", PICTURE)
    assert DiskCache(tmp_path, 1000).get(A, "w160") == PICTURE
    assert DiskCache(tmp_path, 1000).get(A, "w400") is None
    assert DiskCache(tmp_path, 1000).get(B, "w160") is None


def test_files_and_folders_are_private(tmp_path: Path) -> None:
    """Whatever the umask."""
    old = os.umask(0)
    try:
        shelf = DiskCache(tmp_path, 1000)
        shelf.put(A, "w160", PICTURE)
    finally:
        os.umask(old)
    (file,) = files_of(shelf)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (shelf.folder, file.parent)} == {0o700}


def test_the_longest_unused_pictures_go_when_there_are_too_many(tmp_path: Path) -> None:
    """A read counts as use, so of two old pictures the one that was looked at stays."""
    shelf = DiskCache(tmp_path, 250)
    shelf.put(A, "w160", PICTURE)
    shelf.put(B, "w160", PICTURE)
    unused_for(shelf, A, 5)
    unused_for(shelf, B, 4)
    assert shelf.get(A, "w160") == PICTURE
    shelf.put(C, "w160", PICTURE)
    assert [shelf.get(sha256, "w160") is not None for sha256 in (A, B, C)] == [True, False, True]


def test_the_cap_holds_for_what_earlier_processes_left(tmp_path: Path) -> None:
    """The first picture counts what is there already, drafts of killed processes too."""
    DiskCache(tmp_path, 10_000).put(A, "w160", PICTURE)
    draft = tmp_path / "thumbnails" / "00" / "left.new"
    draft.write_bytes(b"." * 5000)
    os.utime(draft, (0, 0))
    shelf = DiskCache(tmp_path, 1000)
    shelf.put(B, "w160", PICTURE)
    assert not draft.exists()
    assert [shelf.get(sha256, "w160") is not None for sha256 in (A, B)] == [True, True]


def test_a_file_that_is_not_whole_is_no_picture(tmp_path: Path) -> None:
    """A power cut leaves empty files, and half ones."""
    shelf = DiskCache(tmp_path, 1000)
    shelf.put(A, "w160", PICTURE)
    (file,) = files_of(shelf)
    for torn in (b"", PICTURE[:50]):
        file.write_bytes(torn)
        assert shelf.get(A, "w160") is None


def test_a_disk_that_takes_nothing_is_told_once_and_stops_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The folder's name is taken by a file."""
    (tmp_path / "thumbnails").write_bytes(b"")
    shelf = DiskCache(tmp_path, 1000)
    shelf.put(A, "w160", PICTURE)
    shelf.put(A, "w160", PICTURE)
    assert shelf.get(A, "w160") is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.parametrize(("sha256", "key"), [("../../etc/passwd", "w160"), (A, "../w160"), (A.upper(), "w1")])
def test_a_name_leads_nowhere_else(tmp_path: Path, sha256: str, key: str) -> None:
    """The hash may come from somebody's checkpoint."""
    with pytest.raises(ValueError, match="is not a valid thumbnail key"):
        DiskCache(tmp_path, 1000).get(sha256, key)
