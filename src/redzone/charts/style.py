"""How charts look: one list of rules, two themes, and ways to bring both to a picture."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Theme = Mapping[str, str]

# `on-` is for letters on the colour: 4.5 : 1 against it at least
LIGHT: Theme = {
    "ground": "#ffffff",
    "ink": "#1c1d22",
    "soft": "#5f616b",
    "rule": "#e4e4e0",
    "track": "#ecece8",
    "pass": "#1f7a4d",
    "fail": "#c9303a",
    "unsure": "#e0a526",
    "error": "#6f5f96",
    "on-dark": "#ffffff",
    "on-unsure": "#1c1d22",
    "first": "#c9303a",
    "second": "#2f6fb7",
    "third": "#1f7a4d",
    "limit": "#8a6d1f",
}
DARK: Theme = {
    "ground": "#1c1e24",
    "ink": "#ececf0",
    "soft": "#a2a4b0",
    "rule": "#2e313a",
    "track": "#2a2d36",
    "pass": "#4cc38a",
    "fail": "#ff6b6b",
    "unsure": "#e8b84a",
    "error": "#b3a1e0",
    "on-dark": "#111216",
    "on-unsure": "#111216",
    "first": "#ff6b6b",
    "second": "#6cb0ff",
    "third": "#4cc38a",
    "limit": "#e0b84c",
}

# Only what the SVG renderer of typst knows too: class and descendant selectors, presentation properties.
_RULES = """
.chart text{fill:@ink;font-size:13px;font-family:@font}
.chart .tick{fill:@soft;font-size:12px}
.chart .halo{stroke:@ground;stroke-width:3;stroke-linejoin:round;paint-order:stroke}
.chart .end{text-anchor:end}
.chart .middle{text-anchor:middle}
.chart .sign{font-family:@signs}
.chart .value{font-weight:600}
.chart .grid{stroke:@rule}
.chart .track{fill:@track}
.chart .bar{fill:@first}
.chart .pass{fill:@pass}
.chart .fail{fill:@fail}
.chart .unsure{fill:@unsure}
.chart .error{fill:@error}
.chart .part{stroke:@ground;stroke-width:1}
.chart .hatch{fill:none;stroke:@ground;stroke-width:1.4;opacity:.35}
.chart .on{fill:@on-dark;font-weight:600}
.chart .on-unsure{fill:@on-unsure}
.chart .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.chart .line.first{stroke:@first}
.chart .line.second{stroke:@second}
.chart .line.third{stroke:@third}
.chart .area{stroke:none;opacity:.13}
.chart .area.first{fill:@first}
.chart .area.second{fill:@second}
.chart .area.third{fill:@third}
.chart .limit{stroke:@limit;stroke-width:1.6;stroke-dasharray:5 4}
.chart .before{stroke:@ink;stroke-width:2}
.chart .law{stroke:@second;stroke-width:1.6;stroke-dasharray:2 4}
.chart .ideal{fill:none;stroke:@soft;stroke-width:1.4;stroke-dasharray:3 3}
.chart .rejected{fill:@limit}
.chart .dot{fill:@first}
.chart .meter{fill:@second}
.chart .over{fill:@fail}
.chart .knee{stroke:@ground;stroke-width:2.5}
"""
_NAME = re.compile(r"@([a-z-]+)")
_SANS = {"font": "system-ui,sans-serif", "signs": "system-ui,sans-serif"}
# Typst brings these along.
_EMBEDDED = {"font": '"Libertinus Serif"', "signs": '"DejaVu Sans Mono"'}

NARROW_PX, MIDDLE_PX, WIDE_PX = 340.0, 540.0, 1080.0


STYLE = (
    ":root{color-scheme:light dark;"
    + "".join(f"--chart-{name}:light-dark({colour},{DARK[name]});" for name, colour in LIGHT.items())
    + "}\n@media print{:root{color-scheme:light}}\n"
    ".chart{display:block;max-width:100%;height:auto;font-variant-numeric:tabular-nums}\n"
    ".chart-fit{container-type:inline-size}\n"
    ".chart-fit .chart{width:100%}\n"
    ".chart-middle,.chart-wide{display:none}\n"
    "@container (min-width:440px){.chart-middle{display:block}.chart-narrow{display:none}}\n"
    "@container (min-width:800px){.chart-wide{display:block}.chart-middle{display:none}}"
    + _NAME.sub(lambda name: _SANS.get(name[1]) or f"var(--chart-{name[1]})", _RULES)
)
"""The style sheet of a page that shows charts: dark where its color-scheme is, light on paper."""


def inlined(picture: str, theme: Theme = LIGHT, fonts: Mapping[str, str] = _EMBEDDED) -> str:
    """The picture as an SVG file that needs no page: its style inside, with the colours of one theme."""
    rules = _NAME.sub(lambda name: fonts.get(name[1]) or theme[name[1]], _RULES)
    head, rest = picture.split(">", 1)
    return f'{head} xmlns="http://www.w3.org/2000/svg"><style>{rules}</style>{rest}'


def fitted(draw: Callable[[float], str]) -> str:
    """The chart drawn for three widths, px; the page shows the one that its place has room for, so that
    letters are neither tiny nor huge."""
    widths = {"narrow": NARROW_PX, "middle": MIDDLE_PX, "wide": WIDE_PX}
    drawn = (f'<div class="chart-{name}">{draw(width)}</div>' for name, width in widths.items())
    return f'<div class="chart-fit">{"".join(drawn)}</div>'
