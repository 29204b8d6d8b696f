"""One request to the model: money set aside, a turn at the limit, the intent on disk, the model, the books.

A request is about one poster, or about several that are asked about alike: then each of them has taken part
in one attempt, and tokens, cost and the intent's upper bound are split between them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from redzone.clock import Clock
from redzone.engine.batcher import Batcher
from redzone.engine.limits import Budget, CircuitBreaker, Deadline, RefusalBreaker
from redzone.engine.outcome import PosterStats, VerdictResult
from redzone.errors import ErrorCode, ModelFault, Retry, RunStopped
from redzone.limiter import Limiter, Permit
from redzone.models import Question, Reply
from redzone.runs.checkpoint import render_intent
from redzone.runs.journal import Recorder
from redzone.telemetry.metrics import Metrics, Stage
from redzone.vision.interface import VisionModel

# How long the first question of a pack waits for others. Second looks are rare, so they wait longer: alone,
# one takes a turn at the limit that N posters could have shared.
LINGER_S = 0.25
SECOND_LOOK_LINGER_S = 4.0
NO_ANSWER = (ErrorCode.MODEL_TIMEOUT, ErrorCode.MODEL_UNAVAILABLE)
ANSWERED = (ErrorCode.MODEL_REFUSED, ErrorCode.MODEL_UNREADABLE)


@dataclass(slots=True)
class PosterTask:
    """One poster in progress: its worker, what it has taken so far, its deadline, the best answer so far."""

    worker: int
    stats: PosterStats
    time: Deadline
    best: VerdictResult | None = None


@dataclass(slots=True, eq=False)
class _Part:
    """A poster's part in a request, since when it waits, and the most it costs once that is known.
    `gone`: nobody waits for the answer any more."""

    task: PosterTask
    question: Question
    since_s: float
    most_usd: float = 0.0
    started: bool = False
    gone: bool = False


@dataclass(frozen=True, slots=True)
class _Turn:
    """The right to one request, its upper bound of cost set aside."""

    permit: Permit
    most_usd: float


@dataclass(frozen=True, slots=True)
class ModelCallParts:
    """What asking works with."""

    model: VisionModel
    limiter: Limiter
    recorder: Recorder
    metrics: Metrics
    budget: Budget
    breaker: CircuitBreaker
    clock: Clock


class ModelCalls:
    """Asks the model, `pack` questions in a request where they may share one."""

    def __init__(self, parts: ModelCallParts, pack: int = 1) -> None:
        self._parts = parts
        self._refusals = RefusalBreaker(parts.clock)
        self._desk: Batcher[_Part, Reply] = Batcher(pack, self._together)

    async def ask(self, task: PosterTask, question: Question, *, packed: bool) -> Reply:
        """One attempt, alone or `packed`. Raises LimiterClosed, RunStopped and JournalFailed."""
        self._parts.metrics.stage(task.worker, Stage.WAIT)
        part = _Part(task, question, self._parts.clock.monotonic())
        if not packed:
            with task.time.paused():
                turn = await self._turn((part,))
            return (await self._request((part,), turn))[0]
        kind = (question.view.kind, question.zones, question.wording, question.model)
        try:
            linger_s = SECOND_LOOK_LINGER_S if task.stats.attempts else LINGER_S
            return await self._desk.ask(kind, part, task.time.paused(), linger_s)
        finally:
            self._leave(part)

    def flush(self) -> None:
        """Let no pack wait for others any more."""
        self._desk.flush()

    async def _together(self, parts: Sequence[_Part], begin: Callable[[], None]) -> Sequence[Reply]:
        present = [part for part in parts if not part.gone]
        turn = await self._turn(present)
        begin()
        replies = dict(zip(present, await self._request(present, turn), strict=True))
        # whoever left meanwhile does not look at what stands in its place
        return [replies.get(part, replies[present[0]]) for part in parts]

    def _leave(self, part: _Part) -> None:
        """Its deadline is over, or it has its answer. What was asked without it is charged all the same."""
        if part.started and not part.gone:
            part.task.stats.cost_usd += part.most_usd
        part.gone = True

    async def _turn(self, parts: Sequence[_Part]) -> _Turn:
        """Money, a permit, and the intents on disk; nothing is kept where one of them cannot be had."""
        own = self._parts
        await own.model.ready()
        estimate = own.model.estimate(*(part.question for part in parts))
        await own.budget.reserve(estimate.cost_usd)
        try:
            permit = await own.limiter.acquire(estimate.tokens)
            for part in parts:
                part.most_usd = estimate.cost_usd / len(parts)
            if own.model.paid:
                now = own.clock.now()  # the same for all: by it they are known as one request
                await own.recorder.commit(b"".join(_intent(part, now) for part in parts))
        except BaseException:
            await own.budget.settle(estimate.cost_usd, 0.0)
            raise
        return _Turn(permit, estimate.cost_usd)

    async def _request(self, parts: Sequence[_Part], turn: _Turn) -> tuple[Reply, ...]:
        own = self._parts
        asking_s = own.clock.monotonic()
        for part in parts:
            part.started = True
            part.task.stats.wait_s += asking_s - part.since_s
            part.task.stats.attempts += 1
            own.metrics.stage(part.task.worker, Stage.MODEL)
        own.metrics.requests += 1
        replies: tuple[Reply, ...] | None = None
        charged_usd = turn.most_usd  # until it is known: a lost answer may have been charged
        try:
            replies = await own.model.ask_together([part.question for part in parts])
            if not any(_may_be_charged(reply) for reply in replies):
                charged_usd = sum(own.model.cost_usd(reply) for reply in replies)
        except RunStopped:
            charged_usd = 0.0
            raise
        finally:
            took_s = own.clock.monotonic() - asking_s
            for part in parts:
                if not part.gone:
                    part.started = False
                    part.task.stats.model_s += took_s
                    part.task.stats.cost_usd += charged_usd / len(parts)
            self._tell_limiter(turn.permit, replies)
            await own.budget.settle(turn.most_usd, charged_usd)
        for part, reply in zip(parts, replies, strict=True):
            part.task.stats.tokens += reply.tokens
        self._tell_breakers(parts[0].task.stats.row.row, replies)
        return replies

    def _tell_limiter(self, permit: Permit, replies: Sequence[Reply] | None) -> None:
        """What the server said about its limits; a lost answer says nothing."""
        limiter = self._parts.limiter
        if replies is None:
            limiter.failed(permit)
            return
        first = replies[0]  # what befell the whole request befell each
        fault = first.result if isinstance(first.result, ModelFault) else None
        if fault is not None and fault.retry is Retry.RATE_LIMIT:
            limiter.rejected(permit, fault.retry_after_s, first.allowance)
        elif first.allowance is None and fault is not None and fault.code in NO_ANSWER:
            limiter.failed(permit)
        else:
            used = sum(reply.tokens.input + reply.tokens.output for reply in replies)
            limiter.observe(permit, first.allowance, used or None)

    def _tell_breakers(self, row: int, replies: Sequence[Reply]) -> None:
        """Raises BreakerOpen when nothing but faults has come back for a while, or the same refusal."""
        faults = [reply.result for reply in replies if isinstance(reply.result, ModelFault)]
        if not faults or faults[0].code in ANSWERED:
            self._refusals.accepted()
        elif faults[0].refusal:
            # one row of a pack stands for all: a single picture may be what was refused
            self._refusals.refused(faults[0].refusal, row, faults[0].message)
        if len(faults) < len(replies):
            self._parts.breaker.succeeded()
        elif faults[0].retry is not Retry.ADAPTED:
            self._parts.breaker.failed(faults[0].message, rate_limited=faults[0].retry is Retry.RATE_LIMIT)


def _intent(part: _Part, now: datetime) -> bytes:
    return render_intent(part.task.stats.row.row, part.question.model, now, part.most_usd)


def _may_be_charged(reply: Reply) -> bool:
    """Whether an answer may be billed although its tokens are not known: it counts with the estimate."""
    lost = isinstance(reply.result, ModelFault) and reply.result.may_be_charged
    return lost or not reply.tokens_known
