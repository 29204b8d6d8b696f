"""Charts: data in, SVG text out. The dashboard, the HTML report and the PDF show the same pictures.

A picture holds classes and no colours. In a page, `STYLE` gives it both themes; where there is no page
round it, `inlined` puts the colours of one theme inside.
"""

from __future__ import annotations

from redzone.charts.bars import IN_SIGHT, Bar, bars, gauge, sparkline
from redzone.charts.columns import Day, confidence_columns, day_columns
from redzone.charts.groups import GroupBar, group_bars
from redzone.charts.pace import PaceChart, PaceLine, pace
from redzone.charts.status import Counts, status_bar, status_strip
from redzone.charts.style import DARK, LIGHT, STYLE, fitted, inlined

__all__ = [
    "DARK",
    "IN_SIGHT",
    "LIGHT",
    "STYLE",
    "Bar",
    "Counts",
    "Day",
    "GroupBar",
    "PaceChart",
    "PaceLine",
    "bars",
    "confidence_columns",
    "day_columns",
    "fitted",
    "gauge",
    "group_bars",
    "inlined",
    "pace",
    "sparkline",
    "status_bar",
    "status_strip",
]
