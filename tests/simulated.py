"""The project's simulator in a thread of its own, and runs against it through the real wiring."""

from __future__ import annotations

import asyncio
import csv
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redzone.api import RunResult, begin, resume
from redzone.bench.simulator.request_log import RequestRecord
from redzone.bench.simulator.server import Simulator, SimulatorOptions
from redzone.config.loader import load
from redzone.models import Outcome
from redzone.run_setup import RunRequest
from redzone.runs import RunFolder
from redzone.runs.checkpoint import read_outcomes
from redzone.telemetry.metrics import Snapshot


@contextmanager
def simulated(options: SimulatorOptions | None = None) -> Iterator[Simulator]:
    """A simulator that serves while the block runs."""
    ready: threading.Event = threading.Event()
    found: list[Simulator] = []
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with Simulator(options or SimulatorOptions(poster_size=(60, 90))) as simulator:
            found.append(simulator)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def model_requests(simulator: Simulator) -> list[RequestRecord]:
    """The attempts that reached the model, in order."""
    return [record for record in simulator.log if record.asks_model]


def write_list(path: Path, images: Sequence[str]) -> Path:
    """An input CSV with one poster for each image; ids keep their zeros."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["content_id", "content_name", "poster_img_url", "sot_name", "season"])
        for number, image in enumerate(images, 1):
            writer.writerow([f"{number:04}", f"Poster {number}", image, f"group{number % 3}", "S01"])
    return path


def poster_list(path: Path, simulator: Simulator, count: int, *, size: str = "") -> Path:
    """An input CSV of the simulator's posters 1 to count."""
    return write_list(path, [simulator.poster_url(number, size=size) for number in range(1, count + 1)])


def measured(result: RunResult) -> Snapshot:
    """The figures of a run that had something to do."""
    assert result.snapshot is not None
    return result.snapshot


class Run:
    """One run through the real wiring, in this process, without a display."""

    def __init__(self, home: Path, simulator: Simulator | None, **settings: Any) -> None:
        given: dict[str, Any] = {"allow_private_hosts": True, "workers": 20, "fetch_retries": 1}
        if simulator is not None:
            given |= {"openai_base_url": simulator.base_url, "openai_api_key": "sk-simulated-0123456789"}
        self.home = home / "home"
        self.settings = load({**given, **settings, "home": self.home}, cwd=home).settings
        self.folder: RunFolder | None = None

    def begin(self, *inputs: Path | str, **request: Any) -> RunResult:
        """Analyse inputs from the start."""
        run = begin(self.settings, RunRequest(tuple(str(path) for path in inputs), {}, **request))
        run.open()
        self.folder = run.job.folder
        return asyncio.run(run.wait())

    def resume(self, *, retry_errors: bool = False, allow_changed: bool = False) -> RunResult:
        """Go on with the last run."""
        assert self.folder is not None
        settings = self.settings.model_dump(exclude={"home"}, exclude_none=True)
        run = resume(
            self.folder.id,
            home=self.home,
            retry_errors=retry_errors,
            allow_changed_input=allow_changed,
            **settings,
        )
        return asyncio.run(run.wait())

    @property
    def outcomes(self) -> list[Outcome]:
        """Every outcome line, in the order of the checkpoint."""
        assert self.folder is not None
        return list(read_outcomes(self.folder.checkpoint_path))

    @property
    def by_row(self) -> dict[int, Outcome]:
        """The last outcome of each row."""
        return {outcome.row: outcome for outcome in self.outcomes}

    def log_lines(self) -> list[dict[str, Any]]:
        """What the run logged."""
        assert self.folder is not None
        return [json.loads(line) for line in self.folder.log_path.read_text().splitlines()]
