"""What happens to a poster, from its row to its line in the checkpoint, top to bottom.

    row -> image -> known? -> view -> model, behind the limiter, step by step -> outcome -> disk

With `partial_download` only the beginning of the image file is fetched at first. Where that is enough for the
view, the picture is identified by the view, and the rest is fetched only for a step that shows more of it.

Workers pull the next row when they are free. A poster's failure is a value, an `error` outcome. RunStopped
ends the run: nothing new starts, and what is in progress is finished.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from random import Random

from redzone.cache import Cache, CacheKey, KnownUrl, Remembered
from redzone.engine.limits import Deadline
from redzone.engine.model_calls import ModelCallParts, ModelCalls, PosterTask
from redzone.engine.outcome import PosterStats, VerdictResult, error_outcome, judged_outcome
from redzone.engine.retry_policy import Attempt, AttemptResult, RetryPolicy, models_exhausted, next_attempt
from redzone.engine.workers import RowSource
from redzone.errors import (
    DeadlineFault,
    ErrorCode,
    InputFault,
    JournalFailed,
    ModelFault,
    PosterFault,
    RunStopped,
)
from redzone.imaging import FramingOptions
from redzone.imaging.pool import run_in_decoder
from redzone.limiter import LimiterClosed
from redzone.models import (
    BadRow,
    Outcome,
    Poster,
    Question,
    Row,
    Source,
    Status,
    View,
    ViewKind,
    Zone,
)
from redzone.net import Fetched, Fetcher, NotModified, PartialFile, Validators
from redzone.plan import workers_needed
from redzone.runs.checkpoint import Spent, render_outcome, render_spent
from redzone.telemetry.metrics import Stage
from redzone.telemetry.reporter import Reporter

log = logging.getLogger(__name__)
ADJUST_WORKERS_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Options:
    """The choices of a run. `workers` None means as many as Little's law gives, at most `max_workers`."""

    run_id: str
    zones: tuple[Zone, ...]
    retry: RetryPolicy
    cache_key: CacheKey
    min_confidence_pct: float
    workers: int | None
    max_workers: int
    deadline_s: float
    framing: FramingOptions
    pack: int = 1
    partial_download: bool = False


@dataclass(frozen=True, slots=True)
class Parts(ModelCallParts):
    """What the pipeline works with, in addition to what model calls need; wiring chooses the classes.

    `listener` gets each outcome after it is on disk.
    """

    fetcher: Fetcher
    cache: Cache
    random: Random
    reporter: Reporter
    listener: Callable[[Outcome], Awaitable[None]]


@dataclass(slots=True)
class _Picture:
    """A poster's image, or the beginning of its file, and the views made from it. Equal pictures have the
    same `sha256`: of the whole file, or the fingerprint of the view if only the beginning was fetched."""

    image: str
    file: Fetched | PartialFile
    sha256: str
    views: dict[ViewKind, View]


