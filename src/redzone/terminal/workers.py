"""The busy workers and the latest verdicts, as lines that fit the given space. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from redzone.telemetry.metrics import RecentOutcome, Snapshot, Stage, WorkerSlot
from redzone.terminal.formatting import format_count, format_duration
from redzone.terminal.lines import COLOURS, DIM, LABEL, NARROW, WARN, cut, flow, grid, one_line, rule

WIDE = 120  # from this width, ids and titles get more columns
GAP = 2
SLOT_WIDTH = 34
STAGE_WIDTH = 24
SLOW_S = 30.0  # a worker that is longer in one stage is highlighted
WAITING = (Stage.WAIT, Stage.BACKOFF)  # stages in which a worker only waits


def workers_height(snapshot: Snapshot, width: int) -> int:
    """Lines that `worker_lines` needs to list every worker; 0 if none is busy."""
    if not snapshot.lanes:
        return 0
    workers = max(snapshot.workers, len(snapshot.lanes))
    return 1 + -(-workers // _columns(width))


def _columns(width: int) -> int:
    return max(1, (width + GAP) // (SLOT_WIDTH + GAP))


def worker_lines(snapshot: Snapshot, width: int, room: int) -> list[Text]:
    """One line per busy worker if they fit into `room` lines.

    Else a count per stage, and the workers that are longest in their stage; those that only wait come last.
    """
    slots = snapshot.lanes
    if not slots or room < 2:
        return []
    workers = max(snapshot.workers, len(slots))
    title = rule("workers", width, f"{format_count(len(slots))} of {format_count(workers)} busy")
    height = workers_height(snapshot, width)
    if height <= room:
        body = _slot_lines(slots, width)
        # keep the height while workers come and go, so that the lines below do not move
        return [title, *body, *[Text()] * (height - 1 - len(body))]
    stages = _stage_lines(slots, width, room - 1)
    free = (room - 1 - len(stages)) * _columns(width)
    oldest = sorted(slots, key=lambda slot: (slot.stage in WAITING, -slot.age_s))[:free]
    return [title, *stages, *_slot_lines(oldest, width)]


def _slot_lines(slots: Sequence[WorkerSlot], width: int) -> list[Text]:
    return grid([_slot(slot, width) for slot in slots], width, SLOT_WIDTH, GAP)


def _stage_lines(slots: Sequence[WorkerSlot], width: int, room: int) -> list[Text]:
    ages_s: dict[Stage, list[float]] = {stage: [] for stage in Stage}
    for slot in slots:
        ages_s[slot.stage].append(slot.age_s)
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


def _slot(slot: WorkerSlot, width: int) -> Text:
    return Text.assemble(
        (f"{slot.worker:>3} ", DIM),
        (f"{slot.stage.value:<8}", DIM if slot.stage in WAITING else ""),
        (f"{format_duration(slot.age_s):>6}  ", _age_style(slot.stage, slot.age_s)),
        (one_line(slot.id, width), ""),
    )


def _age_style(stage: Stage, age_s: float) -> str:
    return WARN if age_s >= SLOW_S and stage not in WAITING else ""


def verdict_lines(snapshot: Snapshot, width: int, room: int) -> list[Text]:
    """The latest outcomes, newest first."""
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
