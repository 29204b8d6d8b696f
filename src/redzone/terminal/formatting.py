"""Formats durations, costs, counts and percentages. Pure; works for every float."""

from __future__ import annotations

import math

UNKNOWN = "unknown"

_MINUTE_S = 60
_HOUR_S = 60 * _MINUTE_S
_DAY_S = 24 * _HOUR_S
_LONGEST_DAYS = 999
_LARGEST_SPELLED_USD = 1e9
_SUFFIXES = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"))


def format_duration(seconds: float | None) -> str:
    """A duration in at most 7 characters: `0.4s`, `12s`, `5m30s`, `1h05m`, `2d03h`; `unknown` for None."""
    if seconds is None or not math.isfinite(seconds):
        return UNKNOWN
    seconds = max(0.0, seconds)
    if round(seconds, 1) < 10:
        return f"{seconds:.1f}s"
    whole_s = round(seconds)
    if whole_s < _MINUTE_S:
        return f"{whole_s}s"
    if whole_s < _HOUR_S:
        return f"{whole_s // _MINUTE_S}m{whole_s % _MINUTE_S:02}s"
    if whole_s < _DAY_S:
        return f"{whole_s // _HOUR_S}h{whole_s % _HOUR_S // _MINUTE_S:02}m"
    days = whole_s // _DAY_S
    if days > _LONGEST_DAYS:
        return f">{_LONGEST_DAYS}d"
    return f"{days}d{whole_s % _DAY_S // _HOUR_S:02}h"


def format_cost(usd: float | None) -> str:
    """US dollars: four decimals below $1, two from there on; `unknown` for None."""
    if usd is None or not math.isfinite(usd):
        return UNKNOWN
    sign, usd = ("-" if usd < 0 else ""), abs(usd)
    if usd == 0:
        return "$0.00"
    if usd < 0.0001:
        return f"{sign}<$0.0001"
    if round(usd, 4) < 1:
        return f"{sign}${usd:.4f}"
    return f"{sign}${usd:,.2f}" if usd < _LARGEST_SPELLED_USD else f"{sign}${usd:.1e}"


def format_count(count: float) -> str:
    """A count in at most 7 characters: `12,345`; ten million and more as `12.3M`, `4.5G`."""
    if not math.isfinite(count):
        return UNKNOWN
    if abs(count) < 1e7:
        return f"{round(count):,}" if abs(count) < 1e6 else f"{count / 1e6:.2f}M"
    for unit, suffix in _SUFFIXES:
        if abs(count) >= unit and abs(count) < 1000 * unit:
            return f"{count / unit:.1f}{suffix}"
    return f"{count:.0e}"


def format_short(count: float) -> str:
    """A count in at most 6 characters: `9,999`; ten thousand and more as `21.3k`, `200k`, `12.3M`."""
    if not 1e4 <= abs(count) < 1e6:
        return format_count(count)
    return f"{count / 1e3:.1f}k" if abs(count) < 99_950 else f"{min(999, round(count / 1e3))}k"


def format_rate(per_min: float) -> str:
    """A rate per minute, with one decimal below 10."""
    if math.isfinite(per_min) and 0 < per_min < 9.95:
        return f"{per_min:.1f}"
    return format_count(per_min)


def format_pct(part: float, whole: float) -> str:
    """`part` as a percentage of `whole` with one decimal; 100.0 % only if they are equal."""
    if whole <= 0:
        return ""
    pct = 100 * part / whole
    if part < whole:
        pct = min(pct, 99.9)
    return f"{pct:.1f} %"
