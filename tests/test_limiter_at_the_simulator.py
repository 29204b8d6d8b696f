"""The limiter against the simulator's own log: the real client, every style of enforcement, virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from redzone.bench.simulator.artwork import poster_file
from redzone.bench.simulator.rate_limits import Enforcement
from redzone.bench.simulator.request_log import busiest_window
from redzone.bench.simulator.server import RequestRecord, Simulator, SimulatorOptions
from redzone.clock import LoopClock
from redzone.errors import ModelFault
from redzone.limiter import Limiter, Limits
from redzone.models import Question, View, ViewKind, Wording
from redzone.vision.openai.client import OpenAIOptions, OpenAIVision
from redzone.zones import PRESETS
from tests.virtual_time import run_virtual

RPM = 600
WORKERS = 30


@dataclass(frozen=True, slots=True)
class Seen:
    """The simulator's log, and how many answers the client got."""

    log: list[RequestRecord]
    answers: int


async def crowd(style: Enforcement, limits: Limits, answers: int) -> Seen:
    """Thirty workers ask until they have that many answers; a refused request is asked again."""
    question = Question(
        View(ViewKind.CROP, poster_file(1, None, ".jpg"), 32, 48), (PRESETS["red"],), Wording.FULL, "m"
    )
    left = answers
    options = SimulatorOptions(rpm=RPM, enforcement=style, latency_s=1.0, latency_spread=0.3)
    async with Simulator(options) as simulator:
        model = OpenAIVision(OpenAIOptions("sk-simulated", simulator.base_url), print)
        await model.ready()
        limiter = Limiter(limits, LoopClock())

        async def worker() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                permit = await limiter.acquire(model.estimate(question).tokens)
                reply = await model.ask(question)
                if isinstance(reply.result, ModelFault):
                    left += 1
                    limiter.rejected(permit, reply.result.retry_after_s, reply.allowance)
                else:
                    limiter.observe(permit, reply.allowance, reply.tokens.input + reply.tokens.output)

        async with asyncio.TaskGroup() as crew:
            for _ in range(WORKERS):
                crew.create_task(worker())
        await model.aclose()
        return Seen(simulator.log, limiter.state().started - limiter.state().rejected_429)


@pytest.mark.parametrize("style", Enforcement)
@pytest.mark.parametrize("given", [RPM, None, 2 * RPM])
def test_the_simulators_log_holds_the_law(style: Enforcement, given: int | None) -> None:
    """Given, unknown or set twice too high: no minute over the limit, nothing refused, and at least 97 % of
    the allowance used once the first answers are in."""
    seen = run_virtual(crowd(style, Limits(given), 200), settle_s=0.0005)
    starts = [record.at_s for record in seen.log]
    refused = [record for record in seen.log if record.status == 429]
    assert seen.answers == 200
    assert busiest_window(starts) <= RPM
    assert refused == []
    steady = [at_s for at_s in starts if at_s - starts[0] >= 3]
    assert (len(steady) - 1) / (steady[-1] - steady[0]) >= 0.97 * RPM / 60
