"""The tables follow the run's files, whatever happens to either."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from redzone.errors import CheckpointUnusable
from redzone.models import Element, ElementKind, Outcome, Status, ZoneVerdict
from redzone.query import Filter, RunIndex, Sort
from redzone.query.database import open_database
from redzone.query.lookup import load_reviewed
from redzone.query.schema import INDEXES
from redzone.query.sql import COUNTED, ORDERS, condition
from redzone.review import ReviewedOutcome
from redzone.runs import RunFolder
from redzone.runs.checkpoint import render_outcome
from redzone.runs.journal import Journal
from redzone.runs.jsonl import seal
from redzone.runs.reviews import append_reviews, render_review
from tests.outcomes import outcome
from tests.query.runs import plainly_read, row_of, run_of
from tests.unprivileged import unprivileged

NOW = datetime(2026, 10, 4, 9, 0, tzinfo=UTC)
COUNT = """
import sys
from pathlib import Path
from redzone.query import RunIndex
from redzone.runs import RunFolder
with RunIndex(RunFolder(Path(sys.argv[1]))) as browser:
    print(browser.facets().total)
"""


def append(folder: RunFolder, *outcomes: Outcome, torn: bytes = b"") -> None:
    with folder.checkpoint_path.open("ab") as file:
        file.write(b"".join(map(render_outcome, outcomes)) + torn)


def judged(one: Outcome, status: Status, by: str = "ann") -> ReviewedOutcome:
    found = ReviewedOutcome(row_of(one), one)
    return replace(found, reviews=(found.judge(by, NOW, status),))


def test_a_live_run_is_followed_line_by_line(tmp_path: Path) -> None:
    """A line counts when it is whole; a later outcome of a row replaces the earlier one."""
    folder = run_of(tmp_path, [])
    with RunIndex(folder) as browser:
        assert browser.page().items == ()
        line = render_outcome(outcome(2, Status.FAIL))
        append(folder, outcome(1), torn=line[:-10])
        assert browser.rows() == (1,)
        append(folder, torn=line[-10:])
        assert browser.rows() == (1, 2)
        append(folder, outcome(2, Status.PASS))
        assert browser.facets().statuses == {Status.PASS: 2}


def test_a_search_follows_the_run_too(tmp_path: Path) -> None:
    """What was found for a text is looked for again when there is more."""
    folder = run_of(tmp_path, [outcome(1, title="Wolf")])
    with RunIndex(folder) as browser:
        assert browser.rows(Filter(text="wolf")) == (1,)
        append(
            folder,
            outcome(1, title="Bear"),
            outcome(2, title="Wolves of the Calla"),
            outcome(3, title="Wolf"),
        )
        assert browser.rows(Filter(text="wolf")) == (3,)
        assert browser.rows(Filter(text="wol")) == (2, 3)


def test_a_review_counts_at_once_in_filters_counts_and_findings(tmp_path: Path) -> None:
    """Before and after the outcome is recorded anew, and until it is taken back."""
    folder = run_of(tmp_path, [outcome(1, Status.FAIL), outcome(2, Status.FAIL)])
    failing = Filter(statuses=frozenset({Status.FAIL}))
    with RunIndex(folder) as browser:
        found = browser.get(1)
        assert found is not None
        append_reviews(folder.reviews_path, [found.judge("ann", NOW, Status.PASS, "only the SKY")])
        assert browser.rows(failing) == (2,)
        assert browser.rows(Filter(reviewed=True, text="sky")) == (1,)
        append(folder, outcome(1, Status.UNSURE))
        reviewed = browser.get(1)
        assert reviewed is not None
        assert (reviewed.status, reviewed.original_status) == (Status.PASS, Status.UNSURE)
        append_reviews(folder.reviews_path, [reviewed.undo("ann", NOW)])
        assert browser.facets().statuses == {Status.FAIL: 1, Status.UNSURE: 1}
        assert browser.facets().reviewed == {False: 2}


def test_a_review_of_another_poster_is_left_aside(tmp_path: Path) -> None:
    """Rows were numbered anew, and the number is somebody else's now."""
    other = judged(outcome(1, id="other"), Status.FAIL)
    with RunIndex(run_of(tmp_path, [outcome(1)], other.reviews)) as browser:
        found = browser.get(1)
        assert found is not None
        assert (found.status, found.reviews) == (Status.PASS, ())


