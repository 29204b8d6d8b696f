"""A bounded mapping that drops the least recently used value."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """Values by key, at most `capacity` in total. `weigh` gives a value's weight; by default each weighs 1.

    Not thread-safe.
    """

    def __init__(self, capacity: int, weigh: Callable[[V], int] = lambda _: 1) -> None:
        self._capacity = capacity
        self._weigh = weigh
        self._weight = 0
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """The value, or None. Reading marks it as recently used."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key]

    def put(self, key: K, value: V) -> None:
        """Store a value; one that alone exceeds the capacity is not stored."""
        self.remove(key)
        if self._weigh(value) > self._capacity:
            return
        self._values[key] = value
        self._weight += self._weigh(value)
        while self._weight > self._capacity:
            _, dropped = self._values.popitem(last=False)
            self._weight -= self._weigh(dropped)

    def remove(self, key: K) -> None:
        """Drop a value if there is one."""
        if key in self._values:
            self._weight -= self._weigh(self._values.pop(key))
