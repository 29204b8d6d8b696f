"""What decides how fast posters go, one thing at a time: for a run as for a stage of `redzone bench`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from redzone.plan import HEADROOM

AT_THE_LIMIT = 0.85
BURST = 1.05  # a use above this cannot be a limit's doing
BUSY = 0.8
ROUNDS = 2  # with fewer posters for each worker, the slowest answer decides
SLOW_MODEL_S = 10.0
WORTH_SAYING = 0.05
MOST_WORKERS = 2000
MOST_PACKED = 16
FEW = 5  # cases that make no pattern yet
FAULTY = 1.15  # requests for each poster that was asked about

REQUESTS_SETTING = "VISION_REQUESTS_PER_MINUTE"
TOKENS_SETTING = "VISION_TOKENS_PER_MINUTE"
DELAY_SETTING = "VISION_REQUEST_DELAY_MS"


class Topic(StrEnum):
    """What an advice is about."""

    HELD = "held by the server"
    BUDGET = "budget"
    REQUESTS = "request limit"
    TOKENS = "token limit"
    CPU = "processor"
    IMAGES = "image servers"
    MODEL = "model"
    WORKERS = "workers"
    POSTERS = "few posters"
    REJECTIONS = "answers 429"
    RETRIES = "second looks"
    ERRORS = "errors"
    UNSURE = "unsure verdicts"
    CACHE = "cache"


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to know and to do: the figure that shows it, and the remedy with the setting to change."""

    topic: Topic
    figure: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.figure}: {self.remedy}."


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit per minute and how much of it is used, 1.0 being all. `setting` is the user's that makes it;
    the server's own has none."""

    topic: Topic
    per_min: float
    use: float
    setting: str = ""


@dataclass(frozen=True, slots=True)
class Load:
    """Mean seconds of one poster in hand and where they went, the limits, the answers 429 among the requests,
    how busy the processors are (`cpu_share` of the `cpus` that can be used, 1.0 being all of them), whether
    the model is on them, and how many posters a request may be about."""

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
        """Without the wait for the limit: what Little's law multiplies by the rate."""
        return max(0.0, self.total_s - self.wait_s)

    @property
    def waiting(self) -> float:
        """Share of the time in which a poster waits for the limit, 0-1."""
        return min(1.0, self.wait_s / self.total_s) if self.total_s > 0 else 0.0

    @property
    def binding(self) -> Limit | None:
        """The limit that holds: used to 85 %, and not burst through."""
        held = (limit for limit in self.limits if AT_THE_LIMIT <= limit.use <= BURST)
        return max(held, key=lambda limit: limit.use, default=None)


def find_bottleneck(load: Load) -> Topic:
    """The first of these that holds: a limit that is used up; processors busy to 80 %, or with a local model,
    whoever else keeps them busy; more waiting than work (after answers 429, or because it was over before
    its careful start); fewer than two posters for each worker; more time downloading than asking; 10 s at the
    model. Else the workers, all busy."""
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
    """What holds the work back, in figures, and what would make it faster."""
    topic = find_bottleneck(load)
    return Advice(topic, *_SAID[topic](load))


def refusals(load: Load) -> Advice:
    """How many requests were refused, and a limit that would have been kept."""
    accepted_per_min = (load.requests - load.rejected) / load.seconds * 60 if load.seconds > 0 else 0.0
    return Advice(
        Topic.REJECTIONS,
        f"{load.rejected:,} of {load.requests:,} requests ({pct(load.rejected, load.requests)}) were "
        "answered 429, and each of them counts against the limit",
        "the limit is lower than believed, or others use the same key; set "
        f"{REQUESTS_SETTING} to {max(1, whole(accepted_per_min)):,}",
    )


def second_looks(requests: int, asked: int) -> Advice | None:
    """How many requests were not the first about their poster, where they are many."""
    if asked < 1 or requests <= FAULTY * asked or requests - asked < FEW:
        return None
    return Advice(
        Topic.RETRIES,
        f"{requests - asked:,} of {requests:,} requests were a second look (faults, unsure answers)",
        "a surer --model needs fewer, and REDZONE_MAX_ATTEMPTS bounds them",
    )


