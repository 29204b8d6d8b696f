"""Rows and outcomes that the tests of this folder write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from PIL import Image

from redzone.errors import ErrorCode
from redzone.models import (
    BadRow,
    Element,
    ElementKind,
    ErrorDetail,
    Outcome,
    Poster,
    Source,
    Status,
    Tokens,
    Zone,
    ZoneVerdict,
)
from redzone.reports import ReportMetadata, Shot
from redzone.review import ReviewedOutcome
from redzone.thumbnails.render import SIZES
from tests.pictures import encoded

URL = "https://img.example.com/a.jpg"
NOW = datetime(2026, 10, 1, 12, 0, 0, tzinfo=UTC)


def poster(row: int = 1, **columns: str) -> Poster:
    columns = columns or {"content_id": "0012", "url": URL}
    return Poster(row, columns.get("content_id", str(row)), URL, columns.get("title", ""), "award", columns)


def verdict(
    name: str = "red", label: str = "HEAT", justification: str = "the title reaches in"
) -> ZoneVerdict:
    elements = (Element(kind=ElementKind.TEXT, label=label), Element(kind=ElementKind.FACE))
    return ZoneVerdict(
        name=name,
        contains_key_elements=True,
        confidence_pct=97.5,
        elements=elements,
        justification=justification,
    )


def failed(row: int = 1, *verdicts: ZoneVerdict) -> Outcome:
    return Outcome(
        row=row,
        id="0012",
        image=URL,
        status=Status.FAIL,
        zones=verdicts or (verdict(),),
        source=Source.MODEL,
        strategy="crop-full",
        model="gpt-6-luna",
        attempts=2,
        tokens=Tokens(input=300, output=40),
        cost_usd=0.00005,
        image_sha256="ab" * 32,
        finished_at=NOW,
    )


def errored(row: int = 1, message: str = "p.csv line 3: url is empty") -> Outcome:
    fault = ErrorDetail(code=ErrorCode.INPUT, message=message, retryable=False)
    return Outcome(row=row, id="", status=Status.ERROR, error=fault, finished_at=NOW)


def bad(row: int = 2) -> BadRow:
    return BadRow(row, "p.csv line 3: url is empty", str(row), columns={"content_id": "7"})


FACTS = ReportMetadata(
    run_id="20261001-120000-abcd",
    label="Autumn line-up",
    state="finished",
    inputs=("posters.csv",),
    rows=4,
    zones=(Zone(name="red", x=0.0, y=0.0, w=0.6, h=0.1),),
    judge="openai gpt-6-luna",
    min_confidence_pct=60.0,
    begun_at=NOW,
    made_at=NOW,
    seconds=65.0,
    version="0.1.0",
)
HOSTILE = '<script>alert(1)</script> #set page(fill: red) $x^2$ *b* \\u{41} "&amp;\x1b[31m'


def judged(row: int, status: Status = Status.FAIL, title: str = "", group: str = "award") -> ReviewedOutcome:
    """A finding of a status; a fail has a face and a text in the zone."""
    where = Poster(row, f"p{row}", URL, title or f"Poster {row}", group)
    if status is Status.ERROR:
        return ReviewedOutcome(where, errored(row, "the server said 404"))
    fails = status is Status.FAIL
    said = verdict(justification=f"reason {row}") if fails else free(row)
    return ReviewedOutcome(where, failed(row, said).model_copy(update={"status": status}))


def free(row: int) -> ZoneVerdict:
    return ZoneVerdict(
        name="red", contains_key_elements=False, confidence_pct=55, justification=f"reason {row}"
    )


def picture(colour: str = "navy", size: tuple[int, int] = (200, 300)) -> bytes:
    return encoded(Image.new("RGB", size, colour), "JPEG")


def pictured(reviewed_outcomes: Sequence[ReviewedOutcome], width_px: int) -> Iterator[Shot]:
    """A picture for each, of the shape of a poster."""
    assert width_px in SIZES
    return (Shot(picture()) for _ in reviewed_outcomes)
