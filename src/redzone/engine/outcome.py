"""From what happened to a poster to the outcome that is recorded. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from redzone.errors import ErrorCode, PosterFault, Retry
from redzone.models import BadRow, ErrorDetail, Outcome, Row, Source, Status, Timing, Tokens, ZoneVerdict


@dataclass(frozen=True, slots=True)
class VerdictResult:
    """The verdicts about a picture, and their source."""

    verdicts: tuple[ZoneVerdict, ...]
    source: Source
    strategy: str
    model: str
    models: tuple[str, ...] | None = None
    """Of an unsure result, the models of which nothing more is to be expected; None: all of the run's."""

    @property
    def confidence_pct(self) -> float:
        """That of the least sure zone; 0 if one contradicts itself."""
        return min(0.0 if verdict.contradictory else verdict.confidence_pct for verdict in self.verdicts)

    def status(self, min_confidence_pct: float) -> Status:
        """FAIL if a zone surely holds something, else UNSURE if a zone is unsure, else PASS."""
        return overall_status(self.verdicts, min_confidence_pct)


@dataclass(slots=True)
class PosterStats:
    """What one poster has taken so far. Instants are seconds of the run's clock."""

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


def overall_status(verdicts: Sequence[ZoneVerdict], min_confidence_pct: float) -> Status:
    """FAIL if a zone surely holds something, else UNSURE if a zone is unsure, else PASS."""
    sure = [
        verdict
        for verdict in verdicts
        if verdict.confidence_pct >= min_confidence_pct and not verdict.contradictory
    ]
    if any(verdict.contains_key_elements for verdict in sure):
        return Status.FAIL
    return Status.PASS if sure and len(sure) == len(verdicts) else Status.UNSURE


def judged_outcome(
    stats: PosterStats, result: VerdictResult, status: Status, now_s: float, at: datetime
) -> Outcome:
    """The outcome of a poster with verdicts."""
    return Outcome(
        row=stats.row.row,
        id=stats.row.id,
        title=stats.row.title,
        group=stats.row.group,
        image=_image(stats.row),
        status=status,
        zones=result.verdicts,
        source=result.source,
        strategy=result.strategy,
        model=result.model,
        attempts=stats.attempts,
        tokens=stats.tokens,
        cost_usd=stats.cost_usd,
        timing=stats.timing(now_s),
        image_sha256=stats.sha256,
        finished_at=at,
    )


def error_outcome(stats: PosterStats, fault: PosterFault, now_s: float, at: datetime) -> Outcome:
    """The outcome of a poster without verdicts: `unsure` if the model refused, else `error`."""
    refused = fault.code is ErrorCode.MODEL_REFUSED
    return Outcome(
        row=stats.row.row,
        id=stats.row.id,
        title=stats.row.title,
        group=stats.row.group,
        image=_image(stats.row),
        status=Status.UNSURE if refused else Status.ERROR,
        attempts=stats.attempts,
        tokens=stats.tokens,
        cost_usd=stats.cost_usd,
        timing=stats.timing(now_s),
        image_sha256=stats.sha256,
        error=ErrorDetail(code=fault.code, message=fault.message, retryable=fault.retry is not Retry.NO),
        finished_at=at,
    )


def _image(row: Row) -> str:
    return "" if isinstance(row, BadRow) else row.image