def pct(part: float, total: float) -> str:
    """`part` of `total`, as a percentage without decimals."""
    return f"{100 * part / total if total else 0.0:.0f} %"


def whole(number: float) -> int:
    """Rounded up, and between 0 and a trillion whatever the number is."""
    return math.ceil(min(max(number, 0.0), 1e12)) if not math.isnan(number) else 0


def _limited(load: Load) -> tuple[str, str]:
    limit = load.binding
    assert limit is not None  # noqa: S101  brake_of saw it
    unit = "tokens" if limit.topic is Topic.TOKENS else "requests"
    used, most = pct(min(limit.use, 1.0), 1.0), f"{limit.per_min:,.0f} {unit} a minute"
    figure = f"{used} of the limit of {most} is used"
    if load.waiting >= WORTH_SAYING:
        waited = pct(load.waiting, 1.0)
        figure = f"Workers waited for the limit {waited} of the time, with {used} of {most} used"
    in_hand = max(1, whole(load.posters_per_min / 60 * load.working_s))
    enough = "1 poster in hand is enough" if in_hand == 1 else f"{in_hand:,} posters in hand are enough"
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
    busy, each = pct(min(1.0, load.cpu_share), 1.0), f"{load.cpu_ms:,.1f} ms for a poster"
    if load.local:
        number = "The processor is" if load.cpus == 1 else f"The {load.cpus} processors are"
        return (
            f"{number} {busy} busy with the local model, {each}",
            "more workers will not help; a machine with more processors does, or --provider openai",
        )
    return (
        f"A processor is {busy} busy, {each}",
        "more workers will not help; split the input over several runs",
    )


def _images(load: Load) -> tuple[str, str]:
    return (
        f"A poster takes {load.fetch_s:.2f} s to download and {load.model_s:.2f} s to judge",
        f"the image servers are slow; try --partial-download, or --workers {_more(load):,} to wait at once",
    )


def _model(load: Load) -> tuple[str, str]:
    return (
        f"The model takes {load.model_s:.1f} of a poster's {load.total_s:.1f} s",
        f"try a quicker --model, or --workers {_more(load):,}",
    )


def _workers(load: Load) -> tuple[str, str]:
    left = 1 - max((limit.use for limit in load.limits), default=1.0)
    unused = f", and {pct(left, 1.0)} of the limit is left" if left > 0 else ""
    return (
        f"The workers are all busy ({load.workers:,}), {load.total_s:.2f} s with each poster{unused}",
        f"try --workers {_more(load):,}",
    )


def _more(load: Load) -> int:
    """Workers that would use the request limit up, or twice as many where none is known."""
    more = 2 * load.workers
    for limit in load.limits:
        if limit.topic is Topic.REQUESTS:
            more = whole(limit.per_min / 60 * load.pack * load.working_s * HEADROOM)
    return min(MOST_WORKERS, max(more, load.workers + 1))


def _refused(load: Load) -> tuple[str, str]:
    said = refusals(load)
    held = f"{load.wait_s:.2f} s of a poster's {load.total_s:.2f} s"
    return f"{said.figure} and held every worker, {held}", said.remedy


def _few(load: Load) -> tuple[str, str]:
    return (
        f"{load.posters:,} posters are few for {load.workers:,} workers",
        "the careful start and the slowest answer decide; a longer list shows the speed",
    )


_SAID: dict[Topic, Callable[[Load], tuple[str, str]]] = {
    Topic.REQUESTS: _limited,
    Topic.TOKENS: _limited,
    Topic.CPU: _cpu,
    Topic.IMAGES: _images,
    Topic.MODEL: _model,
    Topic.WORKERS: _workers,
    Topic.REJECTIONS: _refused,
    Topic.POSTERS: _few,
}