def test_a_checkpoint_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    """By one with other rows, by a longer one that begins alike, by a shorter one; with its reviews."""
    folder = run_of(tmp_path, [outcome(1), outcome(2)], judged(outcome(2), Status.FAIL).reviews)
    with RunIndex(folder) as browser:
        assert browser.facets().statuses == {Status.PASS: 1, Status.FAIL: 1}
        for rows in ((3, 2), (3, 1, 4, 5), (1,), ()):
            new = tmp_path / "new.jsonl"
            new.write_bytes(b"".join(render_outcome(outcome(row)) for row in rows))
            new.replace(folder.checkpoint_path)
            assert browser.rows() == tuple(sorted(rows))
            assert list(browser.reviewed_outcomes()) == plainly_read(folder)
    folder.checkpoint_path.unlink()
    with RunIndex(folder) as browser:
        assert browser.page().total == 0


def test_moved_lines_and_lines_of_another_length_are_noticed_in_the_same_file(tmp_path: Path) -> None:
    """The bytes before the place where reading stopped are no longer those that were read."""
    folder = run_of(tmp_path, [outcome(1), outcome(2)])
    with RunIndex(folder) as browser:
        assert browser.rows() == (1, 2)
        content = b"".join(render_outcome(outcome(row)) for row in (7, 8, 9))
        folder.checkpoint_path.write_bytes(content)
        assert browser.rows() == (7, 8, 9)


def test_damaged_lines_are_left_out_until_the_run_moves_them_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As everywhere; the tables follow when the journal mends the file."""
    folder = run_of(tmp_path, [outcome(1)])
    append(folder, torn=b"rubbish\n" + render_outcome(outcome(2)))
    with RunIndex(folder) as browser, caplog.at_level(logging.WARNING):
        assert browser.rows() == (1, 2)
        assert "skipped: it has no checksum" in caplog.text
        Journal(folder.checkpoint_path).close()
        assert (tmp_path / "checkpoint.bad").exists()
        assert list(browser.reviewed_outcomes()) == plainly_read(folder)


def test_a_damaged_review_is_left_out_and_a_torn_one_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The others count, as they are written."""
    folder = run_of(tmp_path, [outcome(1), outcome(2)], judged(outcome(1), Status.FAIL).reviews)
    line = render_review(judged(outcome(2), Status.FAIL).reviews[0])
    with folder.reviews_path.open("ab") as file, RunIndex(folder) as browser:
        file.write(b"rubbish\n" + line[:-3])
        file.flush()
        with caplog.at_level(logging.WARNING):
            assert browser.rows(Filter(reviewed=True)) == (1,)
        assert "its checksum does not match" in caplog.text
        file.write(line[-3:])
        file.flush()
        assert browser.rows(Filter(reviewed=True)) == (1, 2)


def test_another_schema_is_refused_and_the_lines_before_stay_readable(tmp_path: Path) -> None:
    """With the line's place; nothing of that reading is kept."""
    folder = run_of(tmp_path, [outcome(1)])
    append(folder, outcome(2), torn=seal(b'{"kind":"outcome","schema":2,"row":3}'))
    with RunIndex(folder) as browser, pytest.raises(CheckpointUnusable, match="the line at byte"):
        browser.rows()


def test_an_outcome_that_rots_on_the_disk_is_reported_not_guessed(tmp_path: Path) -> None:
    """The line no longer has its checksum, and the file is the same otherwise."""
    folder = run_of(tmp_path, [outcome(1), outcome(2)])
    with RunIndex(folder) as browser:
        assert browser.page().total == 2
        content = folder.checkpoint_path.read_bytes()
        with folder.checkpoint_path.open("r+b") as file:
            file.seek(content.index(b"The Long"))
            file.write(b"Xhe")
        with pytest.raises(CheckpointUnusable, match="has changed while it was read; run `redzone check"):
            browser.get(1)


