"""Who writes an export: a process that ends with whoever waits for it, two at a time, in nobody's way."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from redzone.cli import app
from redzone.commands.filter_options import build_filter
from redzone.query import Filter
from redzone.runs import RunFolder
from redzone.web.services.exporter import export_options
from tests.query.test_index_laws import ANY_FILTER
from tests.web.homes import write_run
from tests.web.posters import judged
from tests.web.serving import Served, served

LISTS = ("status", "group", "kind", "source", "code")
QUICK_S = 10.0  # a fetcher gives a server that says nothing up after 15 s


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that takes requests and never answers: whoever writes a report with its pictures waits."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        yield listener


def slow_run(home: Path, number: int, server: socket.socket) -> RunFolder:
    """A run with a picture at that server."""
    host, port = server.getsockname()
    found = judged(1, image=f"http://{host}:{port}/{number}.jpg")
    return write_run(home, number, [found], rows=1, settings={"allow_private_hosts": True})


@contextmanager
def asking(dashboard: Served, folder: RunFolder) -> Iterator[socket.socket]:
    """Somebody who waits for a report."""
    place = urlsplit(dashboard.origin)
    with socket.create_connection((place.hostname, place.port), timeout=30) as client:
        request = f"GET /runs/{folder.id}/export.html HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n"
        client.sendall(request.encode())
        yield client


def asked_by(server: socket.socket) -> tuple[socket.socket, str]:
    """Wait until a process asks for a picture; its connection, and which run's it was."""
    connection, _ = server.accept()
    connection.settimeout(QUICK_S)
    return connection, connection.recv(4096).decode().partition(".jpg")[0][-1]


def ends(connection: socket.socket) -> bool:
    """Wait for the end of the process that asked."""
    with connection:
        return connection.recv(1) == b""


def test_the_process_ends_and_its_files_go_when_nobody_waits_any_more(
    home: Path, scratch: Path, silent: socket.socket
) -> None:
    """A closed tab, while the report is written."""
    folder = slow_run(home, 1, silent)
    with served(home) as dashboard:
        with asking(dashboard, folder):
            connection, _ = asked_by(silent)
            assert len(list(scratch.iterdir())) == 1
            assert dashboard.get("/healthz").status_code == 200
        assert ends(connection)
    assert list(scratch.iterdir()) == []


def test_the_process_ends_with_the_dashboard(home: Path, scratch: Path, silent: socket.socket) -> None:
    """Whoever waited is told."""
    folder = slow_run(home, 1, silent)
    with ExitStack() as clients:
        with served(home) as dashboard:
            client = clients.enter_context(asking(dashboard, folder))
            connection, _ = asked_by(silent)
        assert ends(connection)
        assert client.recv(1000).startswith(b"HTTP/1.1 503 ")
    assert list(scratch.iterdir()) == []


def test_two_are_written_at_once_and_a_third_waits_for_its_turn(
    home: Path, scratch: Path, silent: socket.socket
) -> None:
    """Pages are answered all the while."""
    folders = [slow_run(home, number, silent) for number in (1, 2, 3)]
    with served(home) as dashboard, ExitStack() as clients:
        with ExitStack() as first:
            for folder in folders[:2]:
                first.enter_context(asking(dashboard, folder))
            at_work = [asked_by(silent) for _ in folders[:2]]
            clients.enter_context(asking(dashboard, folders[2]))
            assert dashboard.get("/").status_code == 200
            assert len(list(scratch.iterdir())) == 2
        at_work.append(asked_by(silent))
        assert sorted(run for _, run in at_work[:2]) == ["1", "2"]
        assert at_work[2][1] == "3"
        clients.close()
        assert all(ends(connection) for connection, _ in at_work)
    assert list(scratch.iterdir()) == []


@given(ANY_FILTER)
def test_the_command_understands_the_filter_as_the_page_does(wanted: Filter) -> None:
    """Whatever is searched for: what looks like an option, too."""
    command = typer.main.get_command(app)
    export = command.commands["export"]  # type: ignore[attr-defined]  # a group has them
    given_ = export.make_context("export", ["RUN", *export_options(wanted)]).params
    lists = {name: given_.pop(name) for name in LISTS}
    rest = {
        name: given_[name] for name in ("min_confidence", "max_confidence", "reviewed", "disagreed", "text")
    }
    assert build_filter(lists, **rest) == wanted


@given(st.text())
def test_a_value_is_never_an_option(text: str) -> None:
    """One word each."""
    assert export_options(Filter(text=text)) == ([f"--text={text}"] if text else [])
