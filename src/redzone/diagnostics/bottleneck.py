"""Finds the one thing that limits the speed of a run, or of a stage of `redzone bench`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from redzone.plan import HEADROOM, MAX_WORKERS

AT_THE_LIMIT = 0.85
BURST = 1.05  # usage above this means that the limit does not bind
BUSY = 0.8
ROUNDS = 2  # with fewer posters per worker, the slowest answer decides
SLOW_MODEL_S = 10.0
MIN_WAIT_SHARE = 0.05
MOST_PACKED = 16
FEW = 5  # below this, cases show no pattern
MANY_RETRIES = 1.15  # requests per poster that was sent to the model

REQUESTS_SETTING = "VISION_REQUESTS_PER_MINUTE"
TOKENS_SETTING = "VISION_TOKENS_PER_MINUTE"
DELAY_SETTING = "VISION_REQUEST_DELAY_MS"


class Topic(StrEnum):
    """The subject of an advice."""

    HELD = "held by the server"
    BUDGET = "budget"
    REQUESTS = "request limit"
    TOKENS = "token limit"
    CPU = "processor"
    IMAGES = "image servers"
    MODEL = "model"
    WORKERS = "workers"
    POSTERS = "few posters"
    REJECTIONS = "429 responses"
    RETRIES = "retries"
    ERRORS = "errors"
    UNSURE = "unsure verdicts"
    CACHE = "cache"


@dataclass(frozen=True, slots=True)
class Advice:
    """One suggestion: the figure that shows the problem, and the remedy with the setting to change."""

    topic: Topic
    figure: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.figure}: {self.remedy}."


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit per minute and the share of it that is used (1.0 is all). `setting` names the user's setting
    that imposes it; it is empty for the server's own limit."""

    topic: Topic
    per_min: float
    use: float
    setting: str = ""


@dataclass(frozen=True, slots=True)
class Load:
    """Where the time of one poster goes (mean seconds), and what else decides the speed.

    `rejected` counts the 429 responses among the requests. `cpu_share` is the load of the `cpus` that can be
    used (1.0 is all of them); `local` is whether the model runs on them. `pack` is the posters per request.
    """

    workers: int
    posters: int
    posters_per_min: float
    total_s: float
    fetch_s: float
    wait_s: float
    model_s: float
    limits: tuple[Limit, ...] = ()
    requests: int = 0
    rejected: int = 0
    seconds: float = 0.0
    cpu_share: float = 0.0
    cpu_ms: float = 0.0
    cpus: int = 1
    local: bool = False
    pack: int = 1

    @property
    def working_s(self) -> float:
        """Seconds without the wait for the limit, as Little's law takes them."""
        return max(0.0, self.total_s - self.wait_s)

    @property
    def waiting(self) -> float:
        """Share of the time that a poster waits for the limit, 0-1."""
        return min(1.0, self.wait_s / self.total_s) if self.total_s > 0 else 0.0

    @property
    def binding(self) -> Limit | None:
        """The limit that binds: at least 85 % used, and not exceeded by a burst."""
        held = (limit for limit in self.limits if AT_THE_LIMIT <= limit.use <= BURST)
        return max(held, key=lambda limit: limit.use, default=None)


def find_bottleneck(load: Load) -> Topic:
    """Returns the first of these that applies; if none does, the number of workers.

    A limit that is used up; processors at least 80 % busy, or any local model that takes longer than the
    downloads; more waiting than work (after 429 responses, or because the run ended during its slow start);
    fewer than two posters per worker; downloads that take longer than the model; a model that takes 10 s.
    """
    if (limit := load.binding) is not None:
        return limit.topic
    if load.cpu_share >= BUSY or (load.local and load.model_s > load.fetch_s):
        return Topic.CPU
    waiting = load.wait_s > load.working_s
    if waiting and load.rejected:
        return Topic.REJECTIONS
    if waiting or load.posters < ROUNDS * load.workers:
        return Topic.POSTERS
    if load.fetch_s > load.model_s:
        return Topic.IMAGES
    return Topic.MODEL if load.model_s >= SLOW_MODEL_S else Topic.WORKERS


def explain_bottleneck(load: Load) -> Advice:
    """Explains the bottleneck in figures, and what would make the run faster."""
    topic = find_bottleneck(load)
    return Advice(topic, *_EXPLANATIONS[topic](load))


def rejections(load: Load) -> Advice:
    """Reports the 429 responses and suggests a limit that avoids them."""
    accepted_per_min = (load.requests - load.rejected) / load.seconds * 60 if load.seconds > 0 else 0.0
    return Advice(
        Topic.REJECTIONS,
        f"{load.rejected:,} of {load.requests:,} requests ({pct(load.rejected, load.requests)}) got "
        "a 429 response, and each counts against the limit",
        "the limit is lower than configured, or the key is shared; set "
        f"{REQUESTS_SETTING} to {max(1, whole(accepted_per_min)):,}",
    )


