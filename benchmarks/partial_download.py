"""Measures what --partial-download saves: bytes of and requests for posters, counted by the simulator.

    uv run python benchmarks/partial_download.py [--posters N] [--size 1000x1500] [--grain 0.1]

The same list is analysed twice by the real command, each time against a fresh simulator: once as ever, once
in part. Verdicts that are unsure after the crop make the model look at the whole poster, so that some rests
are fetched, as in life. Ends with 1 if a verdict differs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from redzone.bench.measure.processes import CommandContext, analyze, clean_environment, simulator


def measured(folder: Path, posters: int, options: list[str], *more: str) -> tuple[dict[str, Any], list[Any]]:
    """Return the simulator's statistics, and the verdicts by row."""
    context = CommandContext(folder, clean_environment({"OPENAI_API_KEY": "simulated-key-0123"}))
    with simulator(context, posters, options) as served:
        results = folder / "results.json"
        server = ("--base-url", served.base_url, "--allow-private-hosts", "--home", str(folder / "home"))
        shown = ("--no-cache", "--progress", "none", "--json", "-o", str(results))
        analyze(context, [str(served.posters), *server, *shown, *more])
        rows = json.loads(results.read_text(encoding="utf-8"))
        return served.stats(), [(row["row"], row["status"], row["zones"]) for row in rows]


def main() -> int:
    """Print a line for each mode."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--posters", type=int, default=100)
    parser.add_argument("--size", default="1000x1500")
    parser.add_argument("--grain", default="0.1")
    asked = parser.parse_args()
    options = ["--size", asked.size, "--grain", asked.grain, "--latency", "0.1"]
    found = {}
    for name, more in (("whole files", ()), ("in part", ("--partial-download",))):
        with tempfile.TemporaryDirectory() as folder:
            found[name] = measured(Path(folder), asked.posters, options, *more)
    (whole, verdicts), (part, verdicts_in_part) = found.values()
    for name, (stats, _) in found.items():
        requests = sum(stats["poster_statuses"].values())
        print(f"{name:<12} {stats['poster_bytes']:>12,} bytes  {requests:>5} requests for posters")
    print(f"saved        {1 - part['poster_bytes'] / whole['poster_bytes']:>12.0%}")
    return int(verdicts != verdicts_in_part)


if __name__ == "__main__":
    sys.exit(main())