class Pipeline:
    """One run over the rows that have no outcome yet."""

    def __init__(self, parts: Parts, options: Options) -> None:
        self._parts = parts
        self._options = options
        self._model_calls = ModelCalls(parts, options.pack)
        self._flights: dict[str, asyncio.Future[VerdictResult | PosterFault | None]] = {}
        self._abandoned_on_stop: set[asyncio.Timeout] = set()
        self._workers: set[int] = set()
        self._wanted = options.workers or 1
        self.stopped: RunStopped | None = None

    def stop(self, reason: RunStopped) -> None:
        """Start nothing more; requests in progress are finished. The first reason given is kept."""
        if self.stopped is None:
            self.stopped = reason
            self._parts.limiter.close()
            self._model_calls.flush()
            for scope in self._abandoned_on_stop:
                scope.reschedule(self._parts.clock.monotonic())

    async def run(self, rows: Iterator[Row]) -> None:
        """Give every row an outcome, or end early with `stopped` set."""
        source = RowSource(rows)
        self._parts.metrics.start()
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(self._parts.reporter.watch())
            try:
                async with asyncio.TaskGroup() as workers:
                    await self._run_workers(workers, source)
            finally:
                watch.cancel()
        await self._parts.reporter.publish()

    async def _run_workers(self, workers: asyncio.TaskGroup, source: RowSource) -> None:
        """Keep the wanted number of workers running until all rows are handed out."""
        while not source.exhausted.is_set() and self.stopped is None:
            self._wanted = self._options.workers or self._auto_workers()
            self._parts.metrics.workers = self._wanted
            for number in range(1, self._wanted + 1):
                if number not in self._workers:
                    self._workers.add(number)
                    workers.create_task(self._work(number, source))
            with suppress(TimeoutError):
                async with asyncio.timeout(ADJUST_WORKERS_EVERY_S):
                    await source.exhausted.wait()

    async def _work(self, number: int, source: RowSource) -> None:
        """Pull rows while there are any and this worker is wanted."""
        metrics = self._parts.metrics
        try:
            while self.stopped is None and number <= self._wanted:
                try:
                    row = await source.next()
                    if row is None:
                        return
                    metrics.begin(number, row.row, row.id)
                    await self._record(await self._outcome(row, number), number)
                except LimiterClosed:
                    pass  # the row stays pending; resume judges it
                except RunStopped as reason:
                    self.stop(reason)
        finally:
            metrics.idle(number)
            self._workers.discard(number)

    async def _outcome(self, row: Row, worker: int) -> Outcome:
        """The outcome of a row. Whatever goes wrong with one poster is an error of that poster only."""
        parts = self._parts
        time = Deadline(self._options.deadline_s, parts.clock)
        task = PosterTask(worker, PosterStats(row, parts.clock.monotonic()), time)
        if isinstance(row, BadRow):
            return self._error_outcome(task, InputFault(row.reason))
        try:
            async with time:
                result = await self._judge(task, row)
            status = result.status(self._options.min_confidence_pct)
            return judged_outcome(task.stats, result, status, parts.clock.monotonic(), parts.clock.now())
        except PosterFault as fault:
            return self._error_outcome(task, fault)
        except (LimiterClosed, RunStopped):
            await self._record_spending(task)
            raise
        except Exception as error:
            if time.expired and task.best is not None:  # paid for: unsure is better than nothing
                status = task.best.status(self._options.min_confidence_pct)
                return judged_outcome(
                    task.stats, task.best, status, parts.clock.monotonic(), parts.clock.now()
                )
            if time.expired:
                return self._error_outcome(
                    task, DeadlineFault(f"no verdict after {time.seconds:g} s of work")
                )
            # a bug costs one row, not the run
            log.exception("row %d: unexpected error", row.row)
            return self._error_outcome(
                task, PosterFault(ErrorCode.INTERNAL, f"{type(error).__name__}: {error}")
            )

    async def _judge(self, task: PosterTask, poster: Poster) -> VerdictResult:
        """From the image's address to a verdict. Equal pictures in progress are asked about once."""
        picture = await self._picture(task, poster)
        if isinstance(picture, VerdictResult):
            return picture
        task.stats.sha256 = picture.sha256
        key = self._options.cache_key.key(picture.sha256)
        while (flight := self._flights.get(key)) is not None:
            self._parts.metrics.stage(task.worker, Stage.WAIT_DUPLICATE)
            with task.time.paused():
                found = await asyncio.shield(flight)
            if isinstance(found, VerdictResult):
                return replace(found, source=Source.DUPLICATE)
            if isinstance(found, PosterFault):
                raise found
        flight = self._flights[key] = asyncio.get_running_loop().create_future()
        result: VerdictResult | PosterFault | None = None
        try:
            result = await self._remembered(key) or await self._ask(task, picture)
            if result.source is self._parts.model.source:
                await self._remember(key, result)
            return result
        except PosterFault as fault:
            result = fault
            raise
        except asyncio.CancelledError:
            if task.time.expired:  # those that wait share this, too: they must not wait out deadlines in turn
                result = task.best or DeadlineFault(f"no verdict after {task.time.seconds:g} s of work")
            raise
        finally:
            del self._flights[key]
            flight.set_result(result)  # None: this poster was interrupted; one that waits takes over

    async def _picture(self, task: PosterTask, poster: Poster) -> _Picture | VerdictResult:
        """The picture, or the verdict if the server says that a judged picture has not changed."""
        cache, fetcher = self._parts.cache, self._parts.fetcher
        known = await cache.known_url(poster.image)
        result = await self._remembered(self._options.cache_key.key(known.sha256)) if known else None
        validators = Validators(known.etag, known.last_modified) if known and result else None
        async with self._downloading(task):
            fetch = fetcher.fetch_start if self._options.partial_download else fetcher.fetch
            got = await fetch(poster.image, validators, task.time.paused)
        if isinstance(got, NotModified):
            assert known is not None  # noqa: S101  only then were validators sent
            assert result is not None  # noqa: S101
            task.stats.sha256 = known.sha256
            return result
        picture = await self._identify(task, poster.image, got)
        if got.validators is not None:
            known = KnownUrl(got.validators.etag, got.validators.last_modified, picture.sha256)
            await cache.remember_url(poster.image, known)
        return picture

    async def _identify(self, task: PosterTask, image: str, got: Fetched | PartialFile) -> _Picture:
        """Identify the picture by its whole file, or by the first view if the beginning is enough."""
        if isinstance(got, PartialFile):
            from redzone.imaging.render import frame_start

            kind = self._options.retry.views[0]
            self._parts.metrics.stage(task.worker, Stage.FRAME)
            view = await run_in_decoder(
                frame_start, got.data, self._options.zones, kind, self._options.framing
            )
            if view is not None:
                return _Picture(image, got, view.fingerprint, {kind: view})
            got = await self._rest(task, image, got)
        return _Picture(image, got, got.sha256, {})

    async def _rest(self, task: PosterTask, image: str, part: PartialFile) -> Fetched:
        async with self._downloading(task):
            return await self._parts.fetcher.fetch_rest(image, part, task.time.paused)

    @asynccontextmanager
    async def _downloading(self, task: PosterTask) -> AsyncIterator[None]:
        """Wait for a turn at the image server and count the time. Abandoned when the run stops."""
        with task.time.paused():
            await self._parts.fetcher.turn()
        self._parts.metrics.stage(task.worker, Stage.FETCH)
        started_s = self._parts.clock.monotonic()
        try:
            async with self._unless_stopped():
                yield
        finally:
            task.stats.fetch_s += self._parts.clock.monotonic() - started_s
            self._parts.metrics.image_bytes = self._parts.fetcher.received_bytes

    async def _remembered(self, key: str) -> VerdictResult | None:
        """A verdict that was paid for earlier: a duplicate of this run, or from the cache."""
        found = await self._parts.cache.verdict(key)
        if found is None:
            return None
        source = Source.DUPLICATE if found.run_id == self._options.run_id else Source.CACHE
        result = VerdictResult(found.verdicts, source, found.strategy, found.model)
        unsure = result.status(self._options.min_confidence_pct) is Status.UNSURE
        ours = source is Source.DUPLICATE
        if unsure and not ours and not set(self._options.retry.models) <= set(found.models):
            return None  # there is a model or a view that has not been tried
        return result

    async def _remember(self, key: str, result: VerdictResult) -> None:
        """Cache a verdict that was paid for now, with the models that this run could ask."""
        verdicts, strategy, model = result.verdicts, result.strategy, result.model
        models = self._options.retry.models if result.models is None else result.models
        await self._parts.cache.remember(
            key, Remembered(verdicts, strategy, model, self._options.run_id, models)
        )

    async def _ask(self, task: PosterTask, picture: _Picture) -> VerdictResult:
        """Take the steps of the retry policy until an answer is sure. Raises the last fault if none was."""
        history: list[AttemptResult] = []
        best: VerdictResult | None = None
        parts = self._parts
        while isinstance(step := next_attempt(history, self._options.retry, parts.random.random()), Attempt):
            if step.delay_s > 0:
                parts.metrics.stage(task.worker, Stage.BACKOFF)
                async with self._unless_stopped():
                    await parts.clock.sleep(step.delay_s)
            view = await self._view(task, picture, step.view)
            question = Question(view, self._options.zones, step.wording, step.model)
            reply = await self._model_calls.ask(task, question, packed=step.packed)
            if isinstance(reply.result, ModelFault):
                history.append(AttemptResult(step, reply.result))
                continue
            found = VerdictResult(reply.result, parts.model.source, step.strategy, reply.model)
            if found.status(self._options.min_confidence_pct) is not Status.UNSURE:
                return found
            if best is None or found.confidence_pct > best.confidence_pct:
                best = task.best = found
            history.append(AttemptResult(step, None))
        if best is not None:
            return replace(best, models=models_exhausted(history, self._options.retry))
        fault = history[-1].fault
        assert fault is not None  # noqa: S101  without verdicts every attempt has a fault
        raise fault

    async def _view(self, task: PosterTask, picture: _Picture, kind: ViewKind) -> View:
        """A view of the picture, made once. Fetches the rest of a partial file first."""
        if kind not in picture.views:
            if isinstance(picture.file, PartialFile):
                picture.file = await self._rest(task, picture.image, picture.file)
            self._parts.metrics.stage(task.worker, Stage.FRAME)
            # not at the top: this imports Pillow, and the first download can start before that
            from redzone.imaging.render import frame, frame_at_once

            how = (picture.file.data, self._options.zones, kind, self._options.framing)
            view = frame_at_once(*how)
            picture.views[kind] = view if view is not None else await run_in_decoder(frame, *how)
        return picture.views[kind]

    @asynccontextmanager
    async def _unless_stopped(self) -> AsyncIterator[None]:
        """Abandon the block when the run stops, because it costs nothing. Raises LimiterClosed."""
        scope = asyncio.timeout(None)
        try:
            async with scope:
                if self.stopped is not None:
                    raise LimiterClosed
                self._abandoned_on_stop.add(scope)
                yield
        except TimeoutError:
            if scope.expired():
                raise LimiterClosed from None
            raise
        finally:
            self._abandoned_on_stop.discard(scope)

    def _error_outcome(self, task: PosterTask, fault: PosterFault) -> Outcome:
        return error_outcome(task.stats, fault, self._parts.clock.monotonic(), self._parts.clock.now())

    async def _record(self, outcome: Outcome, worker: int) -> None:
        """To disk first; after that it is counted and handed on."""
        self._parts.metrics.stage(worker, Stage.RECORD)
        await self._parts.recorder.commit(render_outcome(outcome))
        self._parts.metrics.recorded(outcome)
        await self._parts.listener(outcome)

    async def _record_spending(self, task: PosterTask) -> None:
        """Write down what a poster has cost that stays pending: its requests were answered."""
        stats = task.stats
        if stats.attempts and self._parts.model.paid:
            spent = Spent(
                row=stats.row.row, attempts=stats.attempts, cost_usd=stats.cost_usd, tokens=stats.tokens
            )
            with suppress(JournalFailed):
                await self._parts.recorder.commit(render_spent(spent))

    def _auto_workers(self) -> int:
        rate_per_min = self._parts.limiter.state().pace_per_min
        most, pack = self._options.max_workers, self._options.pack
        return workers_needed(rate_per_min, self._parts.metrics.working_s, most, pack)
