"""One request to the model: reserve money, wait for the limit, write the intent, ask, settle.

A request is about one poster, or about a pack of posters with the same question. Then each poster has made
one attempt, and tokens, cost and the upper bound of the intent are split between them.
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

# How long the first question of a pack waits for others. Retries are rare, so they wait longer: sent alone,
# one takes a turn at the limit that N posters could have shared.
LINGER_S = 0.25
RETRY_LINGER_S = 4.0
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
class _Call:
    """A poster's share of a request: since when it waits, and its upper bound of cost once that is known.
    `gone`: nobody waits for the answer any more."""

    task: PosterTask
    question: Question
    since_s: float
    most_usd: float = 0.0
    started: bool = False
    gone: bool = False


@dataclass(frozen=True, slots=True)
class _Turn:
    """The right to make one request, with its upper bound of cost reserved."""

    permit: Permit
    most_usd: float


@dataclass(frozen=True, slots=True)
class ModelCallParts:
    """What model calls work with."""

    model: VisionModel
    limiter: Limiter
    recorder: Recorder
    metrics: Metrics
    budget: Budget
    breaker: CircuitBreaker
    clock: Clock


class ModelCalls:
    """Asks the model, with up to `pack` questions in a request."""

    def __init__(self, parts: ModelCallParts, pack: int = 1) -> None:
        self._parts = parts
        self._refusals = RefusalBreaker(parts.clock)
        self._batcher: Batcher[_Call, Reply] = Batcher(pack, self._together)

    async def ask(self, task: PosterTask, question: Question, *, packed: bool) -> Reply:
        """One attempt, alone or `packed`. Raises LimiterClosed, RunStopped and JournalFailed."""
        self._parts.metrics.stage(task.worker, Stage.WAIT)
        call = _Call(task, question, self._parts.clock.monotonic())
        if not packed:
            with task.time.paused():
                turn = await self._turn((call,))
            return (await self._request((call,), turn))[0]
        kind = (question.view.kind, question.zones, question.wording, question.model)
        try:
            linger_s = RETRY_LINGER_S if task.stats.attempts else LINGER_S
            return await self._batcher.ask(kind, call, task.time.paused(), linger_s)
        finally:
            self._leave(call)

    def flush(self) -> None:
        """Send pending packs now, full or not."""
        self._batcher.flush()

    async def _together(self, calls: Sequence[_Call], begin: Callable[[], None]) -> Sequence[Reply]:
        present = [call for call in calls if not call.gone]
        turn = await self._turn(present)
        begin()
        replies = dict(zip(present, await self._request(present, turn), strict=True))
        # a poster that left meanwhile never reads its reply
        return [replies.get(call, replies[present[0]]) for call in calls]

    def _leave(self, call: _Call) -> None:
        """Its deadline has passed, or it has its answer. A request that has started is charged anyway."""
        if call.started and not call.gone:
            call.task.stats.cost_usd += call.most_usd
        call.gone = True

    async def _turn(self, calls: Sequence[_Call]) -> _Turn:
        """Reserve money, get a permit and write the intents; if one of these fails, the money is released."""
        own = self._parts
        await own.model.ready()
        estimate = own.model.estimate(*(call.question for call in calls))
        await own.budget.reserve(estimate.cost_usd)
        try:
            permit = await own.limiter.acquire(estimate.tokens)
            for call in calls:
                call.most_usd = estimate.cost_usd / len(calls)
            if own.model.paid:
                now = own.clock.now()  # equal times mark the intents of one request
                await own.recorder.commit(b"".join(_intent(call, now) for call in calls))
        except BaseException:
            await own.budget.settle(estimate.cost_usd, 0.0)
            raise
        return _Turn(permit, estimate.cost_usd)

    async def _request(self, calls: Sequence[_Call], turn: _Turn) -> tuple[Reply, ...]:
        own = self._parts
        asking_s = own.clock.monotonic()
        for call in calls:
            call.started = True
            call.task.stats.wait_s += asking_s - call.since_s
            call.task.stats.attempts += 1
            own.metrics.stage(call.task.worker, Stage.MODEL)
        own.metrics.requests += 1
        replies: tuple[Reply, ...] | None = None
        charged_usd = turn.most_usd  # until the answer is here: a lost one may have been charged
        try:
            replies = await own.model.ask_together([call.question for call in calls])
            if not any(_may_be_charged(reply) for reply in replies):
                charged_usd = sum(own.model.cost_usd(reply) for reply in replies)
        except RunStopped:
            charged_usd = 0.0
            raise
        finally:
            took_s = own.clock.monotonic() - asking_s
            for call in calls:
                if not call.gone:
                    call.started = False
                    call.task.stats.model_s += took_s
                    call.task.stats.cost_usd += charged_usd / len(calls)
            self._tell_limiter(turn.permit, replies)
            await own.budget.settle(turn.most_usd, charged_usd)
        for call, reply in zip(calls, replies, strict=True):
            call.task.stats.tokens += reply.tokens
        self._tell_breakers(calls[0].task.stats.row.row, replies)
        return replies

    def _tell_limiter(self, permit: Permit, replies: Sequence[Reply] | None) -> None:
        """Report the server's limits; a lost answer has none."""
        limiter = self._parts.limiter
        if replies is None:
            limiter.failed(permit)
            return
        first = replies[0]  # these facts are the same for every poster of the request
        fault = first.result if isinstance(first.result, ModelFault) else None
        if fault is not None and fault.retry is Retry.RATE_LIMIT:
            limiter.rejected(permit, fault.retry_after_s, first.allowance)
        elif first.allowance is None and fault is not None and fault.code in NO_ANSWER:
            limiter.failed(permit)
        else:
            used = sum(reply.tokens.input + reply.tokens.output for reply in replies)
            limiter.observe(permit, first.allowance, used or None)

    def _tell_breakers(self, row: int, replies: Sequence[Reply]) -> None:
        """Raises BreakerOpen after a while of nothing but faults, or of the same refusal."""
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


def _intent(call: _Call, now: datetime) -> bytes:
    return render_intent(call.task.stats.row.row, call.question.model, now, call.most_usd)


def _may_be_charged(reply: Reply) -> bool:
    """Whether an answer may be billed although its tokens are not known: it counts with the estimate."""
    lost = isinstance(reply.result, ModelFault) and reply.result.may_be_charged
    return lost or not reply.tokens_known
