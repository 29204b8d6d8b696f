"""Runs the simulator and `redzone analyze` as child processes and measures their CPU time and memory."""

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
class RunningSimulator:
    """A simulator process, and the file that lists its posters."""

    host: str
    base_url: str
    posters: Path

    def stats(self) -> dict[str, Any]:
        """Return its request statistics so far."""
        connection = http.client.HTTPConnection(self.host, timeout=30)
        try:
            connection.request("GET", "/stats")
            stats: dict[str, Any] = json.load(connection.getresponse())
            return stats
        finally:
            connection.close()


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The JSON output of a command, its CPU seconds (user and system) and its peak memory.

    `peak_bytes` is None if the kernel's figure cannot be distinguished from this process's own.
    """

    output: dict[str, Any]
    cpu_s: float
    peak_bytes: int | None


@dataclass(frozen=True, slots=True)
class CommandContext:
    """The folder and environment of the commands, and the processor of each side (None: any)."""

    folder: Path
    environment: Mapping[str, str]
    client_cpu: int | None = None
    simulator_cpu: int | None = None


def clean_environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment without redzone's settings and proxies, which affect results."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(OURS) and not name.lower().endswith("_proxy")
    }
    return {**kept, **more}


@contextmanager
def simulator(context: CommandContext, posters: int, options: Sequence[str]) -> Iterator[RunningSimulator]:
    """Run `redzone bench serve`, its posters already drawn. It also ends if this process is killed. Raises
    RedzoneError if it does not start."""
    ready, listed = context.folder / "ready.json", context.folder / "posters.csv"
    ready.unlink(missing_ok=True)
    command = [*REDZONE, "bench", "serve", "--list", str(listed), "--posters", str(posters), "--drawn"]
    command += ["--ready-file", str(ready), "--until-eof", *options]
    with (context.folder / "simulator.err").open("w+b") as errors:
        process = subprocess.Popen(  # noqa: S603  our own command
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            cwd=context.folder,
            env=clean_environment({}),
        )
        try:
            _pin(process.pid, context.simulator_cpu)
            _await(ready, process, errors.name)
            address = json.loads(ready.read_text(encoding="utf-8"))
            host = address["origin"].removeprefix("http://")
            yield RunningSimulator(host, address["base_url"], listed)
        finally:
            with suppress(BrokenPipeError):
                process.communicate()  # closes its stdin


def analyze(context: CommandContext, arguments: Sequence[str]) -> CommandResult:
    """Run `redzone analyze ARGUMENTS`.

    Raises UsageError if it reports one, RedzoneError if it does not finish its posters.
    """
    stdout, stderr = context.folder / "out.json", context.folder / "err.txt"
    with stdout.open("wb") as out, stderr.open("wb") as err:
        process = subprocess.Popen(  # noqa: S603  our own command
            [*REDZONE, "analyze", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=context.environment,
        )
        try:
            _pin(process.pid, context.client_cpu)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if process.returncode is None:
                process.kill()
                process.wait()
    if process.returncode not in COMPLETED:
        _raise_failure(process.returncode, stderr.read_text(encoding="utf-8", errors="replace"))
    output = json.loads(stdout.read_text(encoding="utf-8"))
    return CommandResult(output, usage.ru_utime + usage.ru_stime, _peak(usage))


def _peak(usage: resource.struct_rusage) -> int | None:
    """Peak resident memory, bytes. The kernel reports the larger of the child's peak and ours at the fork, so
    a figure that is not above ours is meaningless."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if usage.ru_maxrss <= own:
        return None
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _pin(pid: int, cpu: int | None) -> None:
    if cpu is not None:
        os.sched_setaffinity(pid, {cpu})


def _await(ready: Path, process: subprocess.Popen[bytes], errors: str) -> None:
    end_s = time.monotonic() + READY_WITHIN_S
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > end_s:
            process.kill()
            raise RedzoneError(f"the simulator did not start: {_last(Path(errors).read_text())}")
        time.sleep(POLL_S)


def _raise_failure(code: int, errors: str) -> None:
    if code == ExitCode.USAGE:
        raise UsageError(f"redzone analyze: {_last(errors).removeprefix('redzone: ')}")
    raise RedzoneError(f"redzone analyze exited with {code} before its last poster: {_last(errors)}")


def _last(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no error message"
