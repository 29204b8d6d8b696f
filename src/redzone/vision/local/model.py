"""Provider `local`: two small networks on this machine's processor. No key, no network, no cost.

This module is cheap to import: numpy and onnxruntime are loaded with the first question. classifier.py
computes the verdicts; docs/local-model.md has the accuracy figures.
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

VERSION = "redzone-local-2"
# Each thread runs one inference, which takes up to 0.25 GB (measured with 640x960 posters).
MOST_THREADS = 16


class LocalModel:
    """Runs one inference per processor in parallel, at most 16; inference releases the GIL."""

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
        """Load the networks once (about 0.4 s). Blocking. Raises ModelFilesMissing."""
        with self._loading:
            if self._judge is None:
                self._judge = _load()
            return self._judge

    def warm_up(self) -> None:
        """Start loading the networks in the background."""
        self._threads.submit(self.load)

    async def ready(self) -> None:
        """Returns immediately: there is no rate limit."""

    def estimate(self, *questions: Question) -> RequestEstimate:  # noqa: ARG002  # no question uses any quota
        """Zero: no tokens, no money."""
        return RequestEstimate()

    def cost_usd(self, reply: Reply) -> float:  # noqa: ARG002  # no reply costs anything
        """Zero."""
        return 0.0

    async def ask(self, question: Question) -> Reply:
        """One verdict per zone. Raises ModelFilesMissing, and ValueError for a view that is not pixels.

        If cancelled before a thread is free, it never starts; if cancelled later, the thread finishes and
        its verdict is discarded.
        """
        if question.view.kind is not ViewKind.PIXELS:
            raise ValueError(f"the local model takes a view of kind pixels, not {question.view.kind}")
        loop = asyncio.get_running_loop()
        verdicts = await loop.run_in_executor(self._threads, self._answer, question)
        return Reply(verdicts, VERSION)

    async def ask_together(self, questions: Sequence[Question]) -> tuple[Reply, ...]:
        """Answers the questions one by one: requests are free here. Raises as `ask` does."""
        return tuple([await self.ask(question) for question in questions])

    def _answer(self, question: Question) -> tuple[ZoneVerdict, ...]:
        view = question.view
        return self.load().judge(view.data, (view.width, view.height), question.zones)

    async def aclose(self) -> None:
        """Shut the threads down; waits a fraction of a second for running inferences."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)


def _load() -> Judge:
    try:
        from redzone.vision.local.classifier import Examiner, Fit, Judge
    except ModuleNotFoundError as error:
        raise ModelFilesMissing(f"the local model needs {error.name}; {INSTALL}") from error
    return Judge(Examiner(), Fit.shipped())


def ensure_installed() -> None:
    """Raise ModelFilesMissing unless the runtime and the weights are installed; loads nothing."""
    for package in ("numpy", "onnxruntime"):
        if importlib.util.find_spec(package) is None:
            raise ModelFilesMissing(f"the local model needs {package}; {INSTALL}")
    for file in (weights.TEXT, weights.FACE):
        weights.find(file)


def probe() -> str:
    """Load the model, judge a drawn poster and return the version and runtime. Raises ModelFilesMissing."""
    judge = _load()
    stripes = bytes(255 * (column // 8 % 2) for _ in range(96) for column in range(64) for _ in range(3))
    judge.judge(stripes, (64, 96), (Zone(name="red", x=0.0, y=0.0, w=0.6, h=0.1),))
    return f"{VERSION} on {judge.examiner.providers[0]}"