def test_an_outcome_is_never_taken_for_another_row_s(tmp_path: Path) -> None:
    """Where the tables point to another line, or the checkpoint has gone since, that is said."""
    folder = run_of(tmp_path, [outcome(1), outcome(2)])
    with RunIndex(folder) as browser:
        assert browser.rows() == (1, 2)
        browser.ask(lambda db: db.execute("UPDATE outcome SET offset = 0 WHERE row = 2"))
        with pytest.raises(CheckpointUnusable, match="has changed while it was read"):
            browser.get(2)
        with pytest.raises(CheckpointUnusable):
            browser.ask(lambda db: load_reviewed(db, tmp_path / "gone.jsonl", [1]))


@pytest.mark.parametrize("pages", [0, 1])
def test_tables_that_are_damaged_old_or_deleted_are_made_anew(tmp_path: Path, pages: int) -> None:
    """They are derived: nothing is lost with them."""
    folder = run_of(tmp_path, [outcome(row) for row in range(1, 200)])
    with RunIndex(folder) as browser:
        expected = list(browser.reviewed_outcomes())
    with folder.browse_path.open("r+b") as file:
        file.seek(pages * 4096)
        file.write(b"rubbish" * 4096)
    with RunIndex(folder) as browser:
        assert list(browser.reviewed_outcomes()) == expected
    old = sqlite3.connect(folder.browse_path)
    old.execute("PRAGMA user_version = 99")
    old.execute("DROP TABLE words")
    old.close()
    with RunIndex(folder) as browser:
        assert list(browser.reviewed_outcomes(Filter(text="long way"))) == expected
    for path in tmp_path.glob("browse*"):
        path.unlink()
    with RunIndex(folder) as browser:
        assert list(browser.reviewed_outcomes()) == expected


def test_the_tables_are_private_and_opened_again_at_once(tmp_path: Path) -> None:
    """0600 like all of the run's files; the second time nothing of the checkpoint is read again."""
    folder = run_of(tmp_path, [outcome(1)])
    with RunIndex(folder) as browser:
        browser.rows()
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("browse*")}
        assert set(modes.values()) == {0o600}
    before = folder.browse_path.read_bytes()
    with RunIndex(folder) as browser:
        assert browser.rows() == (1,)
        browser.close()
        assert browser.rows() == (1,)
    assert folder.browse_path.read_bytes() == before


def test_a_run_that_may_not_be_written_is_browsed_from_a_temporary_file() -> None:
    """Which is gone with the browser."""
    with tempfile.TemporaryDirectory() as shared:
        folder = run_of(Path(shared) / "run", [outcome(1)])
        Path(shared).chmod(0o755)
        folder.path.chmod(0o555)
        scratches = set(Path(tempfile.gettempdir()).glob("redzone-browse-*"))
        with unprivileged(), RunIndex(folder) as browser:
            assert browser.rows() == (1,)
            assert sorted(os.listdir(folder.path)) == ["checkpoint.jsonl"]  # noqa: PTH208  hidden names too
        assert set(Path(tempfile.gettempdir()).glob("redzone-browse-*")) == scratches


