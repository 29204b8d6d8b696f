"""A memory that forgets what was not used for longest."""

from __future__ import annotations

from redzone.thumbnails.recent import Recent


def test_what_was_not_used_for_longest_is_forgotten_first() -> None:
    """Looking at a value is use."""
    memory: Recent[str, int] = Recent(2)
    memory.put("a", 1)
    memory.put("b", 2)
    assert memory.get("a") == 1
    memory.put("c", 3)
    assert [memory.get(key) for key in "abc"] == [1, None, 3]


def test_values_are_kept_by_their_weight() -> None:
    """One that alone is too heavy replaces nothing but its own earlier value."""
    memory: Recent[str, bytes] = Recent(10, len)
    memory.put("a", b"." * 6)
    memory.put("b", b"." * 4)
    memory.put("b", b"." * 5)
    assert (memory.get("a"), memory.get("b")) == (None, b"." * 5)
    memory.put("c", b"." * 11)
    assert (memory.get("b"), memory.get("c")) == (b"." * 5, None)
    memory.forget("b")
    memory.put("d", b"." * 10)
    assert memory.get("d") == b"." * 10
