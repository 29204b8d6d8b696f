"""Lists that came in through the browser: where they lie, under which names, and for how long."""

from __future__ import annotations

import gzip
import os
import stat
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.errors import UsageError
from redzone.web.services import uploads
from redzone.web.services.uploads import Uploads, harmless


@pytest.fixture
def kept(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path / "home")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_list_is_kept_for_its_owner_alone_under_its_own_name(kept: Uploads) -> None:
    """0600 in folders of 0700, byte by byte, and found again by its reference."""
    path = kept.path(kept.keep("posters.csv", BytesIO(b"url\nx.jpg\n")))
    assert path.name == "posters.csv"
    assert path.read_bytes() == b"url\nx.jpg\n"
    assert kept.folder in path.parents
    assert [mode(place) for place in (path, path.parent, kept.folder)] == [0o600, 0o700, 0o700]


def test_two_lists_of_one_name_are_two_files(kept: Uploads) -> None:
    """A run's list is never replaced by a later upload."""
    first, second = (kept.keep("posters.csv", BytesIO(text)) for text in (b"one", b"two"))
    assert kept.path(first).read_bytes() == b"one"
    assert kept.path(second).read_bytes() == b"two"


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\Posters Spring.csv", "Posters_Spring.csv"),
        ("..", "list"),
        ("", "list"),
        (".bashrc", "bashrc"),
        ("--home=x.csv", "home_x.csv"),
        ("a\x00b\x1b[2J\n.csv", "a_b_2J_.csv"),
        ("плакаты.csv", "_.csv"),
        ("x" * 300 + ".csv.gz", "x" * 64 + "x" * 9 + ".csv.gz"),
    ],
)
def test_a_name_is_made_harmless_and_keeps_its_ending(given_name: str, name: str) -> None:
    """No path, no option, no escape, no length that a file system refuses; the ending tells the format."""
    assert harmless(given_name) == name


@given(st.text(max_size=120))
def test_any_name_becomes_one_that_is_its_own_harmless_form(name: str) -> None:
    """And one that a reference may hold."""
    plain = harmless(name)
    assert harmless(plain) == plain
    assert 0 < len(plain) <= 80
    assert plain[0] not in ".-"
    assert plain.isascii()
    assert "/" not in plain


@pytest.mark.parametrize(("size", "reason"), [(0, "is empty"), (11, "larger than"), (500, "larger than")])
def test_an_empty_or_too_large_list_is_refused_and_leaves_nothing(
    kept: Uploads, size: int, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what to do instead; exactly the most is still taken."""
    monkeypatch.setattr(uploads, "MAX_BYTES", 10)
    kept.path(kept.keep("most.csv", BytesIO(bytes(10))))
    with pytest.raises(UsageError, match=reason):
        kept.keep("posters.csv", BytesIO(bytes(size)))
    assert len(list(kept.folder.iterdir())) == 1


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "../secret",
        "20261003-120000-k7wd/../../secret",
        "20261003-120000-k7wd/.hidden",
        "20261003-120000-k7wd/none.csv",
        "/etc/passwd",
        "20261003-120000-k7wd",
    ],
)
def test_a_reference_leads_nowhere_else(kept: Uploads, reference: str) -> None:
    """Whatever a hidden field says."""
    (kept.home.parent / "secret").write_text("secret")
    kept.keep("posters.csv", BytesIO(b"x"))
    with pytest.raises(UsageError, match="upload it again"):
        kept.path(reference)


def test_a_link_among_the_uploads_is_no_upload(kept: Uploads) -> None:
    """It could lead anywhere."""
    path = kept.path(reference := kept.keep("posters.csv", BytesIO(b"x")))
    path.unlink()
    path.symlink_to("/etc/passwd")
    with pytest.raises(UsageError):
        kept.path(reference)


def test_lists_that_no_run_uses_are_forgotten_after_a_day(kept: Uploads) -> None:
    """A run's own list stays for its resume, a fresh one for its start, and strange folders alone."""
    used, unused, fresh = (kept.path(kept.keep("posters.csv", BytesIO(b"x"))) for _ in range(3))
    strange = kept.folder / "mine"
    strange.mkdir()
    for folder in (used.parent, unused.parent, strange):
        os.utime(folder, (0, 0))
    kept.forget_unused([str(used), "/lists/posters.csv", "-"])
    assert (used.exists(), unused.parent.exists(), fresh.exists(), strange.exists()) == (
        True,
        False,
        True,
        True,
    )


def test_without_uploads_there_is_nothing_to_forget(kept: Uploads) -> None:
    """Nor is anything made."""
    kept.forget_unused([])
    assert not kept.home.exists()


def test_a_gzip_file_is_bounded_unpacked(kept: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few kilobytes that unpack to a gigabyte are refused while they come in, and leave nothing behind."""
    monkeypatch.setattr(uploads, "MAX_UNPACKED_BYTES", 2**22)
    bomb = gzip.compress(b"\n" * 2**18 + b"0" * 2**23)
    with pytest.raises(UsageError, match=r"list\.csv\.gz unpacks to more than 4 MB; enter its path"):
        kept.keep("list.csv.gz", BytesIO(bomb))
    assert list(kept.folder.iterdir()) == []


def test_all_members_of_a_gzip_file_count(kept: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files packed one after the other are one file."""
    monkeypatch.setattr(uploads, "MAX_LINES", 10)
    members = gzip.compress(b"a\n" * 6) + gzip.compress(b"b\n" * 4)
    assert kept.path(kept.keep("list.gz", BytesIO(members))).read_bytes() == members
    with pytest.raises(UsageError, match=r"list\.gz has more than 10 lines; split it"):
        kept.keep("list.gz", BytesIO(members + gzip.compress(b"c\n")))


def test_a_damaged_gzip_file_is_named(kept: Uploads) -> None:
    """Nothing of it stays."""
    with pytest.raises(UsageError, match=r"list\.gz is a damaged gzip file: .*; pack it again"):
        kept.keep("list.gz", BytesIO(b"\x1f\x8b\x08\x00 no gzip at all"))
    assert list(kept.folder.iterdir()) == []


def test_a_list_of_too_many_lines_is_refused(kept: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are bounded, too."""
    monkeypatch.setattr(uploads, "MAX_LINES", 3)
    with pytest.raises(UsageError, match="more than 3 lines"):
        kept.keep("list.csv", BytesIO(b"url\n" * 4))
    assert list(kept.folder.iterdir()) == []
