"""Runs `redzone` as a child process and waits for it, so that long work does not delay pages."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from redzone.errors import UsageError

REDZONE = (sys.executable, "-m", "redzone")
_COMPLAINT = re.compile(r"^(?:redzone|Error): (.+)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class ChildResult:
    """A finished command: its standard output, and what it printed to standard error."""

    out: bytes
    messages: str


async def run_to_end(
    arguments: Sequence[str], *, within_s: float, late: str, environment: Mapping[str, str] | None = None
) -> ChildResult:
    """Runs a redzone command with additional environment variables; kills it if this task is cancelled.

    Raises UsageError with the command's error message, or with `late` when it takes too long.
    """
    if any("\0" in argument for argument in arguments):
        raise UsageError("a value contains a NUL character; remove it")
    process = await asyncio.create_subprocess_exec(
        *REDZONE,
        *arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
    )
    try:
        async with asyncio.timeout(within_s):
            out, err = await process.communicate()
    except TimeoutError:
        raise UsageError(late) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    messages = err.decode("utf-8", "replace")
    if process.returncode:
        raise UsageError(complaint(messages))
    return ChildResult(out, messages)


def complaint(text: str) -> str:
    """The error message in a command's output, without the usage text around it."""
    match = _COMPLAINT.search(text)
    lines = (match[1] if match else text).strip().splitlines()
    if match is None:
        lines = lines[-1:]  # the last line of a traceback names the error
    return " ".join(line.strip() for line in lines) or "the command exited without an error message"
