"""Lines of text for a terminal: cleaned, measured in cells, truncated, never wrapped. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.text import Text

from redzone.models import Status
from redzone.text import clean

DIM = "dim"
LABEL = "dim"
WARN = "bold yellow"

COLOURS = {Status.PASS: "green", Status.FAIL: "red", Status.UNSURE: "yellow", Status.ERROR: "magenta"}
CACHED_SIGN, DUPLICATE_SIGN = "↺", "="

NARROW = 70  # cells; below this, some columns and bars are left out

_FULL, _HALF, _EMPTY = "━", "╸", "─"
# one cell for one cell, so that columns keep their places in ASCII
_ASCII = str.maketrans("✓✗↺━╸─·…", "+xo==-.~")
# terminals disagree about the width of emoji that use these two characters
_WIDTH_CHANGERS = re.compile("[\u200d\ufe0f]")


def one_line(text: str, width: int) -> str:
    """Untrusted text as one line of at most `width` cells, without control characters."""
    # a cell holds at most a few code points, so the rest of a long text cannot show
    text = _WIDTH_CHANGERS.sub("", clean(text[: 8 * width + 64]))
    line = Text(" ".join(text.split()))
    line.truncate(max(0, width), overflow="ellipsis")
    return line.plain


def cut(line: Text, width: int, *, pad: bool = False) -> Text:
    """The line truncated to `width` cells, and padded to them if `pad` is set."""
    line = line.copy()
    line.no_wrap, line.overflow = True, "ellipsis"
    line.truncate(max(0, width), overflow="ellipsis", pad=pad)
    return line


def fact(label: str, value: str, style: str = "") -> Text:
    """`label value`, with a dim label."""
    return Text.assemble((f"{label} ", LABEL), (value, style))


def flow(items: Sequence[Text], width: int, indent: int = 0) -> list[Text]:
    """The items side by side, on as few lines as possible; lines after the first are indented."""
    gap = 2 if width < NARROW else 3
    lines: list[Text] = []
    for item in items:
        if lines and lines[-1].cell_len + gap + item.cell_len <= width:
            lines[-1].append(" " * gap).append_text(item)
        else:
            lines.append(Text(" " * indent if lines else "").append_text(item))
    return [cut(line, width) for line in lines]


def grid(cells: Sequence[Text], width: int, cell_width: int, gap: int = 2) -> list[Text]:
    """The cells row by row, in as many columns as fit into the width."""
    columns = max(1, (width + gap) // (cell_width + gap))
    cell_width = min(width, (width + gap) // columns - gap)
    rows = (cells[start : start + columns] for start in range(0, len(cells), columns))
    return [Text(" " * gap).join(cut(cell, cell_width, pad=True) for cell in row) for row in rows]


def bar(fraction: float, width: int, style: str) -> Text:
    """A bar of `width` cells, filled to `fraction`; readable without colour, too."""
    halves = round(2 * width * min(1.0, max(0.0, fraction)))
    filled = _FULL * (halves // 2) + _HALF * (halves % 2)
    return Text.assemble((filled, style), (_EMPTY * (width - len(filled)), DIM))


def rule(title: str, width: int, detail: str = "") -> Text:
    """A section heading: title, detail, and a thin line to the right edge."""
    line = Text.assemble((title, "bold"), " ", (f"{detail} " if detail else "", LABEL))
    return cut(line.append(_EMPTY * max(0, width - line.cell_len), DIM), width)


@dataclass(frozen=True, slots=True)
class TextBar:
    """A `bar` that a table may shrink below `width` cells."""

    fraction: float
    width: int
    style: str

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Four cells to the full width."""
        return Measurement(min(4, options.max_width), min(self.width, options.max_width))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Renders the bar into the available cells."""
        yield bar(self.fraction, min(self.width, options.max_width), self.style)


@dataclass(frozen=True, slots=True)
class Legible:
    """A renderable without trailing blanks, in ASCII if the terminal's encoding is not UTF."""

    renderable: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Renders, drops the padding of tables, and replaces characters that the terminal cannot show."""
        for line in Segment.split_lines(console.render(self.renderable, options)):
            for text, style, _ in _trimmed(line):
                yield Segment(_in_ascii(text) if options.ascii_only else text, style)
            yield Segment.line()


def _trimmed(line: list[Segment]) -> list[Segment]:
    while line and not (line[-1].style and line[-1].style.reverse):
        text, style, control = line.pop()
        if trimmed := text.rstrip(" "):
            return [*line, Segment(trimmed, style, control)]
    return line


def _in_ascii(text: str) -> str:
    signs = text.translate(_ASCII)
    return "".join(char if char.isascii() else "?" * cell_len(char) for char in signs)
