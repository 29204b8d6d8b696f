"""Rows and outcomes that the tests of this folder write."""

from __future__ import annotations

from datetime import UTC, datetime

from redzone.errors import ErrorCode
from redzone.models import (
    BadRow,
    Element,
    ElementKind,
    Fault,
    Outcome,
    Poster,
    Source,
    Status,
    Tokens,
    ZoneVerdict,
)

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
    fault = Fault(code=ErrorCode.INPUT, message=message, retryable=False)
    return Outcome(row=row, id="", status=Status.ERROR, error=fault, finished_at=NOW)


def bad(row: int = 2) -> BadRow:
    return BadRow(row, "p.csv line 3: url is empty", str(row), columns={"content_id": "7"})
