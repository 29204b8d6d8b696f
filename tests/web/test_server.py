"""`redzone dashboard`: where it serves, what it says, how soon it is there and how soon it is gone."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import pytest

from redzone.errors import UsageError
from redzone.web.server import PORT, listen, options_for
from tests.command import start, wait_until
from tests.web.homes import begin_work, one_of_each, say, write_run
from tests.web.homes import now as said_now

EVERYWHERE = "0.0.0.0"  # noqa: S104  behind a token
HEAVY = {"openai", "onnxruntime", "numpy", "PIL", "httpx2", "duckdb", "typst", "prometheus_client", "rich"}


@contextmanager
def running(cwd: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command in a process of its own, and the address that it says."""
    process = start("dashboard", "--no-open", "--port", str(free_port()), *options, cwd=cwd)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        address = re.search(r"http://\S+", line)
        assert address, line + process.stderr.read()
        yield process, address[0]
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_at_once_with_open_streams(tmp_path: Path, home: Path, number: signal.Signals) -> None:
    """However many browsers are looking; nothing is said and the exit code is 0."""
    say(begin_work(write_run(home, 1, rows=9)), said_now())
    with (
        running(tmp_path, "--home", str(home)) as (process, address),
        httpx2.stream("GET", f"{address}runs/stream", trust_env=False) as first,
        httpx2.stream("GET", f"{address}runs/stream", trust_env=False) as second,
    ):
        for stream in (first, second):
            assert next(stream.iter_text()).startswith("data:")
        process.send_signal(number)
        process.wait(2)
    assert process.returncode == 0


def free_port() -> int:
    """A port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_without_a_port_a_free_one_is_taken_and_a_wanted_one_that_is_taken_is_refused() -> None:
    """Two dashboards of two homes get along."""
    with socket.socket() as occupied:
        occupied.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):  # somebody has it already
            occupied.bind(("127.0.0.1", PORT))
            occupied.listen()
        with listen("127.0.0.1", None) as found:
            assert found.getsockname()[1] != PORT
        with pytest.raises(UsageError, match=f"port {PORT}: .*; choose another --port"):
            listen("127.0.0.1", PORT)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "203.0.113.7"])
def test_a_host_that_is_not_this_machine_is_refused(host: str) -> None:
    """With the next step."""
    with pytest.raises(UsageError, match=r"--host"):
        listen(host, 0)


@pytest.mark.parametrize(
    ("host", "guarded"),
    [("127.0.0.1", False), ("localhost", False), ("127.0.0.9", False), (EVERYWHERE, True)],
)
def test_a_token_is_asked_for_off_the_loopback_only(host: str, guarded: bool) -> None:
    """A new one with every start, and in no repr."""
    with listen(host, 0) as listener:
        options = options_for(host, listener)
        again = options_for(host, listener)
    assert (options.token is not None, options.any_address) == (guarded, guarded)
    assert {"localhost", "127.0.0.1", "::1", host} <= options.names
    if guarded:
        assert options.token != again.token
        assert len(options.token or "") >= 32
        assert str(options.token) not in repr(options)


def test_the_token_is_told_once_in_an_address_that_works(tmp_path: Path, home: Path) -> None:
    """And the first page needs it."""
    write_run(home, 1, one_of_each())
    with running(tmp_path, "--home", str(home), "--host", EVERYWHERE) as (_, address):
        local = re.sub(r"//[^:/]+:", "//127.0.0.1:", address)
        origin, _, token = local.partition("?token=")
        assert len(token) >= 32
        assert httpx2.get(origin, trust_env=False).status_code == 401
        with httpx2.Client(trust_env=False, follow_redirects=True) as client:
            answer = client.get(local)
    assert answer.status_code == 200
    assert str(answer.url) == origin


@pytest.mark.parametrize(
    ("options", "screen", "opened"),
    [
        ((), True, True),
        (("--no-open",), True, False),
        (("--host", EVERYWHERE), True, False),
        ((), False, False),
    ],
)
def test_a_browser_is_opened_where_there_is_a_screen(
    tmp_path: Path, home: Path, options: tuple[str, ...], screen: bool, opened: bool
) -> None:
    """At the address that was said, once it answers; never with a token, which others could read."""
    browser = tmp_path / "www-browser"
    browser.write_text(f"#!{sys.executable}\nimport sys\nprint(sys.argv[1], file=open('opened', 'w'))\n")
    browser.chmod(0o700)
    port = str(free_port())
    env = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "BROWSER": str(browser) if screen else ""}
    if not screen:
        env["PATH"] = f"{tmp_path}:{os.environ['PATH']}"
    process = start("dashboard", "--home", home, "--port", port, *options, cwd=tmp_path, **env)
    try:
        found = tmp_path / "opened"
        wait_until(lambda: found.exists() if opened else answers(port))
        process.send_signal(signal.SIGINT)
        process.wait(5)
        assert found.exists() is opened
        if opened:
            assert found.read_text().strip() == f"http://127.0.0.1:{port}/"
    finally:
        process.kill()
        process.communicate()


def answers(port: str) -> bool:
    """Whether the dashboard is up."""
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).is_success
    except httpx2.TransportError:
        return False


def test_serving_begins_without_what_only_some_pages_need(tmp_path: Path) -> None:
    """So the first page is there within a second; heavy packages are imported by who asks for their pages."""
    code = f"import sys, redzone.web.server; print(sorted({HEAVY} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert done.stdout == "[]\n"
