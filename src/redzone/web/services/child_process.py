"""`redzone` as a process of its own that is waited for: what is long or large holds up nobody's pages."""

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
class Ended:
    """A command that has done its work: what it printed, and what it said to people."""

    out: bytes
    said: str


async def run_to_end(
    arguments: Sequence[str], *, within_s: float, late: str, environment: Mapping[str, str] | None = None
) -> Ended:
    """Run a command of redzone's, with more in its environment; it is killed if we are cancelled.

    Raises UsageError with its complaint, or with `late` when it takes too long.
    """
    if any("\0" in argument for argument in arguments):
        raise UsageError("a NUL character cannot be passed on; leave it out")
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
    said = err.decode("utf-8", "replace")
    if process.returncode:
        raise UsageError(complaint(said))
    return Ended(out, said)


def complaint(text: str) -> str:
    """The one thing that a command said when it gave up, without the usage around it."""
    match = _COMPLAINT.search(text)
    lines = (match[1] if match else text).strip().splitlines()
    if match is None:
        lines = lines[-1:]  # a traceback's last line says what it was
    return " ".join(line.strip() for line in lines) or "the command ended without a word"
