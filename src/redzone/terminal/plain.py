"""Formats a Snapshot as one line of `key=value` pairs, for logs and pipes. Pure."""

from __future__ import annotations

import json
import re

from redzone.telemetry.metrics import Snapshot
from redzone.terminal.formatting import format_cost, format_duration, format_rate
from redzone.terminal.lines import one_line
from redzone.terminal.panels import seconds_left

NOTE_WIDTH = 200
_BARE = re.compile(r"[^\s\"=]+")


def plain_line(snapshot: Snapshot) -> str:
    """The state of the run in logfmt, without a newline. Rates cover the last 60 s.

    The keys are always the same; `held` and `note` follow if there is a pause or a notice.
    """
    limit = snapshot.rate.requests_limit_per_min
    values = {
        "t": format_duration(snapshot.elapsed_s),
        "done": f"{snapshot.done}/{snapshot.rows if snapshot.rows > 0 else '?'}",
        "pass": snapshot.passed,
        "fail": snapshot.failed,
        "unsure": snapshot.unsure,
        "error": snapshot.errors,
        "cached": snapshot.cached,
        "duplicate": snapshot.duplicates,
        "rate": f"{format_rate(snapshot.posters_last_min)}/min",
        "limit": f"{format_rate(limit)}/min" if limit else "unknown",
        "requests": snapshot.requests,
        "429": snapshot.rate.rejected,
        "cost": format_cost(snapshot.known_cost_usd),
        "eta": format_duration(seconds_left(snapshot)),
    }
    pairs = [f"{key}={_value(str(value).replace(',', ''))}" for key, value in values.items()]
    if snapshot.rate.held_for_s > 0:
        pairs.append(f"held={format_duration(snapshot.rate.held_for_s)}")
    if snapshot.note:
        pairs.append(f"note={_value(one_line(snapshot.note, NOTE_WIDTH))}")
    return " ".join(pairs)


def _value(value: str) -> str:
    return value if _BARE.fullmatch(value) else json.dumps(value, ensure_ascii=False)
