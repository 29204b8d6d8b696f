"""Measures the response times of the dashboard's pages for a long run, with the real command.

    uv run python benchmarks/dashboard.py [--rows 100000] [--home FOLDER]

Writes a run with that many outcomes, opens it for the first time (until the list is there) and again, and
requests every page ten times over one connection; a figure is the median time of the whole response, in ms.
With --home the run is kept there and reused. Exits with 1 if a page takes longer than a second.
"""

from __future__ import annotations

import argparse
import csv
import http.client
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from redzone._version import __version__
from redzone.errors import ErrorCode
from redzone.models import (
    Box,
    Element,
    ElementKind,
    ErrorDetail,
    Outcome,
    Poster,
    Source,
    Status,
    Timing,
    Tokens,
    ViewKind,
    ZoneVerdict,
)
from redzone.review import ReviewedOutcome
from redzone.runs import RecordedState, RunFolder, RunInputs, RunRecord, RunStore
from redzone.runs.checkpoint import render_outcome
from redzone.runs.input import open_run_input
from redzone.runs.reviews import append_reviews
from redzone.zones import PRESETS

RUN_ID = "20261001-080000-b1g0"
BEGAN = datetime(2026, 10, 1, 8, tzinfo=UTC)
GROUPS = ("award", "just_added", "leaving_soon", "trending", "")
TITLES = ("The Long Orbit", "Night Harbour", "Paper Lanterns", "Salt & Iron", "Low Tide", "Marigold", "Dust")
TIMES = 10
MOST_MS = 1000
PAGES = {
    "first page": "",
    "list of failures": "?status=fail&look=list",
    "least sure first": "?sort=confidence",
    "page in the middle": "?page=800",
    "last page, by title": "?sort=title&page=100000",
    "one group, unreviewed": "?group=award&reviewed=no&sort=confidence",
    "faces, 40-70 %": "?kind=face&min_confidence=40&max_confidence=70",
    "text": "?text=marigold+7",
    "poster": "/posters/{middle}",
    "poster in a filtered list": "/posters/{middle}?status=fail&sort=confidence&reviewed=no",
}


def outcome(row: int, chance: random.Random) -> Outcome:
    """Make up an outcome of a row: a quarter fail, one in fifty is an error."""
    title = f"{chance.choice(TITLES)} {row}"
    base = {
        "row": row,
        "id": f"{row:06}",
        "title": title,
        "group": GROUPS[row % len(GROUPS)],
        "image": f"https://posters.invalid/{row}.jpg",
        "attempts": 1,
        "tokens": Tokens(input=412, output=96),
        "cost_usd": 0.00009,
        "timing": Timing(fetch_s=0.12, wait_s=0.4, model_s=1.3, total_s=1.82),
        "finished_at": BEGAN + timedelta(seconds=row / 10),
    }
    if row % 50 == 0:
        fault = ErrorDetail(
            code=ErrorCode.FETCH_HTTP_404, message="HTTP 404 from posters.invalid", retryable=False
        )
        return Outcome.model_validate({**base, "status": Status.ERROR, "error": fault})
    confidence_pct = round(100 - chance.expovariate(1 / 12), 1)
    fails = chance.random() < 0.25
    kind = chance.choice(list(ElementKind))
    box = Box(x=0.1, y=0.02, w=0.4, h=0.07)
    zone = ZoneVerdict(
        name="red",
        contains_key_elements=fails,
        confidence_pct=max(0.0, confidence_pct),
        elements=(Element(kind=kind, label=title.upper(), box=box),) if fails else (),
        justification=f"The {kind} {title.upper()} reaches into the zone."
        if fails
        else "Only sky and grain in the zone.",
    )
    status = (Status.FAIL if fails else Status.PASS) if confidence_pct >= 60 else Status.UNSURE
    judged = {"status": status, "zones": (zone,), "source": Source.MODEL, "strategy": "crop/full"}
    digest = sha256(str(row).encode()).hexdigest()
    return Outcome.model_validate({**base, **judged, "model": "gpt-6-luna", "image_sha256": digest})


