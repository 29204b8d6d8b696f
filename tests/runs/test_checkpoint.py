"""Lines, reading them, and counting them."""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from redzone.errors import CheckpointUnusable
from redzone.models import Status, Tokens
from redzone.runs.checkpoint import parse_line, read_outcomes, render_intent, render_outcome
from redzone.runs.index import CheckpointIndex, check_checkpoint
from tests.outcomes import NOON, outcome


def foreign_line(schema: int, *, kind: str = "outcome") -> bytes:
    """A line of another schema with the envelope that all schemas share."""
    return sealed(b'{"kind":"%b","schema":%d,"poster":7}' % (kind.encode(), schema))


def sealed(body: bytes) -> bytes:
    """The line that a program which keeps to the envelope would write."""
    return b'%b,"sum":"%b"}\n' % (body[:-1], hashlib.sha256(body).hexdigest()[:16].encode())


def write(path: Path, *lines: bytes) -> Path:
    path.write_bytes(b"".join(lines))
    return path


def test_a_stranger_can_recompute_the_checksum_with_sed_and_sha256sum() -> None:
    """The recipe of docs/checkpoint.md gives the value in `sum`."""
    line = render_outcome(outcome(1, title='quotes " and \\ and ü'))
    recipe = r"""sed 's/,"sum":"[0-9a-f]*"}$/}/' | tr -d '\n' | sha256sum | cut -c1-16"""
    said = subprocess.run(["sh", "-c", recipe], input=line, capture_output=True, check=True).stdout
    found = re.search(rb'"sum":"([0-9a-f]{16})"\}\n\Z', line)
    assert found is not None
    assert said.strip() == found[1]


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_jq_reads_the_lines(tmp_path: Path) -> None:
    """The first example of docs/checkpoint.md: titles of the posters that fail."""
    path = write(
        tmp_path / "c.jsonl",
        render_intent(1, "gpt-6-luna", NOON),
        render_outcome(outcome(1, Status.FAIL, title="Überfall")),
        render_outcome(outcome(2)),
    )
    program = 'select(.kind == "outcome" and .status == "fail") | .title'
    said = subprocess.run(["jq", "-r", program, path], capture_output=True, check=True, text=True).stdout
    assert said == "Überfall\n"


def test_a_line_is_plain_ascii() -> None:
    """`cat` of a checkpoint sends nothing to the terminal but printable characters and newlines."""
    line = render_outcome(outcome(1, title="\x1b]0;pwned\x07 \x9b31m \u202e\u2028 日本"))
    assert line.isascii()
    assert line[:-1].decode("ascii").isprintable()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\n", "no checksum"),
        (b"\x00\xff{\n", "no checksum"),
        (b"[" * 100_000 + b"\n", "no checksum"),
        (b'{"kind":"outcome","schema":1}\n', "no checksum"),
        (render_outcome(outcome(1)).replace(b"0001", b"0002"), "checksum does not match"),
        (foreign_line(2), "schema"),
        (foreign_line(1, kind="remark"), "schema"),
    ],
)
def test_a_line_that_is_not_as_it_was_written_is_no_outcome(raw: bytes, reason: str) -> None:
    """Damage and other schemas raise ValueError and say which it is."""
    with pytest.raises(ValueError, match=reason):
        parse_line(raw)


def test_a_later_outcome_replaces_an_earlier_one_but_both_were_paid(tmp_path: Path) -> None:
    """Status, counts and `load` are of the last line, cost and tokens of all."""
    path = write(
        tmp_path / "c.jsonl",
        render_outcome(outcome(3, Status.ERROR)),
        render_outcome(outcome(2000, Status.FAIL)),
        render_outcome(outcome(3, Status.UNSURE)),
    )
    index = CheckpointIndex.read(path)
    assert index.status(3) is Status.UNSURE
    assert index.load(3) == outcome(3, Status.UNSURE)
    assert index.counts == {Status.PASS: 0, Status.FAIL: 1, Status.UNSURE: 1, Status.ERROR: 0}
    assert (index.outcomes, index.answered) == (3, 2)
    assert index.cost_usd == pytest.approx(0.003)
    assert index.tokens == Tokens(input=1200, output=240)
    assert [found.row for found in index.latest()] == [3, 2000]
    assert [found.row for found in read_outcomes(path)] == [3, 2000, 3]


