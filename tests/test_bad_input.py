"""Hostile and broken input, through the real command: each case and what it gets."""

from __future__ import annotations

import asyncio
import csv
import json
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from redzone.bench.simulator.server import SimulatorOptions
from tests.conftest import Invoke
from tests.simulated import simulated, write_list


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("no-image-column.csv", b"content_id,scan\n1,a.jpg\n", ("content_id, scan", "--map")),
        ("empty.csv", b"", ("empty",)),
        ("binary.csv", bytes(range(256)) * 20, ("binary",)),
        ("mixed.csv", "content_id,image,title\n1,a.jpg,Amélie\n".encode() + b"2,b.jpg,\xe9\n", ("UTF-8",)),
        ("sheet.csv", b"PK\x03\x04" + bytes(60), ("Excel", "CSV")),
    ],
)
def test_an_unusable_file_is_refused_before_a_run_begins(
    invoke: Invoke, tmp_path: Path, name: str, content: bytes, said: tuple[str, ...]
) -> None:
    """Exit 2, one line with what and the next step, and no run folder."""
    (tmp_path / name).write_bytes(content)
    done = invoke("analyze", name)
    assert done.returncode == 2
    assert name in done.stderr
    for words in said:
        assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / ".redzone").exists()


def png_of(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


def error_of(invoke: Invoke, tmp_path: Path, image: str, *more: str) -> dict[str, str]:
    """What a list with this one image ends with: exit 3 and an error outcome."""
    posters = write_list(tmp_path / "one.csv", [image])
    done = invoke("analyze", posters, "--provider", "local", "--progress", "none", "-o", "out.json", *more)
    assert done.returncode == 3, done.stderr
    (row,) = json.loads((tmp_path / "out.json").read_text())
    assert row["status"] == "error"
    error: dict[str, str] = row["error"]
    return error


def test_a_png_of_five_gigapixels_is_too_large(invoke: Invoke, tmp_path: Path) -> None:
    """70,000 x 72,000 px in a few hundred bytes: an error, not 15 GB of memory."""
    (tmp_path / "bomb.png").write_bytes(png_of(70_000, 72_000))
    assert error_of(invoke, tmp_path, "bomb.png")["code"] == "image-too-large"


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd",
        "ftp://example.com/poster.jpg",
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1:9/poster.jpg",
        "http://[::1]:9/poster.jpg",
        "http://2130706433:9/poster.jpg",
        "http://10.0.0.1/poster.jpg",
    ],
)
def test_an_address_that_is_not_public_is_blocked(invoke: Invoke, tmp_path: Path, address: str) -> None:
    """No connection is made, whatever the form of the address."""
    assert error_of(invoke, tmp_path, address)["code"] == "fetch-blocked"


@contextmanager
def redirecting(target: str) -> Iterator[str]:
    """A loopback server that answers everything with a redirect to the target."""
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    port: list[int] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async def serve() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port.append(server.sockets[0].getsockname()[1])
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield f"http://127.0.0.1:{port[0]}/poster.jpg"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def test_a_redirect_to_a_file_is_blocked_even_where_private_hosts_are_allowed(
    invoke: Invoke, tmp_path: Path
) -> None:
    """Every hop is checked again: --allow-private-hosts allows hosts, never schemes."""
    with redirecting("file:///etc/passwd") as url:
        assert error_of(invoke, tmp_path, url, "--allow-private-hosts")["code"] == "fetch-blocked"


def test_a_web_page_in_place_of_an_image_is_named_as_such(invoke: Invoke, tmp_path: Path) -> None:
    """The type is decided by the bytes, never by the name."""
    (tmp_path / "page.jpg").write_text("<!doctype html><title>Log in</title>")
    error = error_of(invoke, tmp_path, "page.jpg")
    assert error["code"] == "image-unreadable"
    assert "HTML" in error["message"]


def test_titles_with_terminal_escapes_and_markup_are_shown_as_text(invoke: Invoke, tmp_path: Path) -> None:
    """No escape reaches the terminal, no bracket is read as markup, and the export keeps the title."""
    title = "\x1b[31mRed\x1b]0;owned\x07 [/bold] [link=http://x]"
    with (tmp_path / "list.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "image", "title"], ["0012", "gone.jpg", title]])
    done = invoke("analyze", "list.csv", "--provider", "local", "--progress", "plain")
    assert done.returncode == 3
    assert "\x1b" not in done.stderr
    assert "\x07" not in done.stderr
    assert "[/bold]" in done.stderr


def test_ids_stay_text_and_formulas_are_disarmed(invoke: Invoke, tmp_path: Path) -> None:
    """`0012` keeps its zeros; `=cmd()` gets an apostrophe in CSV and stays as it is in JSON."""
    with (tmp_path / "list.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "image"], ["0012", "gone.jpg"], ["=cmd()", "gone.jpg"]])
    invoke(
        "analyze", "list.csv", "--provider", "local", "--progress", "none", "-o", "out.csv", "-o", "out.json"
    )
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8-sig") as file:
        assert [row["id"] for row in csv.DictReader(file)] == ["0012", "'=cmd()"]
    assert [row["id"] for row in json.loads((tmp_path / "out.json").read_text())] == ["0012", "=cmd()"]


def test_a_redirect_to_loopback_is_blocked(invoke: Invoke, tmp_path: Path) -> None:
    """A public host that leads to a private one: shown with the guard in tests/test_fetching.py, where names
    can be resolved as the test wants; here the target itself is refused."""
    with simulated(SimulatorOptions(poster_size=(60, 90))) as simulator:
        assert error_of(invoke, tmp_path, simulator.poster_url(1))["code"] == "fetch-blocked"
