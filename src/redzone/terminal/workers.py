"""What is in hand and what was last decided, as lines that fill the room they are given. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from redzone.telemetry.metrics import RecentOutcome, Snapshot, Stage, WorkerSlot
from redzone.terminal.formatting import format_count, format_duration
from redzone.terminal.lines import COLOURS, DIM, LABEL, NARROW, WARN, cut, flow, grid, one_line, rule

WIDE = 120  # from here on ids and titles have more room
GAP = 2
LANE_WIDTH = 34
STAGE_WIDTH = 24
SLOW_S = 30.0  # a worker that long in one stage is worth a look
PATIENT = (Stage.WAIT, Stage.BACKOFF)  # stages in which a worker only waits


def crew_height(snapshot: Snapshot, width: int) -> int:
    """Lines that `worker_lines` wants for a line for each worker; 0 where nothing is in hand."""
    if not snapshot.lanes:
        return 0
    crew = max(snapshot.workers, len(snapshot.lanes))
    return 1 + -(-crew // _columns(width))


def _columns(width: int) -> int:
    return max(1, (width + GAP) // (LANE_WIDTH + GAP))


def worker_lines(snapshot: Snapshot, width: int, room: int) -> list[Text]:
    """A line for each busy worker where they fit into `room` lines, else a figure for each stage and
    the workers that are longest in theirs, those first that do more than wait."""
    lanes = snapshot.lanes
    if not lanes or room < 2:
        return []
    crew = max(snapshot.workers, len(lanes))
    title = rule("workers", width, f"{format_count(len(lanes))} of {format_count(crew)} busy")
    height = crew_height(snapshot, width)
    if height <= room:
        body = _lane_lines(lanes, width)
        # the section keeps its height while workers come and go, so that what is below stands still
        return [title, *body, *[Text()] * (height - 1 - len(body))]
    stages = _stage_lines(lanes, width, room - 1)
    free = (room - 1 - len(stages)) * _columns(width)
    oldest = sorted(lanes, key=lambda lane: (lane.stage in PATIENT, -lane.age_s))[:free]
    return [title, *stages, *_lane_lines(oldest, width)]


def _lane_lines(lanes: Sequence[WorkerSlot], width: int) -> list[Text]:
    return grid([_lane(lane, width) for lane in lanes], width, LANE_WIDTH, GAP)


def _stage_lines(lanes: Sequence[WorkerSlot], width: int, room: int) -> list[Text]:
    ages_s: dict[Stage, list[float]] = {stage: [] for stage in Stage}
    for lane in lanes:
        ages_s[lane.stage].append(lane.age_s)
    every = grid([_stage(stage, ages) for stage, ages in ages_s.items()], width, STAGE_WIDTH)
    if len(every) <= room // 2:
        return every
    busy = [
        Text.assemble(
            (f"{stage.value} ", LABEL), (format_count(len(ages)), "bold"), f" {format_duration(max(ages))}"
        )
        for stage, ages in ages_s.items()
        if ages
    ]
    return flow(busy, width)[:room]


def _stage(stage: Stage, ages_s: Sequence[float]) -> Text:
    if not ages_s:
        return Text(f"{stage.value:<8}{'0':>4}", style=DIM)
    oldest_s = max(ages_s)
    return Text.assemble(
        f"{stage.value:<8}",
        (f"{format_count(len(ages_s)):>4}", "bold"),
        ("  oldest ", LABEL),
        (format_duration(oldest_s), _age_style(stage, oldest_s)),
    )


def _lane(lane: WorkerSlot, width: int) -> Text:
    return Text.assemble(
        (f"{lane.worker:>3} ", DIM),
        (f"{lane.stage.value:<8}", DIM if lane.stage in PATIENT else ""),
        (f"{format_duration(lane.age_s):>6}  ", _age_style(lane.stage, lane.age_s)),
        (one_line(lane.id, width), ""),
    )


def _age_style(stage: Stage, age_s: float) -> str:
    return WARN if age_s >= SLOW_S and stage not in PATIENT else ""


def verdict_lines(snapshot: Snapshot, width: int, room: int) -> list[Text]:
    """The last outcomes, the newest first."""
    if not snapshot.recent or room < 2:
        return []
    newest_first = snapshot.recent[::-1][: room - 1]
    return [rule("last verdicts", width), *(_verdict(recent, width) for recent in newest_first)]


def _verdict(recent: RecentOutcome, width: int) -> Text:
    id_width, title_width = (10, 0) if width < NARROW else (12, 20) if width < WIDE else (18, 36)
    line = Text.assemble(
        (f"{recent.status.sign} {recent.status.value:<6} ", COLOURS[recent.status]),
        _column(recent.id, id_width),
        _column(recent.title, title_width),
    )
    if recent.confidence_pct is None:
        line.append(" " * 5)
    else:
        line.append(f"{recent.confidence_pct:>3.0f} %")
    line.append("  ").append(one_line(recent.note, max(0, width - line.cell_len - 2)), style=DIM)
    return cut(line, width)


def _column(text: str, width: int) -> Text:
    return cut(Text(one_line(text, width)), width + GAP, pad=True) if width else Text()
