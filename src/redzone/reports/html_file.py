"""A run as one HTML page that can be mailed: no script, no file beside it, no address in it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from redzone import charts
from redzone.charts.svg import figure
from redzone.reports.digest import STATUS_ORDER, Digest, digest
from redzone.reports.drawings import drawings
from redzone.reports.headline import headline, remarks, report_title, run_facts
from redzone.reports.metadata import Report
from redzone.reports.sections import gallery
from redzone.review import ReviewedOutcome

if TYPE_CHECKING:
    from jinja2 import Template

PICTURE_PX = 240  # sharp at the 150 px of a card, and 400 of them are a mail of about 8 MB
MOST_PICTURES = 400
MOST_CARDS = 2000  # of each status


def write_html(path: Path, reviewed_outcomes: Iterable[ReviewedOutcome], report: Report) -> int:
    """Write the page in constant memory and return the number of rows that it counts."""
    found = digest(reviewed_outcomes, MOST_CARDS)
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(_template().generate(**_context(found, report)))
    return found.rows


def _template() -> Template:
    # 30 ms to import, which tables do not need
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("redzone.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html")


def _context(found: Digest, report: Report) -> dict[str, object]:
    facts = report.facts
    css = files("redzone.reports").joinpath("templates", "report.css").read_text(encoding="utf-8")
    style = charts.STYLE + "\n" + css
    digest_b64 = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return {
        "style": style,
        "style_hash": f"sha256-{digest_b64}",
        "title": report_title(facts),
        "facts": facts,
        "headline": headline(found, facts),
        "remarks": list(remarks(found)),
        "table": run_facts(facts, found),
        "charts": [(drawing.title, charts.fitted(drawing.draw)) for drawing in drawings(found, facts)],
        "gallery": gallery(found, report, STATUS_ORDER, MOST_PICTURES, PICTURE_PX),
        "figure": figure,
    }
