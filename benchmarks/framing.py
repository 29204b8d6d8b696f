"""CPU time of a poster's crop with partial decoding, compared with decoding the whole file.

    uv run python benchmarks/framing.py [--rounds N]

Pictures are drawn with photographic grain. Both ways alternate in one process; each figure is the median
CPU time of a round, in ms, from the file's bytes to the view's. Exits with 1 if the results differ.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

from PIL import Image

from redzone.bench.simulator.artwork import draw_poster
from redzone.imaging.render import frame, frame_whole
from redzone.models import View, ViewKind, Zone

ZONES = {
    "red": Zone(name="red", x=0.0, y=0.0, w=0.6, h=0.1),
    "middle": Zone(name="middle", x=0.3, y=0.45, w=0.4, h=0.1),
}
SIZES = [(500, 750), (1000, 1500), (2000, 3000)]
FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "JPEG": ("JPEG", {"quality": 85}),
    "JPEG progressive": ("JPEG", {"quality": 85, "progressive": True}),
    "PNG": ("PNG", {}),
    "WebP (whole either way)": ("WEBP", {"quality": 80, "method": 0}),
}
GRAIN = 0.08  # makes a JPEG of 1000x1500 about 200 KB, as posters are


def pictures() -> Iterator[tuple[str, str, bytes]]:
    """Yields size, format and file of each picture."""
    for number, size in enumerate(SIZES, start=1):
        pixels = random.Random(number).randbytes(size[0] * size[1] * 3)  # noqa: S311 - grain, no secret
        grain = Image.frombytes("RGB", size, pixels)
        poster = Image.blend(draw_poster(number, size), grain, GRAIN)
        for name, (kind, options) in FORMATS.items():
            file = BytesIO()
            poster.save(file, kind, **options)
            yield f"{size[0]}x{size[1]}", name, file.getvalue()


def spent_ms(work: Callable[[], View]) -> tuple[View, float]:
    """The result of the work and this thread's CPU time, ms."""
    start_s = time.thread_time()
    view = work()
    return view, (time.thread_time() - start_s) * 1000


def main() -> int:
    """Print one line per picture and zone."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    rounds = range(parser.parse_args().rounds)
    differing = 0
    print(f"{'poster':<10} {'format':<24} {'KB':>6}  {'zone':<7} {'whole':>7} {'top':>7}  ratio")
    for size, name, data in pictures():
        for zone in ZONES.values():
            whole_ms, top_ms = [], []
            for _ in rounds:
                whole, took_ms = spent_ms(lambda: frame_whole(data, [zone], ViewKind.CROP))  # noqa: B023
                whole_ms.append(took_ms)
                top, took_ms = spent_ms(lambda: frame(data, [zone], ViewKind.CROP))  # noqa: B023
                top_ms.append(took_ms)
                differing += whole != top
            before, after = statistics.median(whole_ms), statistics.median(top_ms)
            print(
                f"{size:<10} {name:<24} {len(data) / 1000:6.0f}  {zone.name:<7}"
                f" {before:7.2f} {after:7.2f} {before / after:6.1f}"
            )
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
