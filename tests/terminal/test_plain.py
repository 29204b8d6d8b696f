from __future__ import annotations

import re

from hypothesis import given, settings

from redzone.telemetry.metrics import RateFigures, Snapshot
from redzone.terminal.plain import plain_line
from tests.terminal.snapshots import snapshot, snapshots

_PAIR = re.compile(r'([a-z0-9]+)=("(?:[^"\\]|\\.)*"|[^\s"=]+)(?: |$)')


def pairs(line: str) -> dict[str, str]:
    """The line read back as logfmt; a rest that is no pair is an error."""
    found, end = {}, 0
    for match in _PAIR.finditer(line):
        assert match.start() == end, line
        found[match[1]], end = match[2], match.end()
    assert end == len(line), line
    return found


def test_a_line_tells_the_state_in_pairs() -> None:
    """One line, the same keys every time, figures without thousands separators."""
    assert plain_line(snapshot()) == (
        "t=3m12s done=340/1000 pass=280 fail=41 unsure=9 error=10 cached=120 duplicate=12 rate=118/min"
        " limit=120/min requests=1012 429=2 cost=$0.0123 eta=5m30s"
    )


def test_what_is_not_known_is_called_unknown() -> None:
    """A key is never left out, a value never empty."""
    values = pairs(plain_line(snapshot(rows=0, eta_s=None, rate=RateFigures())))
    assert (values["done"], values["limit"], values["eta"]) == ("340/?", "unknown", "unknown")


def test_a_note_and_a_hold_are_added() -> None:
    """A note is quoted, so that the line stays one of pairs."""
    line = plain_line(snapshot(note='stop "now"\nplease', rate=RateFigures(held_for_s=3)))
    assert line.endswith(r' held=3.0s note="stop \"now\" please"')


@settings(max_examples=60, deadline=None)
@given(snapshots)
def test_every_snapshot_is_one_line_of_pairs(state: Snapshot) -> None:
    """Whatever the numbers and the note."""
    line = plain_line(state)
    assert line.isprintable() or all(ord(char) > 127 for char in line if not char.isprintable())
    assert len(line.splitlines()) == 1
    assert {"t", "done", "pass", "fail", "429", "cost", "eta"} <= pairs(line).keys()
