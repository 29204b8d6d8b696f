"""Columns of outcomes: over the confidence of the verdicts, and over the days."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from redzone.charts.key import Entry, hatch, key
from redzone.charts.status import Counts, told
from redzone.charts.svg import Axes, count_ticks, svg, tag, text, width_px
from redzone.models import Status

_TOP, _FOOT, _LEFT, _EDGE = 12.0, 26.0, 48.0, 22.0
_LEAST_DAYS = 7  # a single day is a column, too, and no wall
_MOST_COLUMNS = 92  # a quarter in days; from there on by week, then by month


@dataclass(frozen=True, slots=True)
class Day:
    """The outcomes of one day."""

    on: date
    counts: Counts


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    counts: Mapping[Status, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def confidence_columns(
    buckets: Sequence[Counts],
    title: str = "Confidence of the verdicts",
    *,
    unsure_below_pct: float | None = None,
    width: float = 680.0,
    height: float = 240.0,
) -> str:
    """A column for each of the equal parts of 0-100 %; `unsure_below_pct` is a dashed line."""
    edges = [100 * number / len(buckets) for number in range(len(buckets) + 1)]
    columns = [
        _Column(f"{low:g}-{high:g} %", counts)
        for low, high, counts in zip(edges, edges[1:], buckets, strict=False)
    ]
    axes, parts = _frame(columns, width, height)
    for pct in range(0, 101, 20):
        x = axes.x(pct / 100 * len(columns))
        parts.append(text(x, height - 12, f"{pct} %", "tick middle"))
    if unsure_below_pct is not None:
        parts += _threshold(unsure_below_pct, axes, len(columns))
    return svg(parts, (width, height), _told(columns, title))


def day_columns(
    days: Sequence[Day], title: str = "Posters per day", *, width: float = 680.0, height: float = 240.0
) -> str:
    """A column for each day from the first to the last, empty ones too; long times by week or month."""
    columns = _calendar(days)
    axes, parts = _frame(columns, width, height, _LEAST_DAYS)
    room = width_px(max((column.name for column in columns), key=len, default="")) + 14
    pitch = (axes.right - axes.left) / max(_LEAST_DAYS, len(columns))
    every = max(1, -(-int(room) // max(1, int(pitch))))
    for number in range(0, len(columns), every):
        x = axes.x(number + 0.5)
        if x + room / 2 <= width and x - room / 2 >= 0:
            parts.append(text(x, height - 12, columns[number].name, "tick middle"))
    return svg(parts, (width, height), _told([column for column in columns if column.total], title))


def _threshold(pct: float, axes: Axes, columns: int) -> Iterator[str]:
    x, words = axes.x(pct / 100 * columns), f"unsure below {pct:.3g} %"
    yield tag("line", words, css="limit", x1=x, x2=x, y1=axes.top, y2=axes.bottom)
    if x > (axes.left + axes.right) / 2:
        yield text(x - 6, axes.top + 6, words, "tick halo end")
    else:
        yield text(x + 6, axes.top + 6, words, "tick halo")


def _frame(columns: Sequence[_Column], width: float, height: float, least: int = 1) -> tuple[Axes, list[str]]:
    ticks = count_ticks(max((column.total for column in columns), default=0))
    high = (float(max(least, len(columns))), ticks[-1])
    there = [status for status in Status if any(column.counts.get(status) for column in columns)]
    parts, above = key([Entry(status.value, status.value, status.sign) for status in there], 0, width)
    axes = Axes(_LEFT, width - _EDGE, _TOP + above, height - _FOOT, (0.0, 0.0), high)
    parts += axes.grid(ticks)
    for number, column in enumerate(columns):
        parts += _stacked(column, number, axes)
    return axes, parts


def _stacked(column: _Column, number: int, axes: Axes) -> Iterator[str]:
    left, right = axes.x(number), axes.x(number + 1)
    gap = min(2.0, (right - left) * 0.15)
    below = 0
    for status in Status:
        count = column.counts.get(status, 0)
        if count <= 0:
            continue
        y, floor = axes.y(below + count), axes.y(below)
        box = (left + gap / 2, y, right - left - gap, floor - y)
        hint = f"{column.name}: {count:,} {status.value}"
        yield tag("rect", hint, css=f"column {status.value}", x=box[0], y=y, width=box[2], height=box[3])
        yield from hatch(status.value, *box)
        below += count


def _told(columns: Sequence[_Column], title: str) -> str:
    return f"{title}. " + "; ".join(told(column.counts, column.name) for column in columns if column.total)


def _calendar(days: Sequence[Day]) -> list[_Column]:
    if not days:
        return []
    first, last = min(day.on for day in days), max(day.on for day in days)
    length = (last - first).days + 1
    cut = _day if length <= _MOST_COLUMNS else _week if length <= 7 * _MOST_COLUMNS else _month
    found: dict[str, dict[Status, int]] = {
        cut(first + timedelta(days=number)): {} for number in range(length)
    }
    for day in days:
        counts = found[cut(day.on)]
        for status, count in day.counts.items():
            counts[status] = counts.get(status, 0) + count
    return [_Column(name, counts) for name, counts in found.items()]


def _day(on: date) -> str:
    return on.isoformat()


def _week(on: date) -> str:
    """Named by its Monday."""
    return f"week of {on - timedelta(days=on.weekday())}"


def _month(on: date) -> str:
    return f"{on:%Y-%m}"
