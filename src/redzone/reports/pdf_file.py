"""A run as a PDF to print: a cover with counts and charts, then the posters that need a look."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from redzone import charts
from redzone.models import Status
from redzone.reports.cards import ReportCard
from redzone.reports.digest import Digest, digest
from redzone.reports.drawings import drawings
from redzone.reports.headline import headline, remarks, report_title, run_facts
from redzone.reports.metadata import Report, ReportMetadata
from redzone.reports.overlay import Frame
from redzone.reports.sections import Section, gallery
from redzone.review import ReviewedOutcome

PICTURE_PX = 400  # 28 mm of paper at 360 dots an inch
MOST_PICTURES = 300
MOST_CARDS = 600  # of each status, about 60 pages
SHOWN_STATUSES = (Status.FAIL, Status.UNSURE)
_WIDE_PX, _HALF_PX = 680.0, 340.0

# Typst breaks lines only where Unicode allows it: a name of 60 letters would overflow its column.
_LONG = re.compile(r"\S{24,}")
_PIECE = re.compile(r"(\S{12})(?=\S)")


def write_pdf(path: Path, reviewed_outcomes: Iterable[ReviewedOutcome], report: Report) -> int:
    """Write the document and return the number of rows that it counts.

    The fonts are typst's own; the system's are used only for scripts that these lack.
    """
    import typst

    found = digest(reviewed_outcomes, MOST_CARDS)
    with TemporaryDirectory(prefix="redzone-") as name:
        folder = Path(name)
        template = files("redzone.reports").joinpath("templates", "report.typ").read_bytes()
        (folder / "report.typ").write_bytes(template)
        # text is passed as data: typst never interprets it as markup
        (folder / "data.json").write_text(json.dumps(_data(found, report, folder)), encoding="ascii")
        document = typst.compile(
            folder / "report.typ",
            root=folder,
            format="pdf",
            timestamp=report.facts.made_at.replace(microsecond=0),
        )
    path.write_bytes(document)
    return found.rows


def _data(found: Digest, report: Report, folder: Path) -> dict[str, object]:
    facts = report.facts
    posters = gallery(found, report, SHOWN_STATUSES, MOST_PICTURES, PICTURE_PX)
    return {
        "title": _breakable(report_title(facts)),
        "begun": f"{facts.begun_at.day} {facts.begun_at:%B %Y}",
        "headline": headline(found, facts),
        "remarks": " ".join(remarks(found)),
        "table": [[name, _breakable(value)] for name, value in run_facts(facts, found)],
        "run": facts.run_id,
        "version": facts.version,
        "colours": charts.LIGHT,
        "charts": list(_charts(found, facts, folder)),
        "note": posters.note,
        "sections": [_section(section, folder) for section in posters.sections],
    }


def _charts(found: Digest, facts: ReportMetadata, folder: Path) -> Iterator[dict[str, object]]:
    """The outcomes in full width, the others below in two columns; a single one of these in full width."""
    chosen = list(drawings(found, facts))
    for number, drawing in enumerate(chosen):
        wide = number == 0 or len(chosen) == 2
        picture = charts.inlined(drawing.draw(_WIDE_PX if wide else _HALF_PX))
        (folder / f"{drawing.name}.svg").write_text(picture, encoding="utf-8")
        yield {"file": f"{drawing.name}.svg", "title": drawing.title, "wide": wide}


def _section(section: Section, folder: Path) -> dict[str, object]:
    return {
        "status": section.status,
        "sign": section.status.sign,
        "name": section.name,
        "about": section.about,
        "count": f"{section.count:,}",
        "cards": [_card(card, frame, folder) for card, frame in section.cards],
        "left_out": section.left_out,
    }


def _card(card: ReportCard, frame: Frame, folder: Path) -> dict[str, object]:
    file = f"{card.row}.jpg" if frame.data is not None else ""
    if frame.data is not None:
        (folder / file).write_bytes(frame.data)
    about = [card.id if card.title else "", card.group, f"row {card.row}"]
    return {
        "file": file,
        "width": frame.width,
        "height": frame.height,
        "zones": [asdict(zone) for zone in frame.zones],
        "boxes": [asdict(box) for box in frame.boxes],
        "missing": _breakable(frame.reason),
        "changed": frame.changed,
        "name": _breakable(card.name),
        "about": _breakable(" · ".join(filter(None, about))),
        "beside": card.beside,
        "reason": _breakable(card.reason),
        "found": _breakable(card.found),
        "said": [_breakable(text) for text in (card.original, card.review) if text],
        "note": _breakable(card.note),
    }


def _breakable(text: str) -> str:
    return _LONG.sub(lambda word: _PIECE.sub("\\1\u200b", word[0]), text)
