"""Clients that hang up, stay idle, come in crowds or ask for another protocol."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from redzone.web.connections import ConnectionLimits, FloodFilter
from tests.web.conftest import Serve
from tests.web.serving import Served

QUICK = ConnectionLimits(connections=4, refusals=2, header_s=0.3, body_s=0.3)
FORM = (
    "POST /new HTTP/1.1\r\nHost: {host}\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 5000\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\n\r\nlist=po"
)


def address_of(site: Served) -> tuple[str, int]:
    host, port = site.origin.removeprefix("http://").split(":")
    return host, int(port)


@contextmanager
def connected(site: Served, text: str = "") -> Iterator[socket.socket]:
    """A connection on which a text was sent; `{host}` is the dashboard's."""
    place = address_of(site)
    with socket.create_connection(place, timeout=5) as client:
        client.sendall(text.replace("{host}", f"{place[0]}:{place[1]}").encode())
        yield client


def received(client: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    data = b""
    try:
        while piece := client.recv(4096):
            data += piece
    except ConnectionResetError:
        pass
    return data


def test_clients_that_hang_up_in_a_form_leave_no_trace(
    home: Path, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """100 of 100 forms are cut off: nothing is logged, and the next page is served."""
    site = serve(home)
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            with connected(site, FORM):
                pass
        assert site.get("/healthz").status_code == 200
    assert caplog.records == []


@pytest.mark.parametrize(
    "text", ["", "GET / HTTP/1.1\r\nHost: ", FORM], ids=["nothing", "half a head", "half a form"]
)
def test_an_idle_connection_is_closed(home: Path, serve: Serve, text: str) -> None:
    """Without a request, in the middle of its head, and in the middle of its body."""
    site = serve(home, limits=QUICK)
    with connected(site, text) as client:
        received(client)  # ends: its own timeout is 5 s
    assert site.get("/healthz").status_code == 200


def test_a_request_that_comes_byte_by_byte_gains_no_time(home: Path, serve: Serve) -> None:
    """The time for a head begins with the connection, not with its last byte."""
    site = serve(home, limits=QUICK)
    with connected(site) as client:
        client.settimeout(0.05)
        for byte in b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 200:
            try:
                client.sendall(bytes([byte]))
                if client.recv(1) == b"":
                    return
            except TimeoutError:
                continue
            except OSError:
                return
    pytest.fail("the connection was never closed")


def test_beyond_the_limit_connections_get_503_and_one_line_is_logged(
    home: Path, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """50 connections at a limit of 4: some are told, all are closed, and pages are back afterwards."""
    site = serve(home, limits=QUICK)
    with ExitStack() as stack, caplog.at_level(logging.WARNING):
        for _ in range(4):
            stack.enter_context(connected(site))
        refused = [stack.enter_context(connected(site)) for _ in range(50)]
        replies = [received(client) for client in refused]
    assert replies[0].startswith(b"HTTP/1.1 503 ")
    assert b"too many open connections" in replies[0]
    assert [record.getMessage() for record in caplog.records] == [
        "503: 4 connections are open; more are refused"
    ]
    assert site.get("/healthz").status_code == 200


def test_a_websocket_is_refused_in_plain_words(
    home: Path, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """400 with a sentence, and no advice to install a library."""
    site = serve(home)
    with caplog.at_level(logging.WARNING):
        reply = site.get("/", Connection="Upgrade", Upgrade="websocket", Sec_WebSocket_Version="13")
    assert reply.status_code == 400
    assert "The dashboard does not use WebSockets." in reply.text
    assert caplog.records == []


def test_a_flood_is_logged_once_with_its_count() -> None:
    """The first record passes, the others are counted, and their number is logged when the time is over."""
    later: list[Callable[[], None]] = []
    seen: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(record.getMessage())  # type: ignore[method-assign]
    flood = FloodFilter(lambda _, call: later.append(call), window_s=60)
    passed = [
        flood.filter(
            logging.makeLogRecord({"name": "flood", "msg": "no %s", "args": ("room",), "levelno": 30})
        )
        for _ in range(343)
    ]
    assert passed.count(True) == 1
    logging.getLogger("flood").addHandler(handler)
    try:
        later[0]()
    finally:
        logging.getLogger("flood").removeHandler(handler)
    assert seen == ["no room (342 more times in 60 s)"]
