"""Provider `local`: two small networks on this machine's processor. No key, no network, no cost.

This module stays cheap to import: numpy and onnxruntime come with the first question. What the model
computes is in local_judge.py, how well it does in docs/local-model.md.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from redzone.errors import ModelFilesMissing
from redzone.models import Question, Reply, Source, ViewKind, Zone, ZoneVerdict
from redzone.vision.interface import RequestEstimate
from redzone.vision.local import weights
from redzone.vision.local.weights import INSTALL

if TYPE_CHECKING:
    from redzone.vision.local.classifier import Judge

VERSION = "redzone-local-1"
# An inference takes up to 0.25 GB while it runs (measured with 640x960 posters), a thread runs one.
MOST_THREADS = 16


class LocalModel:
    """Judges side by side on every processor, 16 at most; an inference leaves the interpreter's lock."""

    name = "local"
    source = Source.LOCAL
    paid = False
    views: tuple[ViewKind, ...] = (ViewKind.PIXELS,)
    prompt_version = VERSION

    def __init__(self) -> None:
        self._judge: Judge | None = None
        self._loading = threading.Lock()
        threads = min(os.cpu_count() or 1, MOST_THREADS)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="redzone-local")

    def load(self) -> Judge:
        """Load the networks, once; about 0.4 s. Blocks. Raises ModelFilesMissing."""
        with self._loading:
            if self._judge is None:
                self._judge = _load()
            return self._judge

    def warm_up(self) -> None:
        """Begin to load the networks."""
        self._threads.submit(self.load)

    async def ready(self) -> None:
        """At once: here no request has to leave at its time."""

    def estimate(self, *questions: Question) -> RequestEstimate:  # noqa: ARG002  # no question takes anything
        """Nothing: no tokens, no money."""
        return RequestEstimate()

    def cost_usd(self, reply: Reply) -> float:  # noqa: ARG002  # no reply costs anything
        """Nothing."""
        return 0.0

    async def ask(self, question: Question) -> Reply:
        """One verdict a zone. Raises ModelFilesMissing, and ValueError for a view that is not pixels.

        Cancelled while it waits for a thread, it never starts; cancelled later, the thread finishes and
        its verdict is dropped.
        """
        if question.view.kind is not ViewKind.PIXELS:
            raise ValueError(f"the local model is asked with pixels, not with a {question.view.kind}")
        loop = asyncio.get_running_loop()
        verdicts = await loop.run_in_executor(self._threads, self._answer, question)
        return Reply(verdicts, VERSION)

    async def ask_together(self, questions: Sequence[Question]) -> tuple[Reply, ...]:
        """One after the other: here a request costs nothing. Raises as `ask` does."""
        return tuple([await self.ask(question) for question in questions])

    def _answer(self, question: Question) -> tuple[ZoneVerdict, ...]:
        view = question.view
        return self.load().judge(view.data, (view.width, view.height), question.zones)

    async def aclose(self) -> None:
        """Give the threads back; waits for the posters in them, a fraction of a second."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)


def _load() -> Judge:
    try:
        from redzone.vision.local.classifier import Examiner, Fit, Judge
    except ModuleNotFoundError as error:
        raise ModelFilesMissing(f"the local model needs {error.name}; {INSTALL}") from error
    return Judge(Examiner(), Fit.shipped())


def ensure_installed() -> None:
    """Raise ModelFilesMissing unless the runtime and the weights are there; loads nothing."""
    for package in ("numpy", "onnxruntime"):
        if importlib.util.find_spec(package) is None:
            raise ModelFilesMissing(f"the local model needs {package}; {INSTALL}")
    for file in (weights.TEXT, weights.FACE):
        weights.find(file)


def probe() -> str:
    """Load the model, judge a drawn poster, and say in one line what answered. Raises ModelFilesMissing."""
    judge = _load()
    stripes = bytes(255 * (column // 8 % 2) for _ in range(96) for column in range(64) for _ in range(3))
    judge.judge(stripes, (64, 96), (Zone(name="red", x=0.0, y=0.0, w=0.6, h=0.1),))
    return f"{VERSION} on {judge.examiner.providers[0]}"
