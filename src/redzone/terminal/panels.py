"""The sections of the live view, as lists of lines no wider than given. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap

from rich.text import Text

from redzone.models import Status
from redzone.telemetry.metrics import RateFigures, Snapshot
from redzone.terminal.formatting import (
    format_cost,
    format_count,
    format_duration,
    format_pct,
    format_rate,
    format_short,
)
from redzone.terminal.lines import (
    CACHED_SIGN,
    COLOURS,
    DIM,
    DUPLICATE_SIGN,
    LABEL,
    NARROW,
    WARN,
    bar,
    cut,
    fact,
    flow,
    one_line,
)

MIN_BAR = 10
NOTE_LINES = 3
LABEL_WIDTH = 9
GAUGE_ROOM = 64  # cells beside the bar, for label, figures and facts


@dataclass(frozen=True, slots=True)
class Heading:
    """The run's name, model, zones and input, for the first lines of the view."""

    run_id: str
    label: str = ""
    provider: str = ""
    model: str = ""
    zones: tuple[str, ...] = ()
    input: str = ""


def heading_lines(heading: Heading, width: int) -> list[Text]:
    """Two lines: run id and label; provider, model, zones and input."""
    label = one_line(heading.label, width)
    model = one_line(f"{heading.provider} {heading.model}", width)
    zones = one_line(", ".join(heading.zones), width)
    first = Text.assemble(
        ("redzone", "bold"), " ", (one_line(heading.run_id, width), "cyan"), f"  {label}" if label else ""
    )
    facts = [model, f"zone {zones}" if zones else "", one_line(heading.input, width)]
    second = Text("  ·  ".join(text for text in facts if text), style=DIM)
    return [cut(line, width) for line in (first, second) if line.plain]


def progress_line(snapshot: Snapshot, width: int) -> Text:
    """The progress bar with figures at the right edge; no bar if the total is unknown."""
    if snapshot.rows <= 0:
        done = format_count(snapshot.done)
        return cut(Text.assemble((done, "bold"), " done ", ("of an unknown total", LABEL)), width)
    figures = Text.assemble(
        (format_count(snapshot.done), "bold"),
        f"/{format_count(snapshot.rows)}  {format_pct(snapshot.done, snapshot.rows)}",
    )
    room = width - figures.cell_len - 2
    if room < MIN_BAR:
        return cut(figures, width)
    colour = "green" if snapshot.done >= snapshot.rows else "cyan"
    return cut(bar(snapshot.done / snapshot.rows, room, colour).append("  ").append_text(figures), width)


def pace_lines(snapshot: Snapshot, width: int) -> list[Text]:
    """Rate over the last 60 s, time elapsed and left, cost, and posters done by earlier processes."""
    items = [
        fact("rate", f"{format_rate(snapshot.posters_last_min)}/min", "bold"),
        fact("elapsed", format_duration(snapshot.elapsed_s)),
    ]
    if snapshot.done < snapshot.rows or snapshot.rows <= 0:
        items.append(fact("left", format_duration(seconds_left(snapshot))))
    if width >= NARROW:
        items.append(fact("requests", format_count(snapshot.requests)))
    items.append(fact("cost", format_cost(snapshot.known_cost_usd)))
    if snapshot.earlier > 0:
        items.append(fact("done before", format_count(snapshot.earlier)))
    return flow(items, width)


def seconds_left(snapshot: Snapshot) -> float | None:
    """Seconds to the end at the current rate; None if the total or the rate is unknown."""
    if snapshot.rows <= 0 or snapshot.eta_s is None or snapshot.eta_s < 0:
        return None
    return snapshot.eta_s


def note_lines(snapshot: Snapshot, width: int) -> list[Text]:
    """The current notice, as a highlighted block."""
    note = one_line(snapshot.note, NOTE_LINES * width)
    lines = wrap(note, max(1, width - 2), max_lines=NOTE_LINES, placeholder=" …") if note else []
    return [cut(Text(f" {line} ", style="bold reverse yellow"), width) for line in lines]


