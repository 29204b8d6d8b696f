"""An event loop whose time jumps to the next timer instead of passing."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop that never waits for a timer: `time()` moves to it. A wait without any timer (for a
    thread or a socket) is a real wait. Before each jump it gives sockets `settle_s` real seconds: what is on
    its way over loopback arrives before time moves."""

    def __init__(self, settle_s: float = 0.0) -> None:
        self._virtual_s = 0.0
        self.settle_s = settle_s
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self._virtual_s

    def jump(self, seconds: float) -> None:
        self._virtual_s += seconds


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return super().select(None)
        ready = super().select(min(timeout, self._loop.settle_s))
        if not ready and timeout > 0:
            # + 1 us: call_later timers fire when time >= when, and floats round down
            self._loop.jump(timeout + 1e-6)
        return ready


def run_virtual(main: Coroutine[Any, Any, T], settle_s: float = 0.0) -> T:
    """Run a coroutine on a fresh loop of virtual time and return its result."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(settle_s)) as runner:
        return runner.run(main)
