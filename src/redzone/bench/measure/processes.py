"""Processes of the bench: the simulator, and `redzone analyze` with its processor time and memory."""

from __future__ import annotations

import http.client
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redzone.errors import ExitCode, RedzoneError, UsageError

REDZONE = (sys.executable, "-m", "redzone")
READY_WITHIN_S = 60.0
POLL_S = 0.01
OURS = ("REDZONE_", "OPENAI_", "VISION_", "HTTP_POOL_", "CACHE_EXPIRY", "ENABLE_ANALYSIS")
COMPLETED = (ExitCode.DONE, ExitCode.SOME_ERRORS)


@dataclass(frozen=True, slots=True)
class Served:
    """A simulator at work, and the list of its posters."""

    host: str
    base_url: str
    posters: Path

    def stats(self) -> dict[str, Any]:
        """What it has seen so far."""
        connection = http.client.HTTPConnection(self.host, timeout=30)
        try:
            connection.request("GET", "/stats")
            found: dict[str, Any] = json.load(connection.getresponse())
            return found
        finally:
            connection.close()


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that has ended: its JSON, its processor seconds (user and system), its peak memory.

    `peak_bytes` is None where the kernel's figure cannot be told from this process's own.
    """

    told: dict[str, Any]
    cpu_s: float
    peak_bytes: int | None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where the commands run: folder, environment, and the processor for each side (None: any)."""

    folder: Path
    environment: Mapping[str, str]
    client_cpu: int | None = None
    simulator_cpu: int | None = None


def clean_environment(more: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without our settings and proxies, which would change what is measured."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(OURS) and not name.lower().endswith("_proxy")
    }
    return {**kept, **more}


@contextmanager
def simulator(around: Surroundings, posters: int, options: Sequence[str]) -> Iterator[Served]:
    """`redzone bench serve` in a process of its own, its posters drawn. It ends with this process, whatever
    becomes of that. Raises RedzoneError where it does not come up."""
    ready, listed = around.folder / "ready.json", around.folder / "posters.csv"
    ready.unlink(missing_ok=True)
    command = [*REDZONE, "bench", "serve", "--list", str(listed), "--posters", str(posters), "--drawn"]
    command += ["--ready-file", str(ready), "--until-eof", *options]
    with (around.folder / "simulator.err").open("w+b") as complaints:
        process = subprocess.Popen(  # noqa: S603  our own command
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            cwd=around.folder,
            env=clean_environment({}),
        )
        try:
            _pin(process.pid, around.simulator_cpu)
            _await(ready, process, complaints.name)
            told = json.loads(ready.read_text(encoding="utf-8"))
            yield Served(told["origin"].removeprefix("http://"), told["base_url"], listed)
        finally:
            with suppress(BrokenPipeError):
                process.communicate()  # closes its stdin


def analyze(around: Surroundings, arguments: Sequence[str]) -> Finished:
    """Run `redzone analyze ARGUMENTS` to its end.

    Raises UsageError where it ended with that, RedzoneError where it did not finish its posters.
    """
    said, complained = around.folder / "out.json", around.folder / "err.txt"
    with said.open("wb") as out, complained.open("wb") as err:
        process = subprocess.Popen(  # noqa: S603  our own command
            [*REDZONE, "analyze", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=around.environment,
        )
        try:
            _pin(process.pid, around.client_cpu)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if process.returncode is None:
                process.kill()
                process.wait()
    if process.returncode not in COMPLETED:
        _give_up(process.returncode, complained.read_text(encoding="utf-8", errors="replace"))
    told = json.loads(said.read_text(encoding="utf-8"))
    return Finished(told, usage.ru_utime + usage.ru_stime, _peak(usage))


def _peak(usage: resource.struct_rusage) -> int | None:
    """Peak resident memory. The kernel keeps the larger of the child's and, from before the child's program
    was loaded, ours: so a figure that is not above ours says nothing."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if usage.ru_maxrss <= own:
        return None
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _pin(pid: int, cpu: int | None) -> None:
    if cpu is not None:
        os.sched_setaffinity(pid, {cpu})


def _await(ready: Path, process: subprocess.Popen[bytes], complaints: str) -> None:
    end_s = time.monotonic() + READY_WITHIN_S
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > end_s:
            process.kill()
            raise RedzoneError(f"the simulator did not start: {_last(Path(complaints).read_text())}")
        time.sleep(POLL_S)


def _give_up(code: int, complaints: str) -> None:
    if code == ExitCode.USAGE:
        raise UsageError(f"redzone analyze: {_last(complaints).removeprefix('redzone: ')}")
    raise RedzoneError(f"redzone analyze ended with {code} before its last poster: {_last(complaints)}")


def _last(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
