"""Measures the time from the start of `redzone analyze` to its request for the first poster.

    uv run python benchmarks/start.py [--starts N]

Each start gets a list of one poster that this process would serve, and ends when its connection comes. One
start before those that count warms the disk and compiles what is imported. Python keeps that, here in a
folder of the benchmark, whatever PYTHONDONTWRITEBYTECODE says. Ends with 1 if the median is above a second.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from redzone.bench.measure.processes import REDZONE, clean_environment

MOST_S = 1.0
GIVE_UP_S = 30.0


def first_connection_s(server: socket.socket, folder: Path, environment: dict[str, str]) -> float:
    """Return the seconds from the start of a run to its first connection. Raises TimeoutError."""
    origin = f"http://127.0.0.1:{server.getsockname()[1]}"
    posters = folder / "posters.txt"
    posters.write_text(f"{origin}/poster.jpg\n", encoding="utf-8")
    there = ("--base-url", f"{origin}/v1", "--allow-private-hosts", "--home", str(folder / "home"))
    begun_s = time.monotonic()
    process = subprocess.Popen(
        [*REDZONE, "analyze", str(posters), *there, "--no-cache", "-o", str(folder / "results.csv")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    try:
        connection, _ = server.accept()
        connection.close()
        return time.monotonic() - begun_s
    finally:
        process.kill()
        process.wait()


def main() -> int:
    """Print each start and the median."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--starts", type=int, default=5)
    asked = parser.parse_args()
    environment = clean_environment({"OPENAI_API_KEY": "simulated-key-0123"})
    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as server:
        folder = Path(name)
        server.settimeout(GIVE_UP_S)
        environment |= {"PYTHONPYCACHEPREFIX": str(folder / "compiled"), "PYTHONDONTWRITEBYTECODE": ""}
        first_connection_s(server, folder, environment)
        found = []
        for _ in range(asked.starts):
            found.append(first_connection_s(server, folder, environment))
            print(f"first poster asked for after {found[-1]:.2f} s", flush=True)
    median = statistics.median(found)
    print(f"median {median:.2f} s")
    return int(median > MOST_S)


if __name__ == "__main__":
    sys.exit(main())
