"""How the posters of a run fared, as one bar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from redzone.charts.key import SIGN_PX, Entry, hatch, key
from redzone.charts.svg import svg, tag, text, width_px
from redzone.models import Status

Counts = Mapping[Status, int]
"""How many posters have which outcome; a status that is not named has none."""

_LEAST_PX = 3.0  # one error among 100,000 posters is still seen
_THICK, _STRIP_THICK = 30.0, 10.0
_SIGN = {status.value: status.sign for status in Status}


def status_bar(counts: Counts, title: str = "Outcomes", *, pending: int = 0, width: float = 680.0) -> str:
    """Pass, fail, unsure and error side by side, as long as their counts, with a key below."""
    parts = list(_bar(counts, pending, width, _THICK, lettered=True))
    total = sum(counts.values()) + pending
    named = [(status.value, status.sign, status.value, counts.get(status, 0)) for status in Status]
    if pending:
        named.append(("track", "", "pending", pending))
    entries = [
        Entry(css, f"{count:,} {name}{_share(count, total)}", sign) for css, sign, name, count in named
    ]
    drawn, below = key(entries, _THICK + 6, width)
    return svg([*parts, *drawn], (width, _THICK + 6 + below), told(counts, title, pending))


def status_strip(counts: Counts, title: str = "Outcomes", *, pending: int = 0, width: float = 160.0) -> str:
    """The bar alone and small, for a line of a table."""
    parts = _bar(counts, pending, width, _STRIP_THICK, lettered=False)
    return svg(parts, (width, _STRIP_THICK), told(counts, title, pending))


def told(counts: Counts, title: str, pending: int = 0) -> str:
    """The counts as words, for those who do not see them."""
    named = [f"{counts.get(status, 0):,} {status.value}" for status in Status]
    return f"{title}: " + ", ".join([*named, f"{pending:,} pending"] if pending else named)


def stack(counts: Counts, pending: int, length_px: float) -> list[tuple[str, int, float]]:
    """Class, count and length of each part that is there; in proportion, but none too short to be seen."""
    found = [(status.value, counts.get(status, 0)) for status in Status] + [("track", pending)]
    found = [(css, count) for css, count in found if count > 0]
    total = sum(count for _, count in found)
    small = {css for css, count in found if length_px * count < _LEAST_PX * total}
    room = length_px - _LEAST_PX * len(small)
    large = sum(count for css, count in found if css not in small)
    return [(css, count, _LEAST_PX if css in small else room * count / large) for css, count in found]


def _bar(counts: Counts, pending: int, width: float, thick: float, *, lettered: bool) -> Iterator[str]:
    parts = stack(counts, pending, width)
    if not parts:
        yield tag("rect", "none yet", css="track", x=0, y=0, width=width, height=thick)
    x = 0.0
    for css, count, length in parts:
        name = "pending" if css == "track" else css
        yield tag("rect", f"{count:,} {name}", css=f"part {css}", x=x, y=0, width=length, height=thick)
        room = SIGN_PX + width_px(f"{count:,}")
        if lettered and css != "track" and room + 14 <= length:
            middle, on = x + length / 2, f"on on-{css} middle"
            yield text(middle - (room - SIGN_PX) / 2 - 3, thick / 2, _SIGN[css], f"sign {on}")
            yield text(middle + SIGN_PX / 2, thick / 2, f"{count:,}", on)
        else:
            yield from hatch(css, x, 0, length, thick)
        x += length


def _share(count: int, total: int) -> str:
    if not count or count == total:
        return ""
    pct = 100 * count / total
    return " (<1 %)" if pct < 1 else f" ({min(pct, 99):.0f} %)"
