"""Serves the dashboard until Ctrl-C: the listening socket, the server, and the browser that opens it."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import secrets
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from redzone.errors import UsageError
from redzone.web.app import create_app
from redzone.web.connections import ConnectionLimits, FloodGuard, LimitedConfig
from redzone.web.services.state import AppState, WebOptions

PORT = 8750
OURS = frozenset({"localhost", "127.0.0.1", "::1"})
_END_WITHIN_S = 2


@dataclass(frozen=True, slots=True)
class Serving:
    """Where to serve. Without a port: 8750, or a free port if that is taken."""

    host: str = "127.0.0.1"
    port: int | None = None
    open_browser: bool = True


def serve(home: Path, serving: Serving, tell: Callable[[str], None]) -> None:
    """Serves the dashboard of a home until Ctrl-C or SIGTERM; `tell` prints its URL. Raises UsageError."""
    listener = listen(serving.host, serving.port)
    port = listener.getsockname()[1]
    options = options_for(serving.host, listener)
    address = f"http://{_in_url(_reachable(serving.host))}:{port}/"
    tell(f"dashboard of {home} at {address}" + (f"?token={options.token}" if options.token else ""))
    if options.token:
        tell("anyone with this URL has full access; the token is valid until this process ends")
    tell("Press Ctrl-C to stop the dashboard; runs continue without it")
    # a token on a browser's command line could be read by every user of the machine
    show = serving.open_browser and options.token is None and _has_screen()
    server = Server(home, options, (lambda: webbrowser.open(address)) if show else None)
    asyncio.run(server.serve([listener]))


def listen(host: str, port: int | None) -> socket.socket:
    """Opens a listening socket. Raises UsageError for a host of another machine or a port in use."""
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port or PORT, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise UsageError(
            f"--host {host}: {error.strerror}; use a name or an address of this machine"
        ) from error
    bare = str(place[0])
    try:
        return socket.create_server((bare, PORT if port is None else port), family=family, backlog=128)
    except OSError as error:
        if error.errno == errno.EADDRINUSE and port is None:
            return socket.create_server((bare, 0), family=family, backlog=128)
        raise UsageError(
            f"cannot serve at {host} port {port or PORT}: {error.strerror}; choose another --port or --host"
        ) from error


def options_for(host: str, listener: socket.socket) -> WebOptions:
    """Access options for a socket: open on the loopback, with a token on any other address."""
    bound, port = listener.getsockname()[:2]
    address = ipaddress.ip_address(bound.partition("%")[0])
    names = OURS | {host.lower(), str(address)}
    if address.is_loopback:
        return WebOptions(names)
    return WebOptions(
        names | {socket.gethostname().lower(), socket.getfqdn().lower()},
        # bound to every address, it cannot know which one clients use
        any_address=address.is_unspecified,
        token=secrets.token_urlsafe(32),
        cookie=f"redzone_token_{port}",
    )


class Server(uvicorn.Server):
    """A uvicorn server that closes open event streams first, so that Ctrl-C does not wait for a browser."""

    def __init__(
        self,
        home: Path,
        options: WebOptions,
        once_up: Callable[[], object] | None = None,
        limits: ConnectionLimits | None = None,
    ) -> None:
        app = create_app(home, options)
        self._once_up = once_up
        self._app_state: AppState = app.state.state
        self._floods: FloodGuard | None = None
        super().__init__(
            LimitedConfig(
                app,
                limits or ConnectionLimits(),
                lifespan="on",
                log_config=None,
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=_END_WITHIN_S,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve, then call `once_up` in a thread."""
        self._floods = FloodGuard(asyncio.get_running_loop())
        self._floods.start()
        await super().startup(sockets)
        if self._once_up is not None:
            asyncio.get_running_loop().run_in_executor(None, self._once_up)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the event streams, then everything else."""
        self._app_state.closing.set()
        await super().shutdown(sockets)
        if self._floods is not None:
            self._floods.stop()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM are the normal way to stop the dashboard: they are not raised again."""
        if threading.current_thread() is not threading.main_thread():
            yield  # signals are the main thread's
            return
        loop = asyncio.get_running_loop()
        signals = (signal.SIGINT, signal.SIGTERM)
        for number in signals:
            loop.add_signal_handler(number, self._end)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)

    def _end(self) -> None:
        # not handle_exit: sse-starlette patches it, and its patch would close streams of later servers too
        self.force_exit = self.should_exit
        self.should_exit = True


def _reachable(host: str) -> str:
    """The host for the printed URL: this machine's name where the socket is bound to every address."""
    return socket.gethostname() if host in ("0.0.0.0", "::") else host  # noqa: S104  compared, not bound


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _has_screen() -> bool:
    # without a display, webbrowser would start a text browser in the terminal
    return sys.platform != "linux" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")))
