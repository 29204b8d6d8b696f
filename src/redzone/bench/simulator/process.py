"""Runs the simulator as a process until it is stopped."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import typer

from redzone.bench.simulator.artwork import poster_list
from redzone.bench.simulator.options import SimulatorOptions
from redzone.bench.simulator.server import Simulator
from redzone.runs.files import replace_file


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Where to listen, and which files to write then. `size` is that of the listed posters, "" for the
    default; with `until_eof` the simulator also stops at the end of standard input."""

    port: int
    ready_file: Path | None
    list_file: Path | None
    posters: int
    size: str
    drawn: bool
    until_eof: bool


def serve_until_stopped(options: SimulatorOptions, serving: ServeOptions) -> None:
    """Serve until SIGINT or SIGTERM; print the addresses to stdout."""
    asyncio.run(_serve(options, serving))


async def _serve(options: SimulatorOptions, serving: ServeOptions) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signal_number, stop.set)
    if serving.until_eof:
        loop.add_reader(sys.stdin.fileno(), _stop_at_eof, stop)
    async with Simulator(options, port=serving.port) as simulator:
        await asyncio.to_thread(_announce, simulator, serving)
        await stop.wait()


def _stop_at_eof(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        stop.set()


def _announce(simulator: Simulator, serving: ServeOptions) -> None:
    """Write the files, then print the addresses, so that readers of the output find the files."""
    if serving.drawn:
        simulator.draw_posters(serving.posters, size=serving.size)
    list_url = simulator.poster_list_url(serving.posters, size=serving.size)
    list_file = serving.list_file or Path("posters.csv")
    if serving.list_file:
        rows = poster_list(simulator.origin, serving.posters, serving.size)
        replace_file(serving.list_file, rows.encode())
    if serving.ready_file:
        ready = {
            "origin": simulator.origin,
            "base_url": simulator.base_url,
            "posters_url": list_url,
            "pid": os.getpid(),
        }
        replace_file(serving.ready_file, (json.dumps(ready) + "\n").encode())
    name = shlex.quote(str(list_file))
    typer.echo(f"Model API    {simulator.base_url}")
    typer.echo(f"Poster list  {list_url}")
    typer.echo(f"Statistics   {simulator.origin}/stats  {simulator.origin}/log\n\nTry:")
    if not serving.list_file:
        typer.echo(f"  curl -so {name} '{list_url}'")
    typer.echo(
        f"  OPENAI_API_KEY=simulated redzone analyze {name} "
        f"--base-url {simulator.base_url} --allow-private-hosts\n\nPress Ctrl-C to stop."
    )
