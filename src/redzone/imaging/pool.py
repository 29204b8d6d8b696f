"""Threads of their own for decoding, so that slow name lookups or disks never hold up a view, or it them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

MAX_THREADS = 4


@cache
def _threads() -> ThreadPoolExecutor:
    workers = min(MAX_THREADS, os.cpu_count() or 1)
    return ThreadPoolExecutor(workers, thread_name_prefix="redzone-decode")


async def run_in_decoder(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a blocking function in the decoder threads, which the whole process shares.

    If the caller is cancelled before a thread is free, the function never runs.
    """
    return await asyncio.wrap_future(_threads().submit(work, *args, **kwargs))
