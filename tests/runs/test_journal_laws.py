"""Laws of the checkpoint: nothing that was written is read as anything else, whatever happens to the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redzone.models import Outcome, Status
from redzone.runs.checkpoint import Intent, parse_line, read_outcomes, render_intent, render_outcome
from redzone.runs.index import CheckpointIndex, check_checkpoint
from redzone.runs.journal import Journal
from tests.any_outcome import outcomes
from tests.outcomes import NOON, outcome

WHOLE_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
HALVES = st.lists(st.sampled_from(["\ud800", "\udfff", "\ud83d\ude00", "\x00", "a", "\\ud800"]), min_size=1)
ANY_TEXT = HALVES.map("".join)
FEW_ROWS = st.integers(1, 6)


@contextmanager
def checkpoint(content: bytes) -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.jsonl"
        path.write_bytes(content)
        yield path


@given(outcomes(WHOLE_TEXT))
def test_an_outcome_comes_back_as_it_was(written: Outcome) -> None:
    """parse(render(x)) == x, and a line is one line."""
    line = render_outcome(written)
    assert parse_line(line) == written
    assert line.find(b"\n") == len(line) - 1


@given(outcomes(ANY_TEXT))
def test_half_a_character_costs_no_outcome(written: Outcome) -> None:
    """Lone surrogates become U+FFFD, and everything else comes back as it was."""
    found = parse_line(render_outcome(written))
    assert isinstance(found, Outcome)
    assert found.title == re.sub("[\ud800-\udfff]", "\ufffd", written.title)
    assert found.row == written.row
    assert found.cost_usd == written.cost_usd


@given(st.integers(1, 10**9), WHOLE_TEXT)
def test_an_intent_comes_back_as_it_was(row: int, model: str) -> None:
    """parse(render(x)) == x."""
    assert parse_line(render_intent(row, model, NOON)) == Intent(row=row, model=model, started_at=NOON)


@given(st.binary())
def test_no_bytes_crash_the_reader(raw: bytes) -> None:
    """Anything that is no line raises ValueError."""
    with pytest.raises(ValueError, match=r"schema|checksum"):
        parse_line(raw + b"\n")


@given(st.lists(outcomes(WHOLE_TEXT, FEW_ROWS), max_size=4), st.data())
@settings(max_examples=40)
def test_cut_anywhere_the_file_keeps_its_whole_lines(written: list[Outcome], data: st.DataObject) -> None:
    """After a cut at any byte, open and append give the whole lines before the cut and the new one."""
    lines = [render_outcome(one) for one in written]
    content = b"".join(lines)
    cut = data.draw(st.integers(0, len(content)))
    whole = content[:cut].count(b"\n")
    with checkpoint(content[:cut]) as path:
        with Journal(path) as journal:
            assert journal.repairs.cut_bytes == cut - len(b"".join(lines[:whole]))
            journal.append([render_outcome(outcome(7))])
        assert list(read_outcomes(path)) == [*written[:whole], outcome(7)]


@given(st.lists(outcomes(WHOLE_TEXT, FEW_ROWS), min_size=1, max_size=4), st.data())
@settings(max_examples=100)
def test_no_damaged_byte_passes_for_an_outcome(written: list[Outcome], data: st.DataObject) -> None:
    """With any one byte changed, what is read was written, and what is missing is reported."""
    content = bytearray(b"".join(render_outcome(one) for one in written))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    with checkpoint(bytes(content)) as path:
        report = check_checkpoint(path, 0)
        read = list(read_outcomes(path))
    assert all(one in written for one in read)
    assert len(read) < len(written)
    assert report.bad_lines or report.torn_bytes


@given(st.lists(st.tuples(FEW_ROWS.map(lambda n: n * 700), st.none() | st.sampled_from(Status)), max_size=30))
@settings(max_examples=60)
def test_the_index_says_what_a_plain_reader_would(events: list[tuple[int, Status | None]]) -> None:
    """Against a dict filled line by line: statuses, counts, doubts, and the balance for any input."""
    latest: dict[int, Status] = {}
    doubts: set[int] = set()
    lines = []
    for row, status in events:
        if status is None:
            doubts.add(row)
            lines.append(render_intent(row, "m", NOON))
        else:
            doubts.discard(row)
            latest[row] = status
            lines.append(render_outcome(outcome(row, status)))
    with checkpoint(b"".join(lines)) as path:
        index = CheckpointIndex.read(path)
        report = check_checkpoint(path, range(700, 4900, 700))
        assert {found.row: found.status for found in index.latest()} == latest
    assert {row: index.status(row) for row in latest} == latest
    assert index.counts == {status: list(latest.values()).count(status) for status in Status}
    assert index.in_doubt == tuple(sorted(doubts))
    assert report.ok
    assert report.rows == sum(report.counts.values()) + report.pending == 6