def retries(requests: int, posters: int) -> Advice | None:
    """Reports the requests that were not the first for their poster, if there are many."""
    if posters < 1 or requests <= MANY_RETRIES * posters or requests - posters < FEW:
        return None
    return Advice(
        Topic.RETRIES,
        f"{requests - posters:,} of {requests:,} requests were retries (after errors or unsure answers)",
        "try another --model, or lower REDZONE_MAX_ATTEMPTS",
    )


def pct(part: float, total: float) -> str:
    """`part` as a percentage of `total`, without decimals."""
    return f"{100 * part / total if total else 0.0:.0f} %"


def whole(number: float) -> int:
    """Rounds up; the result lies between 0 and a trillion for every number."""
    return math.ceil(min(max(number, 0.0), 1e12)) if not math.isnan(number) else 0


def _limited(load: Load) -> tuple[str, str]:
    limit = load.binding
    assert limit is not None  # noqa: S101  find_bottleneck checked it
    unit = "tokens" if limit.topic is Topic.TOKENS else "requests"
    used, most = pct(min(limit.use, 1.0), 1.0), f"{limit.per_min:,.0f} {unit} per minute"
    figure = f"{used} of the limit of {most} is used"
    if load.waiting >= MIN_WAIT_SHARE:
        waited = pct(load.waiting, 1.0)
        figure = f"Workers waited for the limit {waited} of the time, with {used} of {most} used"
    busy = max(1, whole(load.posters_per_min / 60 * load.working_s))
    enough = "1 worker is enough" if busy == 1 else f"{busy:,} workers are enough"
    return figure, f"more workers will not help ({enough}); {_raise(limit, load.pack)}"


def _raise(limit: Limit, pack: int) -> str:
    more = "lower REDZONE_MAX_OUTPUT_TOKENS"
    if limit.topic is Topic.REQUESTS:
        more = "use --pack" if pack == 1 else f"use a --pack above {pack}" if pack < MOST_PACKED else ""
    ways = "ask the provider for a higher limit"
    if limit.setting:
        ways = f"{'lower' if limit.setting == DELAY_SETTING else 'raise'} {limit.setting}"
    return f"{ways} or {more}" if more else ways


def _cpu(load: Load) -> tuple[str, str]:
    busy, each = pct(min(1.0, load.cpu_share), 1.0), f"{load.cpu_ms:,.1f} ms per poster"
    if load.local:
        number = "The processor is" if load.cpus == 1 else f"The {load.cpus} processors are"
        return (
            f"{number} {busy} busy with the local model, {each}",
            "more workers will not help; use a machine with more processors, or --provider openai",
        )
    return (
        f"A processor is {busy} busy, {each}",
        "more workers will not help; split the input into several runs",
    )


def _images(load: Load) -> tuple[str, str]:
    return (
        f"A poster takes {load.fetch_s:.2f} s to download and {load.model_s:.2f} s to judge",
        f"the image servers are slow; try --partial-download, or --workers {_more(load):,}",
    )


def _model(load: Load) -> tuple[str, str]:
    return (
        f"The model takes {load.model_s:.1f} s of the {load.total_s:.1f} s per poster",
        f"try a faster --model, or --workers {_more(load):,}",
    )


def _workers(load: Load) -> tuple[str, str]:
    left = 1 - max((limit.use for limit in load.limits), default=1.0)
    unused = f", and {pct(left, 1.0)} of the limit is unused" if left > 0 else ""
    return (
        f"All {load.workers:,} workers are busy, {load.total_s:.2f} s per poster{unused}",
        f"try --workers {_more(load):,}",
    )


def _more(load: Load) -> int:
    """Workers that would use up the request limit, or twice as many as now if no limit is known."""
    more = 2 * load.workers
    for limit in load.limits:
        if limit.topic is Topic.REQUESTS:
            more = whole(limit.per_min / 60 * load.pack * load.working_s * HEADROOM)
    return min(MAX_WORKERS, max(more, load.workers + 1))


def _rejected(load: Load) -> tuple[str, str]:
    advice = rejections(load)
    paused = f"{load.wait_s:.2f} s of the {load.total_s:.2f} s per poster"
    return f"{advice.figure} and pauses all workers, {paused}", advice.remedy


def _few(load: Load) -> tuple[str, str]:
    return (
        f"{load.posters:,} posters are too few for {load.workers:,} workers",
        "the slow start and the slowest answer decide; measure with a longer list",
    )


_EXPLANATIONS: dict[Topic, Callable[[Load], tuple[str, str]]] = {
    Topic.REQUESTS: _limited,
    Topic.TOKENS: _limited,
    Topic.CPU: _cpu,
    Topic.IMAGES: _images,
    Topic.MODEL: _model,
    Topic.WORKERS: _workers,
    Topic.REJECTIONS: _rejected,
    Topic.POSTERS: _few,
}
