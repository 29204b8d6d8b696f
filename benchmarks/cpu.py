"""Processor time a poster takes, against a bare loop that does the same work and nothing else.

    uv run --group bench python benchmarks/cpu.py [--posters 5000] [--workers 100] [--rounds 3] [--size WxH]

Each side judges 500 posters, then `--posters`, against a simulator of its own without limits, 200 ms for
every answer: the difference is what a poster takes at the margin. The bare loop downloads, hashes, makes the
same crop, sends the same request over aiohttp and parses the answer's JSON; it has no limiter, checkpoint,
cache, retry or metrics. Client and simulator have a processor each. 100 workers are more than the client's
processor can serve: with fewer it rests between answers, and waking up costs time of its own. Ends with 1
above 4 ms, or above 1.5 times the bare loop.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from redzone.bench.measure.processes import CommandContext, RunningSimulator, clean_environment, simulator
from redzone.imaging.render import frame
from redzone.models import Question, ViewKind, Wording, Zone
from redzone.vision.openai.messages import Api, RequestShape, request_bytes

FEW = 500
LATENCY_S = 0.2
MOST_MS = 4.0
MOST_RATIO = 1.5
CLIENT_CPU, SIMULATOR_CPU = 0, 1
RED = Zone(name="red", x=0.0, y=0.0, w=0.6, h=0.1)


async def bare_loop(listed: Path, base_url: str, posters: int, workers: int) -> None:
    """Judge the first posters of a list, without anything that redzone is for."""
    import aiohttp

    with listed.open(newline="", encoding="utf-8") as file:
        urls = iter([row["poster_img_url"] for row in csv.DictReader(file)][:posters])
    headers = {"Authorization": "Bearer none", "Content-Type": "application/json"}
    connector = aiohttp.TCPConnector(limit=2 * workers)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def work() -> None:
            for url in urls:
                async with session.get(url) as response:
                    data = await response.read()
                hashlib.sha256(data).hexdigest()
                question = Question(frame(data, (RED,), ViewKind.CROP), (RED,), Wording.FULL, "gpt-6-luna")
                body = request_bytes(RequestShape(Api.RESPONSES), (question,), 600)
                async with session.post(f"{base_url}/responses", data=body, headers=headers) as response:
                    json.loads(json.loads(await response.read())["output"][0]["content"][0]["text"])

        async with asyncio.TaskGroup() as crew:
            for _ in range(workers):
                crew.create_task(work())


def spent(command: Sequence[str], environment: dict[str, str]) -> tuple[float, float]:
    """Processor seconds and seconds of a command, on the client's processor."""
    began_s = time.monotonic()
    quiet = [(os.POSIX_SPAWN_OPEN, descriptor, os.devnull, os.O_WRONLY, 0) for descriptor in (1, 2)]
    pid = os.posix_spawn(command[0], command, environment, file_actions=quiet)
    os.sched_setaffinity(pid, {CLIENT_CPU})
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"{command[1:4]} ended with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - began_s


def commands(served: RunningSimulator, folder: Path, posters: int, workers: int) -> dict[str, list[str]]:
    """Both sides, for so many posters."""
    few = ["--limit", str(posters), "--workers", str(workers), "--home", str(folder / f"home{posters}")]
    return {
        "redzone": [
            sys.executable, "-m", "redzone", "analyze", str(served.posters), "--base-url", served.base_url,
            "--allow-private-hosts", "--progress", "none", "--no-cache", "--min-confidence", "0", *few,
        ],
        "bare loop": [
            sys.executable, __file__, "--bare",
            str(served.posters), served.base_url, str(posters), str(workers),
        ],
    }  # fmt: skip


def margin(side: str, posters: int, workers: int, size: str) -> tuple[float, float]:
    """Milliseconds of processor time a poster and posters a minute, `posters` less 500."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = clean_environment({"OPENAI_API_KEY": "simulated-key-0123"})
        around = CommandContext(folder, environment, CLIENT_CPU, SIMULATOR_CPU)
        options = ("--latency", str(LATENCY_S), "--latency-spread", "0", "--size", size)
        with simulator(around, posters, options) as served:
            few, many = (
                spent(commands(served, folder, count, workers)[side], environment) for count in (FEW, posters)
            )
    more = posters - FEW
    return (many[0] - few[0]) / more * 1000, more / (many[1] - few[1]) * 60


def main() -> int:
    """Take turns, print each round and the medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--posters", type=int, default=5000)
    parser.add_argument("--workers", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", default="300x450")
    parser.add_argument("--bare", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.bare:
        listed, base_url, posters, workers = given.bare
        asyncio.run(bare_loop(Path(listed), base_url, int(posters), int(workers)))
        return 0
    found: dict[str, list[float]] = {"redzone": [], "bare loop": []}
    for number in range(1, given.rounds + 1):
        for side, figures in found.items():
            cpu_ms, per_min = margin(side, given.posters, given.workers, given.size)
            figures.append(cpu_ms)
            share = per_min / 60 / (given.workers / LATENCY_S)
            told = f"{cpu_ms:.2f} ms a poster, {per_min:,.0f}/min, {share:.0%} of workers/latency"
            print(f"round {number}, {side}: {told}")
    own, bare = (statistics.median(figures) for figures in found.values())
    print(f"median: {own:.2f} ms against {bare:.2f} ms, {own / bare:.2f} times")
    return int(own > MOST_MS or own > MOST_RATIO * bare)


if __name__ == "__main__":
    raise SystemExit(main())
