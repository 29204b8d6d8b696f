"""How a run looks to people: a live view, plain lines, and a summary at the end.

The pipeline knows nothing of this: a display reads Snapshots.
"""

from __future__ import annotations

from redzone.display.figures import format_cost, format_count, format_duration
from redzone.display.live import render
from redzone.display.plain import plain_line
from redzone.display.sections import Heading
from redzone.display.show import Progress, resolve, show
from redzone.display.summary import Ending, SummaryFacts, print_summary, summary

__all__ = [
    "Ending",
    "Heading",
    "Progress",
    "SummaryFacts",
    "format_cost",
    "format_count",
    "format_duration",
    "plain_line",
    "print_summary",
    "render",
    "resolve",
    "show",
    "summary",
]
