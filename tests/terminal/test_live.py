from __future__ import annotations

import io
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from redzone.telemetry.metrics import RateFigures, Snapshot, Stage
from redzone.terminal.live import render, screen_lines
from redzone.terminal.panels import Heading
from tests.terminal.snapshots import HEADING, lanes, printed, recent, snapshot, snapshots

SIZES = [(40, 10), (40, 12), (60, 16), (80, 10), (80, 24), (100, 30), (160, 50), (240, 70)]


def screen(state: Snapshot, width: int = 100, height: int = 40) -> str:
    """The view as it stands on a terminal without colours."""
    return printed(render(state, HEADING, width, height), width)


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("workers", [0, 1, 12, 40, 200])
def test_the_view_fits_every_terminal(width: int, height: int, workers: int) -> None:
    """No line wider than the terminal, no more lines than it has, and what matters most is there."""
    state = snapshot(workers=workers, lanes=lanes(workers), note="stopping: finishing requests")
    lines = screen_lines(state, HEADING, width, height)
    assert len(lines) <= height
    assert max(line.cell_len for line in lines) <= width
    text = screen(state, width, height)
    for fact in ("340/1,000", "34.0 %", "✓ pass 280", "✗ fail 41", "118/min", "stopping: finishing"):
        assert fact in text


@settings(max_examples=60, deadline=None)
@given(snapshots, st.integers(1, 200), st.integers(1, 60))
def test_no_snapshot_breaks_the_view(state: Snapshot, width: int, height: int) -> None:
    """Whatever the numbers and texts, the lines fit and the terminal shows them unwrapped."""
    lines = screen_lines(state, HEADING, width, height)
    assert len(lines) <= height
    assert all(line.cell_len <= width for line in lines)
    text = screen(state, width, height)
    assert [line.rstrip() for line in text.split("\n")[:-1]] == [line.plain.rstrip() for line in lines]
    assert not [char for char in text if unicodedata.category(char) == "Cc" and char != "\n"]


def test_a_full_screen_tells_everything() -> None:
    """Heading, pace, limits, times, workers and verdicts."""
    text = screen(snapshot())
    for fact in (
        "20261013-142233-k7qm",
        "nightly award check",
        "openai gpt-6-luna",
        "zone red",
        "posters.csv",
        "elapsed 3m12s",
        "left 5m30s",
        "cost $0.0123",
        "requests 1,012",
        "? unsure 9",
        "! error 10",
        "cached 120",
        "duplicate 12",
        "fetch-http-404 7",
        "118 of 120/min",
        "429s 2",
        "waiting 4",
        "41.0k of 200k/min",
        "in 61.2k",
        "out 13.6k",
        "p50 3.1s",
        "p95 7.2s",
        "wait 2.0s",
        "12 of 12 busy",
        "p0012",
        "Title 20",
        "96 %",
        "the title runs through the zone",
    ):
        assert fact in text


def test_a_hold_by_the_server_is_said() -> None:
    """It stands where the waiting workers stood, so that the line keeps its length."""
    text = screen(
        snapshot(rate=RateFigures(requests_last_min=118, requests_limit_per_min=120, held_for_s=3.2))
    )
    assert "held 3.2s by the server" in text


def test_without_a_limit_there_is_no_gauge() -> None:
    """A limit that nobody knows is not invented."""
    assert "118/min no limit known" in screen(snapshot(rate=RateFigures(requests_last_min=118)))


def test_an_unknown_total_gets_neither_share_nor_time_left() -> None:
    """A stream of rows has no end that could be foretold."""
    text = screen(snapshot(rows=0, eta_s=-5.0))
    assert "340 done of an unknown total" in text
    assert "left unknown" in text


def test_two_hundred_workers_are_told_by_stage_and_the_longest_by_name() -> None:
    """Who merely waits for its turn comes after those that could be stuck."""
    state = snapshot(workers=200, lanes=lanes(200))
    text = screen(state, 80, 24)
    assert "200 of 200 busy" in text
    assert "model 25" in text
    oldest = max((lane for lane in state.lanes if lane.stage is Stage.FETCH), key=lambda lane: lane.age_s)
    assert oldest.id in text
    waiting = [lane for lane in state.lanes if lane.stage is Stage.WAIT]
    assert not any(lane.id in text for lane in waiting)


def test_the_verdicts_stand_still_while_workers_come_and_go() -> None:
    """One idle worker more or less moves no line below."""
    busy = screen(snapshot(), 100, 40).split("\n")
    calmer = screen(snapshot(lanes=lanes(12)[:5]), 100, 40).split("\n")
    assert [line.startswith("last verdicts") for line in busy] == [
        line.startswith("last verdicts") for line in calmer
    ]


def test_the_newest_verdict_comes_first() -> None:
    """So that a small screen shows it."""
    text = screen(snapshot(), 80, 24)
    assert text.index("Title 20") < text.index("Title 19")
    assert "Title 1 " not in text


def test_untrusted_text_is_shown_and_never_obeyed() -> None:
    """Escapes are gone, markup and line breaks are text."""
    hostile = "\x1b[31mred\x1b[0m [/bold] [link=https://x.example]a\nb\x07"
    state = snapshot(
        recent=recent(3, title=hostile, id="[b]1", note=hostile), note=hostile, errors_by_code={"[red]x": 1}
    )
    heading = Heading(run_id="[bold]r", label=hostile, input=hostile)
    text = printed(render(state, heading, 160, 40), 160, force_terminal=True, color_system=None)
    assert "\x1b[31m" not in text.replace("\x1b[0m", "")
    assert "\x07" not in text
    assert (
        text.count("red [/bold] [link=https://x.example]a b") == 6
    )  # label, input, note, three justifications
    assert "[b]1" in text
    assert "[red]x 1" in text
    assert "[bold]r" in text


def test_status_is_told_by_sign_and_word_where_there_is_no_colour() -> None:
    """NO_COLOR takes the colours, not the meaning."""
    file = io.StringIO()
    text = printed(
        render(snapshot(), HEADING, 80, 24),
        80,
        file=file,
        force_terminal=True,
        color_system="standard",
        no_color=True,
    )
    assert "✗ fail" in text
    assert not any(f"\x1b[{code}m" in text for code in range(30, 50))


def test_a_terminal_that_knows_only_ascii_gets_ascii() -> None:
    """Signs, bars and foreign titles are replaced cell by cell, so that columns stay where they are."""
    state = snapshot(recent=recent(5, title="千と千尋"))
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii", errors="strict")
    Console(file=file, width=80, _environ={}).print(render(state, HEADING, 80, 24))
    file.flush()
    lines = raw.getvalue().decode("ascii").splitlines()
    assert "+ pass 280" in "\n".join(lines)
    assert any("????????" in line for line in lines)
    assert max(len(line) for line in lines) <= 80