def count_lines(snapshot: Snapshot, width: int) -> list[Text]:
    """Outcomes by status, and those that needed no request."""
    counts = {
        Status.PASS: snapshot.passed,
        Status.FAIL: snapshot.failed,
        Status.UNSURE: snapshot.unsure,
        Status.ERROR: snapshot.errors,
    }
    items = [
        _count(status.sign, status.value, count, COLOURS[status]) for status, count in counts.items()
    ] + [
        _count(CACHED_SIGN, "cached", snapshot.cached, "blue"),
        _count(DUPLICATE_SIGN, "duplicate", snapshot.duplicates, "blue"),
    ]
    return flow(items, width)


def _count(sign: str, word: str, count: int, colour: str) -> Text:
    style = colour if count else DIM
    return Text.assemble((f"{sign} {word} ", style), (format_count(count), f"bold {style}" if count else DIM))


def error_lines(snapshot: Snapshot, width: int) -> list[Text]:
    """Errors by kind, the most frequent first."""
    if not snapshot.errors_by_code:
        return []
    items = [
        Text.assemble(one_line(code, width), " ", (format_count(count), "bold"), style="magenta")
        for code, count in snapshot.errors_by_code.items()
    ]
    items[0] = Text.assemble(("errors ", LABEL), items[0])
    return flow(items, width, indent=len("errors "))


def request_lines(snapshot: Snapshot, width: int) -> list[Text]:
    """Requests of the last 60 s against the limit, 429 responses and pauses."""
    rate = snapshot.rate
    gauge = _gauge("requests", rate.requests_last_min, rate.requests_limit_per_min, width)
    return flow([gauge, *_limiter_facts(rate)], width, indent=LABEL_WIDTH)


def _limiter_facts(rate: RateFigures) -> list[Text]:
    facts = []
    if rate.rejected:
        facts.append(fact("429s", format_count(rate.rejected), "yellow"))
    # during a pause all workers wait, so one field serves for both and the line keeps its length
    if rate.held_for_s > 0:
        facts.append(Text(f"held {format_duration(rate.held_for_s)} by the server", style=WARN))
    elif rate.waiting:
        facts.append(fact("waiting", format_count(rate.waiting)))
    return facts


def token_lines(snapshot: Snapshot, width: int) -> list[Text]:
    """Tokens of the last 60 s against the limit, and in total; empty if there are none."""
    rate = snapshot.rate
    if not (rate.tokens_limit_per_min or rate.tokens_last_min or snapshot.tokens_in or snapshot.tokens_out):
        return []
    items = [_gauge("tokens", rate.tokens_last_min, rate.tokens_limit_per_min, width)]
    if width >= NARROW:
        in_all = (("in", snapshot.tokens_in), ("out", snapshot.tokens_out))
        items += [fact(word, format_short(count)) for word, count in in_all]
    return flow(items, width, indent=LABEL_WIDTH)


def _gauge(name: str, last_min: int, limit: float | None, width: int) -> Text:
    label = (f"{name:<{LABEL_WIDTH}}", LABEL)
    if not limit or limit <= 0:
        return Text.assemble(label, f"{format_short(last_min)}/min", (" no limit known", LABEL))
    cap = f"{format_rate(limit) if limit < 1e4 else format_short(limit)}/min"
    if width < NARROW:
        return Text.assemble(label, f"{format_short(last_min)} of {cap}")
    full = last_min / limit
    colour = "yellow" if full >= 1 else "cyan"
    return Text.assemble(
        label, bar(full, min(24, width - GAUGE_ROOM), colour), f" {format_short(last_min):>6} of {cap:<8}"
    )


def timing_lines(snapshot: Snapshot, width: int) -> list[Text]:
    """Seconds per poster: median, 95th percentile, and the mean of each stage."""
    times = snapshot.timings
    if times.p95_s <= 0:
        return []
    items = [
        Text.assemble((f"{'seconds':<{LABEL_WIDTH}}", LABEL), fact("p50", format_duration(times.p50_s))),
        fact("p95", format_duration(times.p95_s)),
        fact("mean fetch", format_duration(times.fetch_s)),
        fact("wait", format_duration(times.wait_s)),
        fact("model", format_duration(times.model_s)),
    ]
    return flow(items, width, indent=LABEL_WIDTH)
