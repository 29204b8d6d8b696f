"""Random numbers that depend on names alone: the same poster and the same request get the same numbers."""

from __future__ import annotations

import random
from hashlib import blake2b


def fraction(*parts: object) -> float:
    """A number in [0, 1) that depends on the parts alone."""
    digest = blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest()
    return (int.from_bytes(digest) >> 11) / 2**53


def generator(*parts: object) -> random.Random:
    """A generator whose whole sequence depends on the parts alone."""
    return random.Random(fraction(*parts))  # noqa: S311 - pictures and answers, no secrets
