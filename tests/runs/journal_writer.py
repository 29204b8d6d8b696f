"""A process that records outcomes until somebody kills it, and says on stdout which are on disk."""

from __future__ import annotations

import asyncio
import os
import sys
from itertools import count
from pathlib import Path

from redzone.errors import JournalFailed
from redzone.runs.checkpoint import render_intent, render_outcome
from redzone.runs.journal import Journal, Recorder
from tests.outcomes import NOON, outcome

WORKERS = 8


async def record_for_ever(journal: Journal, first: int) -> None:
    """Eight workers, each with an intent and an outcome per row."""
    rows = count(first)

    async def work(recorder: Recorder) -> None:
        for row in rows:
            await recorder.commit(render_intent(row, "gpt-6-luna", NOON))
            await recorder.commit(render_outcome(outcome(row)))
            os.write(1, b"%d\n" % row)

    async with Recorder(journal) as recorder, asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(work(recorder))


def main() -> None:
    """`python -m tests.runs.journal_writer CHECKPOINT FIRST_ROW`."""
    with Journal(Path(sys.argv[1])) as journal:
        try:
            asyncio.run(record_for_ever(journal, int(sys.argv[2])))
        except* JournalFailed as failures:
            sys.stderr.write(str(failures.exceptions[0]))


if __name__ == "__main__":
    main()