def make_run(home: Path, rows: int) -> RunFolder:
    """Write a finished run with that many outcomes, one in a hundred of them reviewed."""
    chance = random.Random(4)  # noqa: S311 - to be repeatable, not secret
    listing = home.parent / "posters.csv"
    outcomes = [outcome(row, chance) for row in range(1, rows + 1)]
    with listing.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "title", "image", "group"])
        writer.writerows((one.id, one.title, one.image, one.group) for one in outcomes)
    record = RunRecord(
        id=RUN_ID,
        label=f"{rows:,} posters",
        created_at=BEGAN,
        version=__version__,
        inputs=RunInputs(paths=(str(listing),)),
        input_sha256="",
        rows=rows,
        columns=("id", "title", "image", "group"),
        zones=(PRESETS["red"],),
        provider="openai",
        model="gpt-6-luna",
        view=ViewKind.CROP,
        state=RecordedState.FINISHED,
        finished_at=BEGAN + timedelta(seconds=rows / 10),
        seconds=rows / 10,
    )
    folder = RunStore(home).create(record)
    folder.write(record.model_copy(update={"input_sha256": open_run_input(folder, record).digest()}))
    folder.checkpoint_path.write_bytes(b"".join(map(render_outcome, outcomes)))
    append_reviews(
        folder.reviews_path,
        (
            ReviewedOutcome(Poster(one.row, one.id, one.image), one).judge("ann", BEGAN, Status.PASS)
            for one in outcomes[::100]
        ),
    )
    return folder


@contextmanager
def served(home: Path) -> Iterator[tuple[subprocess.Popen[str], http.client.HTTPConnection]]:
    """Start the dashboard process and yield a connection to it."""
    command = [sys.executable, "-m", "redzone", "dashboard", "--no-open", "--home", str(home)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None  # noqa: S101 - it is a pipe
            address = next(found for line in process.stderr if (found := re.search(r"http://([^/]+)/", line)))
            yield process, http.client.HTTPConnection(address[1], timeout=60)
        finally:
            process.terminate()


def ask_ms(connection: http.client.HTTPConnection, path: str) -> tuple[float, int]:
    """Return the milliseconds of the whole response, and its bytes."""
    start_s = time.perf_counter()
    size = len(page_of(connection, path))
    return (time.perf_counter() - start_s) * 1000, size


def page_of(connection: http.client.HTTPConnection, path: str) -> bytes:
    """Return a page; if the run is still being read, the page after that."""
    while True:
        connection.request("GET", path)
        answer = connection.getresponse()
        page = answer.read()
        if answer.status != http.client.OK:
            raise RuntimeError(f"{path}: HTTP {answer.status}")
        if b'http-equiv="refresh"' not in page:
            return page


def memory_mb(process: subprocess.Popen[str]) -> float:
    """Return the peak memory of a process, MB; 0 if unknown."""
    status = Path(f"/proc/{process.pid}/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) / 1000 if found else 0.0


def measure(home: Path, rows: int) -> float:
    """Print a line for each page; return the slowest page's median, ms."""
    run, slowest_ms = f"/runs/{RUN_ID}", 0.0
    RunFolder(home / "runs" / RUN_ID).browse_path.unlink(missing_ok=True)
    for occasion in ("opened for the first time", "opened again"):
        start_s = time.perf_counter()
        with served(home) as (process, connection):
            up_ms = (time.perf_counter() - start_s) * 1000
            print(f"{occasion}: up after {up_ms:,.0f} ms, first page {ask_ms(connection, run)[0]:,.0f} ms")
            if occasion == "opened again":
                for name, path in PAGES.items():
                    asked = [
                        ask_ms(connection, run + path.format(middle=rows // 2 + 1)) for _ in range(TIMES)
                    ]
                    median_ms = statistics.median(took_ms for took_ms, _ in asked)
                    print(f"  {name:28} {median_ms:7.1f} ms  {asked[0][1] / 1000:6.1f} KB")
                    slowest_ms = max(slowest_ms, median_ms)
                print(f"  most memory {memory_mb(process):.0f} MB")
    return slowest_ms


def main() -> int:
    """Parse the command line and measure."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--home", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = asked.home or Path(folder) / "home"
        if not (home / "runs" / RUN_ID).exists():
            home.parent.mkdir(parents=True, exist_ok=True)
            make_run(home, asked.rows)
        return int(measure(home, asked.rows) > MOST_MS)


if __name__ == "__main__":
    sys.exit(main())