def test_a_row_without_a_line_is_unknown(tmp_path: Path) -> None:
    """No file, no outcome: nothing is made up."""
    index = CheckpointIndex.read(tmp_path / "none.jsonl")
    assert index.status(1) is None
    assert index.load(1) is None
    assert list(index.latest()) == []
    assert list(read_outcomes(tmp_path / "none.jsonl")) == []


def test_an_intent_without_a_later_outcome_is_in_doubt(tmp_path: Path) -> None:
    """Also where the row has an earlier outcome, of the run before a retry."""
    path = write(
        tmp_path / "c.jsonl",
        render_intent(1, "m", NOON),
        render_intent(2, "m", NOON),
        render_outcome(outcome(1)),
        render_outcome(outcome(3, Status.ERROR)),
        render_intent(3, "m", NOON),
    )
    assert CheckpointIndex.read(path).in_doubt == (2, 3)


def test_another_schema_is_refused_with_its_line(tmp_path: Path) -> None:
    """Neither index nor check nor reader goes on beyond it."""
    path = write(tmp_path / "c.jsonl", render_outcome(outcome(1)), foreign_line(2))
    for read in (CheckpointIndex.read, lambda p: check_checkpoint(p, 1), lambda p: list(read_outcomes(p))):
        with pytest.raises(CheckpointUnusable, match="line 2"):
            read(path)


def test_an_outcome_with_an_unexpected_field_is_refused_when_it_is_needed(tmp_path: Path) -> None:
    """Counting does not see it; loading, reading and checking do."""
    odd = sealed(render_outcome(outcome(2))[: -len(b',"sum":"0123456789abcdef"}\n')] + b',"mood":"bright"}')
    path = write(tmp_path / "c.jsonl", render_outcome(outcome(1)), odd)
    index = CheckpointIndex.read(path)
    assert index.load(1) == outcome(1)
    with pytest.raises(CheckpointUnusable, match="outcome of row 2"):
        index.load(2)
    with pytest.raises(CheckpointUnusable, match="line 2"):
        list(read_outcomes(path))
    assert [bad.number for bad in check_checkpoint(path, 2).bad_lines] == [2]


def test_reading_warns_of_what_it_leaves_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A damaged line costs one outcome and says so."""
    path = write(tmp_path / "c.jsonl", render_outcome(outcome(1)), b"mould\n", render_outcome(outcome(2)))
    with caplog.at_level(logging.WARNING):
        assert [found.row for found in read_outcomes(path)] == [1, 2]
    assert "line 2 is skipped: it has no checksum" in caplog.text


def test_check_balances_the_input(tmp_path: Path) -> None:
    """Rows of the input = pass + fail + unsure + error + pending, and nothing is written."""
    lines = [render_outcome(outcome(row, status)) for row, status in enumerate(Status, start=1)]
    path = write(tmp_path / "c.jsonl", *lines, b"mould\n", render_intent(6, "m", NOON), lines[0][:20])
    before = path.read_bytes()
    report = check_checkpoint(path, 6)
    assert report.balanced
    assert not report.ok
    assert dict(report.counts) == dict.fromkeys(Status, 1)
    assert (report.rows, report.pending, report.unexpected, report.in_doubt) == (6, 2, 0, (6,))
    assert (report.lines, report.intents, report.outcomes, report.torn_bytes) == (6, 1, 4, 20)
    assert report.bad_lines == ((5, "it has no checksum"),)
    assert path.read_bytes() == before


def test_check_finds_outcomes_of_rows_that_the_input_does_not_have(tmp_path: Path) -> None:
    """Five outcomes for the rows 1 and 9 do not balance."""
    path = write(tmp_path / "c.jsonl", *(render_outcome(outcome(row)) for row in (1, 2, 3)))
    assert check_checkpoint(path, [1, 2, 3]).ok
    report = check_checkpoint(path, [1, 9])
    assert not report.balanced
    assert (report.pending, report.unexpected) == (1, 2)
