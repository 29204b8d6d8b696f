"""The summary after a run: results, cost, files, next commands; and the estimate before it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from redzone.diagnostics import HINTS, Advice, Topic, recommendations
from redzone.engine.estimate import ASSUMED_POSTER_PX
from redzone.errors import ErrorCode
from redzone.models import RunEstimate, Status
from redzone.review import ReviewedOutcome
from redzone.telemetry.metrics import GroupCounts, Snapshot
from redzone.terminal.formatting import format_cost, format_count, format_duration, format_pct, format_rate
from redzone.terminal.lines import COLOURS, DIM, LABEL, WARN, Legible, TextBar, one_line
from redzone.text import clean

MAX_GROUPS = 10
MAX_ADVICE = 3
NAME_WIDTH = 32
NAME_MIN_WIDTH = 10  # on a narrow terminal the bars shrink first
REASON_WIDTH = 400
BAR_WIDTH = 12


class Ending(StrEnum):
    """How the run ended."""

    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    STOPPED = "stopped"


_ENDING_STYLES = {Ending.FINISHED: "bold green", Ending.INTERRUPTED: WARN, Ending.STOPPED: "bold red"}


@dataclass(frozen=True, slots=True)
class SummaryFacts:
    """Facts for the summary that are not in the last Snapshot.

    `reason` is why the run stopped; `saved_usd` is what cached and duplicate verdicts would have cost, if
    known.
    """

    run_id: str
    folder: str
    ending: Ending = Ending.FINISHED
    reason: str = ""
    outputs: tuple[str, ...] = ()
    next_commands: tuple[str, ...] = ()
    saved_usd: float | None = None


def print_summary(console: Console, snapshot: Snapshot, facts: SummaryFacts) -> None:
    """Prints the summary. Paths and commands are not wrapped, so that they can be copied."""
    console.print(Text(), summary(snapshot, facts), sep="\n", soft_wrap=True)


def summary(snapshot: Snapshot, facts: SummaryFacts) -> RenderableType:
    """The summary as tables that fit the console. Print with `soft_wrap=True` to keep paths on one line."""
    parts: list[RenderableType] = [
        _headline(snapshot, facts),
        *_section("", _counts(snapshot)),
        *_section("", _figures(snapshot, facts)),
    ]
    if snapshot.errors:
        parts += _section("Errors", _errors(snapshot))
    if advice := _advice(snapshot):
        parts += _section("Advice", _sentences(advice))
    if len(snapshot.groups) > 1:
        parts += _section("Groups by share of fails", _groups(snapshot.groups))
    parts += _listed("Results", (facts.folder, *facts.outputs), "")
    parts += _listed("Next", facts.next_commands, "cyan")
    return Legible(Group(*parts))


def _section(title: str, body: RenderableType) -> list[RenderableType]:
    return [
        Text(),
        *([Text(title, style="bold")] if title else []),
        Padding(body, (0, 0, 0, 2), expand=False),
    ]


def _listed(title: str, items: tuple[str, ...], style: str) -> list[RenderableType]:
    if not items:
        return []
    return [Text(), Text(title, style="bold"), *(Text(f"  {_whole(item)}", style=style) for item in items)]


def _whole(text: str) -> str:
    return one_line(text, 4 * len(text) + 1)


def _headline(snapshot: Snapshot, facts: SummaryFacts) -> Text:
    line = Text.assemble(
        (f"Run {_whole(facts.run_id)} ", "bold"),
        (facts.ending.value, _ENDING_STYLES[facts.ending]),
        f" after {format_duration(snapshot.elapsed_s)}",
    )
    reason = one_line(facts.reason, REASON_WIDTH)
    return line.append(f": {reason}") if reason else line


def _counts(snapshot: Snapshot) -> Table:
    total = snapshot.rows if snapshot.rows > 0 else snapshot.done
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    table.add_column(justify="right", style=DIM)
    counts = {
        Status.PASS: snapshot.passed,
        Status.FAIL: snapshot.failed,
        Status.UNSURE: snapshot.unsure,
        Status.ERROR: snapshot.errors,
    }
    for status, count in counts.items():
        style = COLOURS[status] if count else DIM
        table.add_row(
            Text(f"{status.sign} {status.value}", style=style),
            Text(format_count(count), style=f"bold {style}"),
            format_pct(count, total),
        )
    pending = total - snapshot.done
    if pending > 0:
        table.add_row(Text("  pending"), format_count(pending), format_pct(pending, total))
    table.add_row(Text("  posters"), Text(format_count(total), style="bold"), "")
    return table


def _figures(snapshot: Snapshot, facts: SummaryFacts) -> Table:
    worked = max(0, snapshot.done - snapshot.earlier)
    per_min = 60 * worked / snapshot.elapsed_s if snapshot.elapsed_s > 0 else 0.0
    rejected = f", {format_count(snapshot.rate.rejected)} rejected (429)" if snapshot.rate.rejected else ""
    elapsed = format_duration(snapshot.elapsed_s)
    rows = {
        "speed": f"{format_rate(per_min)} posters/min, {format_count(worked)} in {elapsed}",
        "before": f"{format_count(snapshot.earlier)} done by earlier processes"
        if snapshot.earlier > 0
        else "",
        "requests": f"{format_count(snapshot.requests)}{rejected}",
        "tokens": f"{format_count(snapshot.tokens_in)} in, {format_count(snapshot.tokens_out)} out"
        if snapshot.tokens_in or snapshot.tokens_out
        else "",
        "cost": format_cost(snapshot.known_cost_usd),
        "reused": _reused(snapshot, facts.saved_usd),
    }
    table = Table.grid(padding=(0, 2))
    table.add_column(style=LABEL, no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in rows.items():
        if text:
            table.add_row(name, Text(text))
    return table


def _reused(snapshot: Snapshot, saved_usd: float | None) -> str:
    sources = {"from the cache": snapshot.cached, "duplicates of another poster": snapshot.duplicates}
    reused = ", ".join(f"{format_count(count)} {word}" for word, count in sources.items() if count)
    return f"{reused}, saving about {format_cost(saved_usd)}" if reused and saved_usd else reused


def _errors(snapshot: Snapshot) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="magenta")
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style=DIM)
    for code, count in snapshot.errors_by_code.items():
        table.add_row(Text(one_line(code, NAME_WIDTH)), format_count(count), Text(_hint(code)))
    earlier = snapshot.errors - sum(snapshot.errors_by_code.values())
    if earlier > 0:
        table.add_row(Text("earlier"), format_count(earlier), Text("before this process started"))
    return table


def _hint(code: str) -> str:
    return HINTS[ErrorCode(code)] if code in set(ErrorCode) else ""


def _advice(snapshot: Snapshot) -> tuple[Advice, ...]:
    """Advice without what the summary shows elsewhere: hints for errors, and the reason for a stop."""
    shown_elsewhere = (Topic.ERRORS, Topic.HELD)
    found = recommendations(snapshot)
    return tuple(each for each in found if each.topic not in shown_elsewhere)[:MAX_ADVICE]


def _sentences(advice: tuple[Advice, ...]) -> Table:
    table = Table.grid()
    table.add_column(overflow="fold")
    for each in advice:
        table.add_row(Text(one_line(str(each), REASON_WIDTH)))
    return table


def _groups(groups: tuple[GroupCounts, ...]) -> Table:
    worst = sorted(groups, key=lambda group: (-group.fail_rate, -group.judged, group.name))
    table = Table.grid(padding=(0, 2))
    table.add_column(min_width=min(NAME_MIN_WIDTH, max(len(group.name) for group in worst[:MAX_GROUPS])))
    table.add_column()
    for _ in range(2):
        table.add_column(justify="right", no_wrap=True)
    table.add_column(style=DIM)
    for group in worst[:MAX_GROUPS]:
        others = {"unsure": group.unsure, "error": group.errors}
        table.add_row(
            Text(one_line(group.name, NAME_WIDTH) or "(no group)"),
            TextBar(group.fail_rate, BAR_WIDTH, COLOURS[Status.FAIL]),
            format_pct(group.failed, group.judged) or "-",
            f"{format_count(group.failed)} of {format_count(group.judged)}",
            ", ".join(f"{format_count(count)} {word}" for word, count in others.items() if count),
        )
    if len(worst) > MAX_GROUPS:
        table.add_row(Text(f"and {format_count(len(worst) - MAX_GROUPS)} more", style=DIM))
    return table


def estimate_lines(found: RunEstimate) -> tuple[str, ...]:
    """The estimate, one figure per line."""
    cost = "unknown (no price is known for this model)"
    if found.cost_usd is not None and found.most_cost_usd is not None:
        cost = (
            f"about {format_cost(found.cost_usd)}, at most {format_cost(found.most_cost_usd)} without retries"
        )
    width, height = ASSUMED_POSTER_PX
    missing = f"missing     {found.missing_files:,} image files do not exist"
    return (
        *found.notes,
        f"rows        {found.rows:,} ({found.bad_rows:,} unusable)",
        *((missing,) if found.missing_files else ()),
        f"reused      {found.cached:,} in the cache, {found.duplicates:,} duplicates",
        f"requests    {found.requests:,}",
        f"tokens      about {found.input_tokens:,} in, {found.output_tokens:,} out at {width}x{height} px",
        f"cost        {cost}",
        f"time        about {format_duration(found.seconds)}, limited by {found.held_back_by}",
    )


_STYLES = {Status.PASS: "green", Status.FAIL: "red", Status.UNSURE: "yellow", Status.ERROR: "magenta"}


def verdict_table(reviewed_outcomes: Iterable[ReviewedOutcome]) -> Table:
    """One line per row in input order: status, id, title, confidence and reason."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("status", "id", "title"):
        table.add_column(column, no_wrap=True)
    table.add_column("sure", justify="right", no_wrap=True)
    table.add_column("reason", overflow="fold")
    for reviewed in reviewed_outcomes:
        row, outcome, status = reviewed.row, reviewed.outcome, reviewed.status
        if outcome is None or status is None:
            table.add_row("pending", Text(clean(row.id)), Text(clean(row.title, 30)), "", "")
            continue
        table.add_row(
            Text(status, style=_STYLES[status]),
            Text(clean(row.id)),
            Text(clean(row.title, 30)),
            f"{min(zone.confidence_pct for zone in outcome.zones):.0f} %" if outcome.zones else "",
            Text(clean(_reason(reviewed))),
        )
    return table


def _reason(reviewed: ReviewedOutcome) -> str:
    error = reviewed.outcome.error if reviewed.outcome is not None else None
    if error is not None and not reviewed.reviewed:
        return f"{error.code}: {error.message}"
    return reviewed.justification
