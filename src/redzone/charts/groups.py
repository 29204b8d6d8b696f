"""Where the posters that fail come from: a bar for each group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from redzone.charts.key import hatch
from redzone.charts.status import Counts
from redzone.charts.svg import nice_ticks, shortened, svg, tag, text, width_px
from redzone.models import Status

_PITCH, _THICK, _LETTERS, _FOOT = 46.0, 12.0, 22.0, 22.0
_EDGE = 20.0  # half of "100 %" is beyond the last tick
_LEAST_NAME, _GAP, _TICK_PX = 90.0, 16.0, 12.0
_STEADY_POINTS = 0.5


@dataclass(frozen=True, slots=True)
class GroupBar:
    """A group's outcomes; `rate_before` is the share of fails (0-1) in the run before, None for none."""

    name: str
    counts: Counts
    rate_before: float | None = None

    @property
    def judged(self) -> int:
        """Posters with a verdict that says pass or fail."""
        return self.counts.get(Status.PASS, 0) + self.counts.get(Status.FAIL, 0)

    @property
    def rate(self) -> float:
        """Share of fails among the judged, 0-1; 0 where none is judged."""
        return self.counts.get(Status.FAIL, 0) / self.judged if self.judged else 0.0

    @property
    def points(self) -> float | None:
        """The change of the share from the run before, in percentage points; None without one."""
        return None if self.rate_before is None else 100 * (self.rate - self.rate_before)

    @property
    def trend(self) -> str:
        """The change as words: `4 points more`; empty without a run before."""
        if self.points is None:
            return ""
        if abs(self.points) < _STEADY_POINTS:
            return "unchanged"
        size = round(abs(self.points))
        return f"{size} point{'' if size == 1 else 's'} {'more' if self.points > 0 else 'less'}"

    @property
    def figures(self) -> str:
        """The share and where it comes from: `31 %, 12 of 39`."""
        if not self.judged:
            return "none judged"
        return f"{100 * self.rate:.0f} %, {self.counts.get(Status.FAIL, 0):,} of {self.judged:,}"

    @property
    def told(self) -> str:
        """Figures and trend."""
        return f"{self.figures}, {self.trend}" if self.trend and self.judged else self.figures


def group_bars(rows: Sequence[GroupBar], title: str = "Fails by group", *, width: float = 680.0) -> str:
    """The share of fails in each group, in the order given; a mark shows where it was in the run before."""
    rates = [rate for row in rows for rate in (row.rate, row.rate_before or 0.0)]
    ticks = [tick for tick in nice_ticks(100 * max([0.05, *rates])) if tick <= 100]
    scale = (width - _EDGE) / ticks[-1]
    height = len(rows) * _PITCH
    parts = list(_scale(ticks, scale, height))
    for number, row in enumerate(rows):
        parts += _row(row, number * _PITCH, scale, width)
    told = f"{title}: " + "; ".join(f"{row.name or 'no group'} {row.told}" for row in rows)
    return svg(parts, (width, height + _FOOT), told)


def _scale(ticks: Sequence[float], scale: float, height: float) -> Iterator[str]:
    for tick in ticks:
        x = tick * scale
        yield tag("line", css="grid", x1=x, x2=x, y1=0, y2=height + 2)
        yield text(x, height + 13, f"{tick:g} %", "tick middle" if tick else "tick")


def _row(row: GroupBar, y: float, scale: float, width: float) -> Iterator[str]:
    name = row.name or "no group"
    right, middle = width - _EDGE, y + _LETTERS / 2 - 1
    told = shortened(row.told, right - _LEAST_NAME, _TICK_PX)
    yield text(0, middle, shortened(name, right - width_px(told, _TICK_PX) - _GAP), "label halo")
    yield text(right, middle, told, "tick halo end")
    y += _LETTERS
    length = 100 * row.rate * scale
    yield tag("rect", css="track", x=0, y=y, width=right, height=_THICK)
    yield tag("rect", f"{name}: {row.told}", css="fail", x=0, y=y, width=length, height=_THICK)
    yield from hatch("fail", 0, y, length, _THICK)
    if row.rate_before is not None:
        x, before = 100 * row.rate_before * scale, f"{100 * row.rate_before:.0f} % in the previous run"
        yield tag("line", before, css="before", x1=x, x2=x, y1=y - 2, y2=y + _THICK + 2)
