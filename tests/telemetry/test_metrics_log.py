"""What metrics.jsonl gives back, while it grows and afterwards, whole or torn."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redzone.telemetry.metrics import RateFigures, Snapshot
from redzone.telemetry.metrics_log import (
    READ_WHOLE_BYTES,
    Tail,
    newest,
    parse_line,
    render_line,
    same_process,
    sampled,
    timeline,
)
from tests.terminal.snapshots import lanes, snapshot, snapshots


def _second(number: int, **changes: object) -> Snapshot:
    return snapshot(elapsed_s=float(number), done=number, recent=(), groups=(), **changes)


def _write(path: Path, *seconds: Snapshot, mode: str = "w") -> None:
    with path.open(mode, encoding="utf-8") as file:
        file.writelines(render_line(second) for second in seconds)


@settings(max_examples=60, deadline=None)
@given(snapshots)
def test_a_line_gives_the_snapshot_back(state: Snapshot) -> None:
    """But for what the checkpoint has."""
    line = render_line(state)
    assert line.count("\n") == 1
    assert parse_line(line.encode()) == state.model_copy(update={"recent": (), "groups": ()})


def test_a_line_of_an_older_version_is_read() -> None:
    """It lacks what was added since; a line that says more than is known is left out."""
    told = json.loads(render_line(_second(3)))
    for added in ("stage_s", "cpu_s", "facts"):
        del told[added]
    for part in ("fetch", "wait", "model"):
        del told["timings"][f"{part}_p50_s"]
    old = parse_line(json.dumps(told).encode())
    assert old is not None
    assert (old.elapsed_s, old.stage_s, old.timings.fetch_p50_s) == (3.0, {}, 0.0)
    assert parse_line(json.dumps({**told, "mood": "good"}).encode()) is None


def test_a_line_stays_small() -> None:
    """A second of a run with twelve workers is a kilobyte and a half, half of it the workers."""
    line = render_line(snapshot(stage_s={"model": 1234.56, "wait": 99.12}))
    assert len(line) - len(render_line(snapshot(lanes=()))) < 12 * 70
    assert len(line) < 1900


def test_a_tail_follows_the_file(tmp_path: Path) -> None:
    """What is there, then what is added; the last few are kept."""
    path = tmp_path / "metrics.jsonl"
    tail = Tail(path, keep=3)
    assert (tail.read(), tail.newest) == (False, None)
    _write(path, *map(_second, range(1, 6)))
    assert tail.read()
    assert [each.done for each in tail.snapshots] == [3, 4, 5]
    assert not tail.read()
    _write(path, _second(6), mode="a")
    assert tail.read()
    assert [each.done for each in tail.snapshots] == [4, 5, 6]
    assert newest(path) == tail.newest == _second(6)


def test_half_a_line_waits_for_its_other_half(tmp_path: Path) -> None:
    """A line that is being written is no line yet."""
    path = tmp_path / "metrics.jsonl"
    whole = render_line(_second(2))
    _write(path, _second(1))
    with path.open("a") as file:
        file.write(whole[:100])
    tail = Tail(path)
    assert tail.read()
    assert (tail.newest, newest(path)) == (_second(1), _second(1))
    with path.open("a") as file:
        file.write(whole[100:])
    assert tail.read()
    assert tail.newest == _second(2)


def test_what_a_killed_process_left_torn_is_passed_over(tmp_path: Path) -> None:
    """The next process appends to the same line."""
    path = tmp_path / "metrics.jsonl"
    _write(path, _second(1))
    with path.open("a") as file:
        file.write(render_line(_second(2))[:300])
    _write(path, _second(3), _second(4), mode="a")
    tail = Tail(path, keep=9)
    tail.read()
    assert [each.done for each in tail.snapshots] == [each.done for each in sampled(path)] == [1, 4]


def test_a_file_that_was_made_anew_is_read_anew(tmp_path: Path) -> None:
    """Shorter than before, so another one."""
    path = tmp_path / "metrics.jsonl"
    _write(path, _second(1), _second(2))
    tail = Tail(path)
    tail.read()
    _write(path, _second(7))
    assert tail.read()
    assert tail.newest == _second(7)


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 120), min_size=1, max_size=12), keep=st.integers(1, 8), torn=st.booleans()
)
def test_the_last_lines_are_found_from_the_end(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], keep: int, torn: bool
) -> None:
    """Whatever their lengths, over blocks and at the start of the file."""
    path = tmp_path_factory.mktemp("tail") / "metrics.jsonl"
    _write(path, *(_second(number, lanes=lanes(10 * size)) for number, size in enumerate(sizes, 1)))
    if torn:
        with path.open("a") as file:
            file.write('{"at": ')
    tail = Tail(path, keep)
    assert tail.read()
    assert [each.done for each in tail.snapshots] == list(range(1, len(sizes) + 1))[-keep:]


@pytest.mark.parametrize("width", [0, 30], ids=["small", "large"])
def test_a_long_history_is_sampled_evenly(tmp_path: Path, width: int) -> None:
    """From the first second to the last, in order, no second twice."""
    path = tmp_path / "metrics.jsonl"
    _write(path, *(_second(number, lanes=lanes(width)) for number in range(1, 201)))
    assert (path.stat().st_size > READ_WHOLE_BYTES) is (width > 0)
    seconds = [each.done for each in sampled(path, 20)]
    assert 18 <= len(seconds) <= 20
    assert (seconds[0], seconds[-1]) == (1, 200)
    steps = [later - earlier for earlier, later in pairwise(seconds)]
    assert all(8 <= step <= 13 for step in steps)


def test_a_short_history_is_read_whole(tmp_path: Path) -> None:
    """Nothing to leave out."""
    path = tmp_path / "metrics.jsonl"
    assert sampled(path) == ()
    _write(path, *map(_second, range(1, 51)))
    assert [each.done for each in sampled(path)] == list(range(1, 51))


def test_resumes_stand_on_one_axis_of_working_time() -> None:
    """The pause between two processes is no time; 429s are told where they were first counted."""
    first = [_second(n, rate=RateFigures(rejected=r)) for n, r in ((1, 0), (2, 2), (3, 2))]
    later = [_second(n, earlier=3, rate=RateFigures(rejected=r)) for n, r in ((1, 1), (2, 1))]
    moments = list(timeline([*first, *later]))
    assert [moment.at_s for moment in moments] == [1, 2, 3, 4, 5]
    assert [moment.rejected for moment in moments] == [0, 2, 0, 1, 0]
    assert [moment.resumed for moment in moments] == [False, False, False, True, False]


def test_two_snapshots_are_of_one_process_or_not() -> None:
    """A later one has a later time and began with the same number of posters."""
    assert same_process(_second(3), _second(9))
    assert not same_process(_second(9), _second(3))
    assert not same_process(_second(3), _second(9, earlier=3))
