"""The file of reviews: private, durable, safe to write from everywhere."""

from __future__ import annotations

import logging
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from redzone.errors import UsageError
from redzone.models import Status
from redzone.review import Action, Review
from redzone.runs.jsonl import TORN, seal
from redzone.runs.reviews import append_reviews, read_reviews, render_review, review_lines, scan_reviews

NOW = datetime(2026, 10, 4, 9, 0, tzinfo=UTC)
APPEND = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from redzone.review import Action, Review
from redzone.runs.reviews import append_reviews
for row in range(1, 26):
    review = Review(row=row, by=sys.argv[2], at=datetime.now(UTC), action=Action.NOTE, note="x" * 3000)
    append_reviews(Path(sys.argv[1]), [review])
"""

FILL = (
    """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
import sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), -1))
sys.argv[2] = "ann"
"""
    + APPEND
)


def judged(row: int, status: Status = Status.PASS, by: str = "ann") -> Review:
    return Review(row=row, by=by, at=NOW, action=Action.JUDGE, new_status=status)


def test_what_was_appended_is_read_in_order(tmp_path: Path) -> None:
    """By row; no file is no review."""
    path = tmp_path / "reviews.jsonl"
    assert read_reviews(path) == {}
    first, second, other = judged(7), judged(7, Status.FAIL, "ben"), judged(1)
    append_reviews(path, [first, other])
    append_reviews(path, [second])
    assert read_reviews(path) == {7: (first, second), 1: (other,)}


def test_the_file_is_private(tmp_path: Path) -> None:
    """As the other files of a run are, and its lock too."""
    append_reviews(tmp_path / "reviews.jsonl", [judged(1)])
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_a_torn_last_line_is_passed_over_and_cut_by_the_next_review(tmp_path: Path) -> None:
    """It was never reported as kept."""
    path = tmp_path / "reviews.jsonl"
    append_reviews(path, [judged(1)])
    with path.open("ab") as file:
        file.write(render_review(judged(2))[:-5])
    assert read_reviews(path) == {1: (judged(1),)}
    assert [line.fault for line in scan_reviews(path)] == ["", TORN]
    append_reviews(path, [judged(3)])
    assert path.read_bytes() == render_review(judged(1)) + render_review(judged(3))


def test_a_damaged_line_is_left_out_and_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With its number, whatever is wrong with it; the others count."""
    path = tmp_path / "reviews.jsonl"
    damaged = render_review(judged(2)).replace(b'"row":2', b'"row":3')
    newer = seal(b'{"kind":"review","schema":2,"row":4}')
    wrong = seal(b'{"kind":"review","schema":1,"row":0}')
    path.write_bytes(render_review(judged(1)) + damaged + newer + wrong + b"\n" + render_review(judged(5)))
    with caplog.at_level(logging.WARNING):
        assert sorted(read_reviews(path)) == [1, 5]
    assert [record.getMessage().partition("line ")[2] for record in caplog.records] == [
        "2 is skipped: its checksum does not match",
        "3 is skipped: it is not a review of schema 1",
        "4 is skipped: Input should be greater than or equal to 1",
        "5 is skipped: its checksum does not match",
    ]


def test_reading_can_go_on_where_it_stopped(tmp_path: Path) -> None:
    """`end` is the offset to go on from."""
    path = tmp_path / "reviews.jsonl"
    append_reviews(path, [judged(1), judged(2)])
    end = next(scan_reviews(path)).end
    with path.open("rb") as file:
        assert [line.review for line in review_lines(file, end)] == [judged(2)]


def test_threads_and_processes_lose_no_review_of_each_other(tmp_path: Path) -> None:
    """Two of each, at the same time: every line is whole and in its writer's order."""
    path = tmp_path / "reviews.jsonl"
    processes = [subprocess.Popen([sys.executable, "-c", APPEND, path, name]) for name in ("cat", "dan")]
    with ThreadPoolExecutor(2) as threads:
        for name in ("ann", "ben"):
            for row in range(1, 26):
                threads.submit(append_reviews, path, [judged(row, by=name)])
    assert [process.wait() for process in processes] == [0, 0]
    reviews = [line.review for line in scan_reviews(path)]
    assert len(reviews) == 100
    for name in ("ann", "ben", "cat", "dan"):
        rows = [review.row for review in reviews if review is not None and review.by == name]
        assert sorted(rows) == list(range(1, 26))


def test_a_review_that_does_not_fit_on_the_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    """Neither its whole lines nor half of one: none of it is kept, and the file can be written again."""
    path = tmp_path / "reviews.jsonl"
    append_reviews(path, [judged(1)])
    before = path.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", FILL, path, str(len(before) + 100)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "cannot be written: File too large; the review is not saved" in done.stderr
    assert path.read_bytes() == before


def test_a_review_that_cannot_be_kept_says_so(tmp_path: Path) -> None:
    """The person must know that the judgement is lost."""
    with pytest.raises(UsageError, match=r"reviews\.jsonl cannot be written: No such file"):
        append_reviews(tmp_path / "gone" / "reviews.jsonl", [judged(1)])
    (tmp_path / "reviews.jsonl").mkdir()
    with pytest.raises(UsageError, match="Is a directory; the review is not saved"):
        append_reviews(tmp_path / "reviews.jsonl", [judged(1)])