def test_several_processes_and_threads_fill_the_tables_together(tmp_path: Path) -> None:
    """Each sees the whole run, whoever reads it first."""
    folder = run_of(tmp_path, [outcome(row) for row in range(1, 2001)])
    command = [sys.executable, "-c", COUNT, str(folder.path)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    with RunIndex(folder) as browser, ThreadPoolExecutor(4) as threads:
        totals = list(threads.map(lambda sort: browser.page(sort=sort, per_page=3).total, list(Sort) * 3))
    assert totals == [2000] * len(totals)
    for process in processes:
        assert process.communicate()[0] == "2000\n"


def test_text_is_looked_for_as_it_is_written(tmp_path: Path) -> None:
    """In any case and in every text of a finding; `%` and `_` are characters like others."""
    element = Element(kind=ElementKind.LOGO, label="A24")
    zone = ZoneVerdict(
        name="red", contains_key_elements=True, confidence_pct=90, elements=(element,), justification="a Face"
    )
    ones = [
        outcome(1, Status.FAIL, title="100% Wolf", zones=(zone,)),
        outcome(2, title="STRASSE", group="just_added"),
        outcome(3, title="1000 Wolves", id="x-%"),
    ]
    with RunIndex(run_of(tmp_path, ones)) as browser:
        found = {
            text: browser.rows(Filter(text=text))
            for text in ("100%", "wolf", "straße", "t_a", "a24", "FACE", "%", "0003", "e\nt", "\ud800")
        }
    assert found == {
        "100%": (1,),
        "wolf": (1,),
        "straße": (2,),
        "t_a": (2,),
        "a24": (1,),
        "FACE": (1,),
        "%": (1, 3),
        "0003": (),
        "e\nt": (),
        "\ud800": (),
    }


def test_pages_and_rows_that_are_not_there(tmp_path: Path) -> None:
    """An empty page behind the last one, no finding and no neighbours of a pending row."""
    with RunIndex(run_of(tmp_path, [outcome(1), outcome(2), outcome(3)])) as browser:
        page = browser.page(number=3, per_page=2)
        assert (page.items, page.total, page.pages) == ((), 3, 2)
        assert browser.page(Filter(text="nothing")).pages == 1
        assert browser.get(4) is None
        assert browser.neighbours(Filter(), Sort.ROW, 4) is None


def test_the_next_poster_to_review_is_known_after_this_one_left_the_list(tmp_path: Path) -> None:
    """A judged poster has no place among the unreviewed, but neighbours."""
    folder = run_of(tmp_path, [outcome(row, Status.FAIL) for row in (1, 2, 3)])
    unreviewed = Filter(reviewed=False)
    with RunIndex(folder) as browser:
        append_reviews(folder.reviews_path, judged(outcome(2, Status.FAIL), Status.PASS).reviews)
        found = browser.neighbours(unreviewed, Sort.CONFIDENCE, 2)
    assert found is not None
    assert (found.previous, found.position, found.next, found.total) == (1, None, 3, 2)


@pytest.mark.parametrize("sort", Sort)
def test_no_page_needs_a_sort_or_a_look_at_the_table(tmp_path: Path, sort: Sort) -> None:
    """What keeps 100,000 findings quick: an index in the order that holds everything a filter looks at."""
    wanted = Filter.from_query(
        [("status", "pass"), ("group", "kids"), ("kind", "text"), ("min_confidence", "1")]
    )
    where, (keys, table) = condition(wanted), ORDERS[sort]
    db = open_database(tmp_path / "browse.sqlite")
    for statement in INDEXES:
        db.execute(statement)
    asked = f"SELECT row FROM {table} WHERE {where.sql} ORDER BY {', '.join(keys)}"  # noqa: S608
    plan = [step[3] for step in db.execute(f"EXPLAIN QUERY PLAN {asked}", where.values)]
    count = f"SELECT count(*) FROM {COUNTED} WHERE {where.sql}"  # noqa: S608
    counted = [step[3] for step in db.execute(f"EXPLAIN QUERY PLAN {count}", where.values)]
    db.close()
    assert len(plan) == len(counted) == 1
    assert sort is Sort.ROW or "COVERING INDEX" in plan[0]
    assert "COVERING INDEX facets" in counted[0]


def test_a_bad_row_is_found_like_any_other(tmp_path: Path) -> None:
    """It has an outcome, and no image."""
    bad = outcome(1, Status.ERROR, image="", source=None)
    with RunIndex(run_of(tmp_path, [bad])) as browser:
        found = browser.get(1)
        assert found is not None
        assert found.outcome == bad
        assert browser.page(sort=Sort.CONFIDENCE).items == (found,)
