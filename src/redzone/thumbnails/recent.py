"""A memory that forgets what was not used for longest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Values by key, of at most `most` weight together; without a `weigh` each value weighs one."""

    def __init__(self, most: int, weigh: Callable[[V], int] = lambda _: 1) -> None:
        self._most = most
        self._weigh = weigh
        self._weight = 0
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """The value, which counts as used now."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key]

    def put(self, key: K, value: V) -> None:
        """Keep a value; one that alone is too heavy is not kept."""
        self.forget(key)
        if self._weigh(value) > self._most:
            return
        self._values[key] = value
        self._weight += self._weigh(value)
        while self._weight > self._most:
            _, gone = self._values.popitem(last=False)
            self._weight -= self._weigh(gone)

    def forget(self, key: K) -> None:
        """Drop a value if it is there."""
        if key in self._values:
            self._weight -= self._weigh(self._values.pop(key))
