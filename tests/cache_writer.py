"""A process of its own that fills a cache: `python -m tests.cache_writer FILE NAME COUNT`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from redzone.cache import Cache, KnownUrl, Remembered
from redzone.models import ZoneVerdict

NOW_S = 1_000_000.0
VERDICT = ZoneVerdict(name="red", contains_key_elements=False, confidence_pct=90.0)


def remembered(run_id: str) -> Remembered:
    return Remembered((VERDICT,), "crop/full", "gpt-6-luna", run_id)


async def fill(path: Path, name: str, count: int) -> None:
    cache = Cache(path, 3600.0, lambda: NOW_S)
    try:
        for number in range(count):
            await cache.remember(f"{name}-{number}", remembered(name))
            await cache.remember_url(f"https://{name}.example/{number}", KnownUrl("e", None, "ab"))
            assert await cache.verdict(f"{name}-{number}") is not None
    finally:
        cache.close()


if __name__ == "__main__":
    asyncio.run(fill(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
