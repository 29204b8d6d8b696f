"""`log.jsonl`: the events of a run, one JSON object a line, written by a thread of its own.

Several runs may work in one process. A record belongs to the run in whose context it is logged, or to all of
them if it is logged outside of any.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path
from queue import SimpleQueue

from redzone.runs.files import open_private
from redzone.runs.jsonl import append_lines


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
    """From now on, records of this context and of the tasks started in it belong to the run of this log."""
    _RUN_LOG.set(path)


class _FileHandler(logging.Handler):
    """Appends whole lines. What cannot be written is lost, with one call of `on_failure`."""

    def __init__(self, path: Path, on_failure: Callable[[str], None]) -> None:
        super().__init__()
        self._path = path
        self._on_failure = on_failure
        self._failed = False
        self._descriptor: int | None = None
        try:
            self._descriptor = open_private(path, os.O_WRONLY | os.O_APPEND)
        except OSError as error:
            self._report(error)

    def emit(self, record: logging.LogRecord) -> None:
        if self._descriptor is None:
            return
        line = f"{self.format(record)}\n".encode("utf-8", "backslashreplace")
        try:
            length = os.fstat(self._descriptor).st_size
            append_lines(self._descriptor, length, line, lambda _: None, keep_whole=False)
        except OSError as error:
            self._report(error)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        super().close()

    def _report(self, error: OSError) -> None:
        if not self._failed:
            self._failed = True
            self._on_failure(f"{self._path} cannot be written: {error.strerror}; events are not logged")


@contextmanager
def run_log(path: Path, on_failure: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Append what redzone logs about this run while the block runs.

    A log that cannot be written never ends a run: `on_failure` gets one sentence about it, perhaps in the
    log's own thread.
    """
    handler = _FileHandler(path, on_failure)
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
        handler.close()
        logger.removeHandler(feeder)
