"""From what happened to a poster to the outcome that is recorded. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from redzone.errors import ErrorCode, PosterFault, Retry
from redzone.models import BadRow, Fault, Outcome, Row, Source, Status, Timing, Tokens, ZoneVerdict


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdicts about a picture and where they come from."""

    verdicts: tuple[ZoneVerdict, ...]
    source: Source
    strategy: str
    model: str

    @property
    def confidence_pct(self) -> float:
        """Of the zone that is least sure."""
        return min(verdict.confidence_pct for verdict in self.verdicts)

    def status(self, min_confidence_pct: float) -> Status:
        """FAIL where a zone surely holds something, else UNSURE where a zone is unsure, else PASS."""
        return status_of(self.verdicts, min_confidence_pct)


@dataclass(slots=True)
class Ledger:
    """What one poster has taken so far. Times are seconds on the run's clock."""

    row: Row
    started_s: float
    fetch_s: float = 0.0
    wait_s: float = 0.0
    model_s: float = 0.0
    attempts: int = 0
    tokens: Tokens = field(default_factory=Tokens)
    cost_usd: float = 0.0
    sha256: str | None = None

    def timing(self, now_s: float) -> Timing:
        """The seconds, rounded to the millisecond."""
        parts = (self.fetch_s, self.wait_s, self.model_s, now_s - self.started_s)
        fetch_s, wait_s, model_s, total_s = (round(part, 3) for part in parts)
        return Timing(fetch_s=fetch_s, wait_s=wait_s, model_s=model_s, total_s=total_s)


def status_of(verdicts: Sequence[ZoneVerdict], min_confidence_pct: float) -> Status:
    """FAIL where a zone surely holds something, else UNSURE where a zone is unsure, else PASS."""
    sure = [verdict for verdict in verdicts if verdict.confidence_pct >= min_confidence_pct]
    if any(verdict.contains_key_elements for verdict in sure):
        return Status.FAIL
    return Status.PASS if sure and len(sure) == len(verdicts) else Status.UNSURE


def judged(ledger: Ledger, judgement: Judgement, status: Status, now_s: float, at: datetime) -> Outcome:
    """The outcome of a poster with verdicts."""
    return Outcome(
        row=ledger.row.row,
        id=ledger.row.id,
        title=ledger.row.title,
        group=ledger.row.group,
        image=_image(ledger.row),
        status=status,
        zones=judgement.verdicts,
        source=judgement.source,
        strategy=judgement.strategy,
        model=judgement.model,
        attempts=ledger.attempts,
        tokens=ledger.tokens,
        cost_usd=ledger.cost_usd,
        timing=ledger.timing(now_s),
        image_sha256=ledger.sha256,
        finished_at=at,
    )


def faulted(ledger: Ledger, fault: PosterFault, now_s: float, at: datetime) -> Outcome:
    """The outcome of a poster without verdicts: `unsure` where the model refused, else `error`."""
    refused = fault.code is ErrorCode.MODEL_REFUSED
    return Outcome(
        row=ledger.row.row,
        id=ledger.row.id,
        title=ledger.row.title,
        group=ledger.row.group,
        image=_image(ledger.row),
        status=Status.UNSURE if refused else Status.ERROR,
        attempts=ledger.attempts,
        tokens=ledger.tokens,
        cost_usd=ledger.cost_usd,
        timing=ledger.timing(now_s),
        image_sha256=ledger.sha256,
        error=Fault(code=fault.code, message=fault.message, retryable=fault.retry is not Retry.NO),
        finished_at=at,
    )


def _image(row: Row) -> str:
    return "" if isinstance(row, BadRow) else row.image
