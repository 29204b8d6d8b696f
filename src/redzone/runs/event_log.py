"""`log.jsonl`: the events of a run, one JSON object a line, written by a thread of its own."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def run_log(path: Path) -> Iterator[None]:
    """Append what redzone logs, from INFO up, while the block runs. Raises OSError."""
    stream = os.fdopen(open_private(path, os.O_WRONLY | os.O_APPEND), "a", encoding="utf-8")
    with stream:
        handler = logging.StreamHandler(stream)
        handler.setFormatter(_JsonFormatter())
        queue: SimpleQueue[logging.LogRecord] = SimpleQueue()
        listener = QueueListener(queue, handler)
        logger = logging.getLogger("redzone")
        feeder = QueueHandler(queue)
        level, propagate = logger.level, logger.propagate
        logger.addHandler(feeder)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        listener.start()
        try:
            yield
        finally:
            listener.stop()
            logger.removeHandler(feeder)
            logger.setLevel(level)
            logger.propagate = propagate
