"""`log.jsonl`: the events of a run, one JSON object a line, written by a thread of its own.

Several runs may work in one process. A record belongs to the run in whose context it is logged, or to all of
them if it is logged outside of any.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path
from queue import SimpleQueue

from redzone.runs.files import open_private


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_text or record.exc_info:
            line["trace"] = record.exc_text or self.formatException(record.exc_info)  # type: ignore[arg-type]  # seen
        return json.dumps(line)


_RUN_LOG: ContextVar[Path | None] = ContextVar("run_log", default=None)


def log_into(path: Path) -> None:
    """Everything that this context, and the tasks begun in it, log belongs to the run of this log."""
    _RUN_LOG.set(path)


@contextmanager
def run_log(path: Path) -> Iterator[None]:
    """Append what redzone logs about this run while the block runs. Raises OSError."""
    stream = os.fdopen(open_private(path, os.O_WRONLY | os.O_APPEND), "a", encoding="utf-8")
    with stream:
        handler = logging.StreamHandler(stream)
        handler.setFormatter(_JsonFormatter())
        queue: SimpleQueue[logging.LogRecord] = SimpleQueue()
        listener = QueueListener(queue, handler)
        logger = logging.getLogger("redzone")
        feeder = QueueHandler(queue)
        feeder.addFilter(lambda _: _RUN_LOG.get() in (None, path))
        logger.addHandler(feeder)
        listener.start()
        try:
            yield
        finally:
            listener.stop()
            logger.removeHandler(feeder)
