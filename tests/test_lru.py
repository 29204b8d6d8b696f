"""The bounded mapping that drops the least recently used value."""

from __future__ import annotations

from redzone.lru import LruCache


def test_the_least_recently_used_value_is_dropped_first() -> None:
    """Reading a value counts as use."""
    cache: LruCache[str, int] = LruCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert [cache.get(key) for key in "abc"] == [1, None, 3]


def test_values_are_kept_by_their_weight() -> None:
    """One that alone exceeds the capacity replaces nothing but its own earlier value."""
    cache: LruCache[str, bytes] = LruCache(10, len)
    cache.put("a", b"." * 6)
    cache.put("b", b"." * 4)
    cache.put("b", b"." * 5)
    assert (cache.get("a"), cache.get("b")) == (None, b"." * 5)
    cache.put("c", b"." * 11)
    assert (cache.get("b"), cache.get("c")) == (b"." * 5, None)
    cache.remove("b")
    cache.put("d", b"." * 10)
    assert cache.get("d") == b"." * 10
