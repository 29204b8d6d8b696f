"""Random numbers seeded by names: the same poster or request always gets the same numbers."""

from __future__ import annotations

import random
from hashlib import blake2b


def fraction(*parts: object) -> float:
    """Return a number in [0, 1) that depends only on the parts."""
    digest = blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest()
    return (int.from_bytes(digest) >> 11) / 2**53


def generator(*parts: object) -> random.Random:
    """Return a generator whose sequence depends only on the parts."""
    return random.Random(fraction(*parts))  # noqa: S311 - pictures and answers, no secrets
