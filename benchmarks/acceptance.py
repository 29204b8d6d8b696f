"""Checks redzone's guarantees with the real command against a simulator process.

    uv run python benchmarks/acceptance.py faults     1,000 posters, 5 % faults of every kind
    uv run python benchmarks/acceptance.py limits     600 posters at 1,200 rpm: both styles; limit given,
                                                      unknown, set twice too high
    uv run python benchmarks/acceptance.py kills      500 posters, kill -9 at ten random moments
    uv run python benchmarks/acceptance.py memory     peak memory at 1,000 and 100,000 rows

Each prints a line per measurement and exits with 1 if a guarantee does not hold.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redzone.bench.simulator.request_log import busiest_window

REDZONE = [sys.executable, "-m", "redzone"]
RPM = 1200
ENVIRONMENT = {**os.environ, "OPENAI_API_KEY": "simulated-key-0123"}


class Promise(AssertionError):
    """A guarantee does not hold."""


def hold(condition: object, text: str) -> None:
    """Raise Promise unless the condition holds."""
    if not condition:
        raise Promise(text)


@contextmanager
def simulator(folder: Path, posters: int, *options: str) -> Iterator[dict[str, str]]:
    """`redzone bench serve` with a list of posters in the folder."""
    ready = folder / "ready.json"
    ready.unlink(missing_ok=True)
    command = [*REDZONE, "bench", "serve", "--list", folder / "posters.csv", "--posters", str(posters)]
    process = subprocess.Popen(
        [*map(str, command), "--ready-file", str(ready), *options], stdout=subprocess.DEVNULL
    )
    try:
        while not ready.exists():
            time.sleep(0.05)
        yield json.loads(ready.read_text())
    finally:
        process.terminate()
        process.wait()


def ask(url: str) -> Any:
    """Return JSON from the simulator."""
    with urllib.request.urlopen(url) as answer:  # noqa: S310  loopback
        return json.load(answer)


def command(folder: Path, server: dict[str, str], *options: str) -> list[str]:
    """Return the analyze command for the list in the folder."""
    return [
        *REDZONE, "analyze", str(folder / "posters.csv"), "--base-url", server["base_url"],
        "--allow-private-hosts", "--progress", "none", "--json", "--home", str(folder / "home"), *options,
    ]  # fmt: skip


def run(arguments: list[str], **environment: str) -> tuple[dict[str, Any], float, int]:
    """Run a command; return its JSON, seconds, and peak memory in bytes."""
    began_s = time.monotonic()
    process = subprocess.Popen(
        arguments,
        env={**ENVIRONMENT, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    out, err = process.communicate()
    seconds = time.monotonic() - began_s
    hold(process.returncode in (0, 3), f"exit {process.returncode}: {err[-2000:]}")
    summary = json.loads(out)
    metrics = Path(summary["folder"]) / "metrics.jsonl"
    hold(metrics.stat().st_size > 0, "no metrics were written")
    return summary, seconds, 0


def outcomes(folder: str) -> Counter[int]:
    """Count the outcome lines of each row."""
    rows: Counter[int] = Counter()
    with (Path(folder) / "checkpoint.jsonl").open() as file:
        for line in file:
            head = json.loads(line)
            if head["kind"] == "outcome":
                rows[head["row"]] += 1
    return rows


def faults(folder: Path) -> None:
    """Every row has exactly one outcome, in bounded time."""
    with simulator(
        folder, 1000, "--latency", "0.5", "--latency-spread", "0.5", "--fault", "all=0.05"
    ) as server:
        summary, seconds, _ = run(
            command(folder, server, "--workers", "50", "--deadline", "30"),
            REDZONE_MODEL_TIMEOUT_S="5",
            REDZONE_FETCH_TIMEOUT_S="8",
        )
        seen = ask(server["origin"] + "/stats")
    rows = outcomes(summary["folder"])
    print(f"faults: {seconds:.1f} s, counts {summary['counts']}, {summary['requests']} requests")
    print(f"        faults seen by the simulator: {seen['faults']}")
    hold(rows == dict.fromkeys(range(1, 1001), 1), "a row is missing or doubled")
    hold(summary["requests"] == seen["model_requests"], "attempts counted and requests seen differ")


def limits(folder: Path) -> None:
    """No window over the limit, no 429, at least 97 % of the allowance used."""
    for style in ("quantised", "rolling"):
        for name, options in (
            ("given", ("--rpm", str(RPM))),
            ("unknown", ()),
            ("twice too high", ("--rpm", str(2 * RPM))),
        ):
            with simulator(
                folder, 600, "--latency", "1.0", "--latency-spread", "0.3", "--rpm", str(RPM),
                "--enforcement", style,
            ) as server:  # fmt: skip
                summary, seconds, _ = run(command(folder, server, "--workers", "100", "--no-cache", *options))
                log = [record for record in ask(server["origin"] + "/log") if record["method"] == "POST"]
            starts = [record["at_s"] for record in log]
            refused = [record["at_s"] - starts[0] for record in log if record["status"] == 429]
            # steady: from 3 s after the first start (probes, first answers), and without the last twentieth:
            # retries of the last posters
            steady = [start for start in starts[: len(starts) * 19 // 20] if start - starts[0] >= 3]
            use = (len(steady) - 1) / (steady[-1] - steady[0]) / (RPM / 60)
            busiest = busiest_window(starts)
            print(
                f"limits: {style:9} {name:14} {len(log)} requests in {seconds:.1f} s, "
                f"busiest 60 s {busiest}, use {use:.1%}, {len(refused)} x 429 at "
                f"{[round(s, 1) for s in refused][:5]} s"
            )
            hold(outcomes(summary["folder"]).total() == 600, "a row is missing or doubled")
            hold(busiest <= RPM, "a window is over the limit")
            hold(use >= 0.97, "less than 97 % of the allowance was used")
            hold(not refused, "a request got a 429 response")


def kills(folder: Path) -> None:
    """500 outcomes despite kills; only requests in flight at a kill are repeated."""
    workers, rows = 20, 500
    chance = random.Random(2026)  # noqa: S311  repeatable
    with simulator(folder, rows, "--latency", "0.3", "--latency-spread", "0.5") as server:
        arguments = command(folder, server, "--workers", str(workers), "--min-confidence", "0")
        in_flight = known = 0
        for kill in range(10):
            process = subprocess.Popen(
                arguments, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            # at a random moment after this process has begun to ask
            while ask(server["origin"] + "/stats")["model_requests"] <= known:
                time.sleep(0.05)
            time.sleep(chance.random() * 2.0)
            process.kill()
            process.wait()
            known = ask(server["origin"] + "/stats")["model_requests"]
            (folder_of_run,) = (folder / "home" / "runs").glob("*")
            done, lost = outcomes(str(folder_of_run)).total(), known - in_flight
            lost -= done
            in_flight += lost
            print(f"kills:  {kill + 1}: {done} outcomes, {lost} answers lost in flight")
            hold(lost <= workers, "more requests were lost than there are workers")
            arguments = [
                *REDZONE, "resume", "--progress", "none", "--json", "--home", str(folder / "home"),
            ]  # fmt: skip
        summary, _, _ = run(arguments)
        seen = ask(server["origin"] + "/stats")["model_requests"]
    found = outcomes(summary["folder"])
    print(f"kills:  {found.total()} outcomes, {seen} requests seen, {in_flight} of them lost in flight")
    hold(found == dict.fromkeys(range(1, rows + 1), 1), "a row is missing or doubled")
    hold(seen <= rows + in_flight, "more was paid again than was in flight")


def memory(folder: Path) -> None:
    """Peak memory of 100,000 rows within 1.5x of 1,000 rows."""
    peaks = []
    for rows in (1000, 100_000):
        with simulator(folder, rows, "--latency", "0", "--size", "tiny") as server:
            arguments = command(folder, server, "--workers", "50")
            began_s = time.monotonic()
            peak = peak_of(arguments)
            peaks.append(peak)
            print(f"memory: {rows} rows, {time.monotonic() - began_s:.0f} s, peak {peak / 1e6:.0f} MB")
    hold(peaks[1] <= 1.5 * peaks[0], f"memory grew {peaks[1] / peaks[0]:.2f} times")


def peak_of(arguments: list[str]) -> int:
    """Peak resident memory of a command, bytes, as reported by the kernel for that child."""
    process = subprocess.Popen(
        arguments, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    hold(os.waitstatus_to_exitcode(status) == 0, "the run failed")
    return usage.ru_maxrss * 1024


def main() -> None:
    """Run the named measurement."""
    chosen = {"faults": faults, "limits": limits, "kills": kills, "memory": memory}
    for name in sys.argv[1:] or chosen:
        with tempfile.TemporaryDirectory() as folder:
            try:
                chosen[name](Path(folder))
            except Promise as broken:
                raise SystemExit(f"{name}: {broken}") from broken


if __name__ == "__main__":
    main()
