"""Lays out a Snapshot for a screen of a given size. Pure.

On a small screen sections are dropped by rank: recent verdicts and workers first; the progress bar, notices
and counts stay longest.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from rich.console import Group, RenderableType
from rich.text import Text

from redzone.telemetry.metrics import Snapshot
from redzone.terminal.lines import Legible
from redzone.terminal.panels import (
    Heading,
    count_lines,
    error_lines,
    heading_lines,
    note_lines,
    pace_lines,
    progress_line,
    request_lines,
    timing_lines,
    token_lines,
)
from redzone.terminal.workers import verdict_lines, worker_lines, workers_height

ROOMY = 20  # from this height, blank lines separate the sections
LEAST_VERDICTS = 4  # the heading and three verdicts


class _Rank(IntEnum):
    """Lines with a lower rank stay longer."""

    BAR = 0
    NOTE = 1
    COUNTS = 2
    PACE = 3
    REQUESTS = 4
    TITLE = 5
    ERRORS = 6
    TOKENS = 7
    SUBTITLE = 8
    TIMINGS = 9


_Block = Sequence[tuple[_Rank, Text]]


def render(snapshot: Snapshot, heading: Heading, width: int, height: int) -> RenderableType:
    """The view of a run, at most `height` lines of `width` cells. Works for every Snapshot."""
    return Legible(Group(*screen_lines(snapshot, heading, max(1, width), max(1, height))))


def screen_lines(snapshot: Snapshot, heading: Heading, width: int, height: int) -> list[Text]:
    """The view as a list of lines."""
    lines = _fixed(_blocks(snapshot, heading, width), height)
    gap = [Text()] if height >= ROOMY else []
    workers = worker_lines(
        snapshot, width, _workers_room(snapshot, width, height - len(lines) - 2 * len(gap))
    )
    lines += [*(gap if workers else []), *workers]
    verdicts = verdict_lines(snapshot, width, height - len(lines) - len(gap))
    return [*lines, *(gap if verdicts else []), *verdicts]


def _workers_room(snapshot: Snapshot, width: int, room: int) -> int:
    """Lines for the workers: one each if some verdicts still fit, else half, or what the verdicts leave."""
    verdicts = len(snapshot.recent) + 1 if snapshot.recent else 0
    if (whole := workers_height(snapshot, width)) <= room - min(verdicts, LEAST_VERDICTS):
        return whole
    return max(room - verdicts, (room + 1) // 2)


def _blocks(snapshot: Snapshot, heading: Heading, width: int) -> list[_Block]:
    title = list(zip((_Rank.TITLE, _Rank.SUBTITLE), heading_lines(heading, width), strict=False))
    progress = [
        (_Rank.BAR, progress_line(snapshot, width)),
        *_ranked(_Rank.PACE, pace_lines(snapshot, width)),
        *_ranked(_Rank.NOTE, note_lines(snapshot, width)),
    ]
    counts = [
        *_ranked(_Rank.COUNTS, count_lines(snapshot, width)),
        *_ranked(_Rank.ERRORS, error_lines(snapshot, width)),
    ]
    limits = [
        *_ranked(_Rank.REQUESTS, request_lines(snapshot, width)),
        *_ranked(_Rank.TOKENS, token_lines(snapshot, width)),
        *_ranked(_Rank.TIMINGS, timing_lines(snapshot, width)),
    ]
    return [title, progress, counts, limits]


def _ranked(rank: _Rank, lines: Sequence[Text]) -> list[tuple[_Rank, Text]]:
    return [(rank, line) for line in lines]


def _fixed(blocks: Sequence[_Block], height: int) -> list[Text]:
    """The lines of the blocks in order; if they do not fit, those that rank last are dropped."""
    places = sorted(
        (rank, number, index) for number, block in enumerate(blocks) for index, (rank, _) in enumerate(block)
    )
    kept = set(places[:height])
    spaced = height >= max(ROOMY, len(places) + len(blocks))
    lines: list[Text] = []
    for number, block in enumerate(blocks):
        here = [line for index, (rank, line) in enumerate(block) if (rank, number, index) in kept]
        lines += [*([Text()] if spaced and lines and here else []), *here]
    return lines
