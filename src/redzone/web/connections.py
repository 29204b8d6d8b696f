"""Bounds on connections: how many are open, how long each may be idle, and what a flood may log.

uvicorn closes idle keep-alive connections, but waits for ever for the first byte of a request, for the rest
of a form, and for a client that stops reading a download.
"""

from __future__ import annotations

import asyncio
import logging
import resource
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

_log = logging.getLogger(__name__)
FLOOD_S = 60.0
_BUSY = b"The dashboard has too many open connections. Try again in a moment.\n"
_BUSY_RESPONSE = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Retry-After: 5\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(_BUSY), _BUSY)
)


def default_connections() -> int:
    """A quarter of the file descriptors that this process may have, 8 to 256."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 256 if soft == resource.RLIM_INFINITY else max(8, min(256, soft // 4))


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """`header_s` is the time until a request is complete without its body, `body_s` between two parts of a
    body, `stalled_s` for a client that reads nothing of a response. `refusals` are connections that may wait
    at once to be told that there are too many."""

    connections: int = field(default_factory=default_connections)
    refusals: int = 8
    header_s: float = 15.0
    body_s: float = 30.0
    stalled_s: float = 60.0
    keep_alive_s: int = 5

    @property
    def backlog(self) -> int:
        """Connections that may be accepted in one go: with those that are open they stay below the limit."""
        return min(128, self.connections)


class LimitedConfig(uvicorn.Config):
    """uvicorn's configuration with the limits of its connections."""

    def __init__(self, app: Any, limits: ConnectionLimits, **options: Any) -> None:
        self.limits = limits
        self.refusing: set[LimitedProtocol] = set()
        super().__init__(
            app,
            http=LimitedProtocol,
            ws="none",
            backlog=limits.backlog,
            timeout_keep_alive=limits.keep_alive_s,
            **options,
        )


class LimitedProtocol(H11Protocol):
    """One connection that is closed when it is idle for too long, or refused where there are too many."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        assert isinstance(config, LimitedConfig)  # noqa: S101  only LimitedConfig names this class
        super().__init__(config, server_state, app_state, _loop)
        self._limits = config.limits
        self._refusing = config.refusing
        self._refused = False
        self._idle: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, or answer 503 where too many connections are open."""
        if len(self.connections) < self._limits.connections:
            super().connection_made(transport)
            self._idle = self._later(self._limits.header_s)
            return
        self._refused = True
        self.transport = transport
        _log.warning("503: %d connections are open; more are refused", self._limits.connections)
        if len(self._refusing) >= self._limits.refusals:
            transport.abort()
            return
        self._refusing.add(self)
        transport.write(_BUSY_RESPONSE)
        # closed at once, unread data would reset the connection before the client reads the response
        self._idle = self._later(1.0)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection and its timers."""
        self._stop_timers()
        if self._refused:
            self._refusing.discard(self)
            return
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Handle what arrives, and wait for the rest."""
        if self._refused:
            self.transport.close()
            return
        super().data_received(data)
        if self._is_between_requests():
            # the time begins with the first byte: a request that comes byte by byte gains nothing
            self._idle = self._idle or self._later(self._limits.header_s)
            return
        self._stop_idle()
        if self.cycle.more_body:
            self._idle = self._later(self._limits.body_s)

    def on_response_complete(self) -> None:
        """From here on uvicorn's own keep-alive timeout holds."""
        self._stop_idle()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """The client does not read as fast as it is written to."""
        super().pause_writing()
        self._stalled = self.loop.call_later(self._limits.stalled_s, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has read."""
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        super().resume_writing()

    def _is_between_requests(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _later(self, seconds: float) -> asyncio.TimerHandle:
        return self.loop.call_later(seconds, self._expire)

    def _expire(self) -> None:
        self._idle = None
        if not self._refused and self.flow.read_paused:
            self._idle = self._later(self._limits.body_s)  # it is the app that has not read yet
        else:
            self.transport.abort()

    def _stop_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _stop_timers(self) -> None:
        self._stop_idle()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _unsupported_upgrade_warning(self) -> None:
        """security.py refuses upgrades; the log needs no advice to install a WebSocket library."""


class FloodFilter(logging.Filter):
    """Passes the first of equal records, counts the others, and logs their number when `window_s` is over."""

    def __init__(
        self, later: Callable[[float, Callable[[], None]], object], window_s: float = FLOOD_S
    ) -> None:
        super().__init__()
        self._later = later
        self._window_s = window_s
        self._counts: dict[tuple[str, str, str], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged."""
        if hasattr(record, "repeated"):
            return True
        fault = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        key = record.name, str(record.msg).partition("\n")[0], fault
        if key in self._counts:
            self._counts[key] += 1
            return False
        self._counts[key] = 0
        message = record.getMessage().partition("\n")[0]
        self._later(self._window_s, lambda: self._end(key, record.levelno, message))
        return True

    def _end(self, key: tuple[str, str, str], level: int, message: str) -> None:
        count = self._counts.pop(key, 0)
        if count:
            logging.getLogger(key[0]).log(
                level,
                "%s (%d more times in %g s)",
                message,
                count,
                self._window_s,
                extra={"repeated": count},
            )


class FloodGuard:
    """Filters the loggers of the server, and replaces asyncio's traceback for each refused accept()."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._filter = FloodFilter(self._call_later)
        self._loggers = [logging.getLogger(name) for name in ("uvicorn.error", "asyncio", __name__)]

    def start(self) -> None:
        """From now on."""
        self._loop.set_exception_handler(_on_loop_error)
        for logger in self._loggers:
            logger.addFilter(self._filter)

    def stop(self) -> None:
        """Log everything again."""
        for logger in self._loggers:
            logger.removeFilter(self._filter)

    def _call_later(self, seconds: float, call: Callable[[], None]) -> None:
        # records come from any thread
        self._loop.call_soon_threadsafe(self._loop.call_later, seconds, call)


def _on_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if str(context.get("message", "")).startswith("socket.accept() out of system resource"):
        _log.warning("too many open files; no new connections are accepted for a second")
    else:
        loop.default_exception_handler(context)
