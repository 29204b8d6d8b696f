"""Pictures over HTTP: whose they are, how long they are kept, and what is drawn where there is none."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx2
import pytest
from PIL import Image

from redzone.imaging.render import frame
from redzone.models import Status, ViewKind
from redzone.runs import RunFolder
from redzone.web.views.placeholder import changed_svg, missing_svg
from tests.outcomes import outcome
from tests.web.posters import HOSTILE, RED, judged, one_picture, poster_file, run_of
from tests.web.serving import Served, served

SVG = "{http://www.w3.org/2000/svg}"


def at(folder: RunFolder, query: str = "size=400", row: int = 1) -> str:
    return f"/runs/{folder.id}/pictures/{row}?{query}"


def opened(answer: httpx2.Response) -> Image.Image:
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"
    return Image.open(BytesIO(answer.content))


def words(answer: httpx2.Response | bytes) -> str:
    """What a drawing says, which must be whole XML without a script."""
    if isinstance(answer, httpx2.Response):
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "image/svg+xml"
        answer = answer.content
    drawing = ET.fromstring(answer)  # noqa: S314  our own
    known = {f"{SVG}{tag}" for tag in ("svg", "rect", "g", "circle", "path", "text", "tspan", "image")}
    assert {element.tag for element in drawing.iter()} <= known
    return " ".join(text for text in drawing.itertext() if text.strip())


def make(home: Path) -> Path:
    """The folder beside the home, where posters lie."""
    home.parent.mkdir(parents=True, exist_ok=True)
    return home.parent


@contextmanager
def slow_server(body: bytes) -> Iterator[tuple[str, threading.Event]]:
    """An image server whose only answer waits until it may go."""
    go = threading.Event()

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            go.wait(10)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/poster.png", go
        go.set()
        server.shutdown()
        thread.join()


def test_a_poster_comes_in_its_sizes(home: Path) -> None:
    """And in no other."""
    folder = one_picture(home)
    with served(home) as dashboard:
        assert opened(dashboard.get(at(folder, "size=160"))).size == (160, 240)
        assert opened(dashboard.get(at(folder, "size=400"))).size == (400, 600)
        for query in (
            "",
            "size=",
            "size=401",
            "size=99999",
            "size=-160",
            "size=0160",
            "zone=blue",
            "seen=no",
        ):
            assert dashboard.get(at(folder, query)).status_code == 404


def test_the_zone_alone_and_what_the_model_saw_are_pictures_too(home: Path) -> None:
    """The zone is red in the poster, the view is the one of the verdict's strategy."""
    folder = one_picture(home, strategy="poster/full")
    data = (home.parent / "poster.png").read_bytes()
    with served(home) as dashboard:
        zone = opened(dashboard.get(at(folder, "zone=red")))
        assert zone.size == (800, 200)
        assert dashboard.get(at(folder, "seen=yes")).content == frame(data, (RED,), ViewKind.POSTER).data


def test_a_picture_is_kept_by_this_browser_alone_and_for_ever_if_its_address_names_the_content(
    home: Path,
) -> None:
    """With the hash in the address it cannot change; without it the browser asks whether it has."""
    folder = one_picture(home)
    sha256 = judged(1, image=home.parent / "poster.png").image_sha256
    assert sha256 is not None
    with served(home) as dashboard:
        named = dashboard.get(at(folder, f"size=400&v={sha256[:12]}"))
        assert named.headers["cache-control"] == "private, max-age=31536000, immutable"
        for query in ("size=400", "size=400&v=", "size=400&v=0123456789ab"):
            plain = dashboard.get(at(folder, query))
            assert plain.headers["cache-control"] == "private, no-cache"
        again = dashboard.get(at(folder), If_None_Match=plain.headers["etag"])
        assert (again.status_code, again.content) == (304, b"")
        assert dashboard.get(at(folder), If_None_Match='"other"').status_code == 200
        assert dashboard.get(at(folder, "size=160")).headers["etag"] != plain.headers["etag"]


def test_an_address_names_a_run_and_a_row_and_never_a_place(home: Path) -> None:
    """Whatever else it says is not heard; rows and runs have one form."""
    folder = one_picture(home)
    with served(home) as dashboard:
        plain = dashboard.get(at(folder)).content
        for query in ("size=400&url=http://127.0.0.1:1/", "size=400&path=/etc/passwd", "size=400&image=x"):
            assert dashboard.get(at(folder, query)).content == plain
        for path in (
            f"/runs/{folder.id}/pictures/2?size=400",
            f"/runs/{folder.id}/pictures/0?size=400",
            f"/runs/{folder.id}/pictures/1x?size=400",
            f"/runs/{folder.id}/pictures/9999999999?size=400",
            f"/runs/{folder.id}/pictures/..%2f..%2fposter.jpg?size=400",
            f"/runs/{folder.id[:-1]}/pictures/1?size=400",
            "/runs/..%2f..%2fetc/pictures/1?size=400",
        ):
            assert dashboard.get(path).status_code == 404
        assert dashboard.post(at(folder), {}).status_code == 405


def test_a_missing_picture_is_a_drawing_with_the_reason_and_is_not_kept(home: Path) -> None:
    """In the shape of what it stands for."""
    folder = run_of(home, [judged(1, image="/nowhere/gone.jpg"), outcome(2, Status.ERROR, image="")])
    with served(home) as dashboard:
        answer = dashboard.get(at(folder))
        assert "/nowhere/gone.jpg cannot be read: No such file" in words(answer)
        assert answer.headers["cache-control"] == "no-store"
        assert 'width="200" height="300"' in answer.text
        assert 'width="360" height="72"' in dashboard.get(at(folder, "zone=red")).text
        assert words(dashboard.get(at(folder, row=2))) == "not there"


def test_a_picture_that_is_not_the_judged_one_says_so_and_is_not_kept(home: Path) -> None:
    """The file was written anew since."""
    folder = one_picture(home)
    poster_file(home.parent, "poster", (300, 500))
    sha256 = judged(1, image=home.parent / "poster.png").image_sha256
    assert sha256 is not None
    with served(home) as dashboard:
        answer = dashboard.get(at(folder, f"size=400&v={sha256[:12]}"))
        assert words(answer) == "changed since the run"
        assert answer.headers["cache-control"] == "private, no-cache"
        assert 'viewBox="0 0 300 500"' in answer.text


def test_a_picture_that_hangs_holds_up_no_page_and_is_there_for_the_next_who_asks(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer comes soon and says so; the fetch goes on."""
    poster = poster_file(make(home), "poster")
    monkeypatch.setattr("redzone.web.pages.images.PATIENCE_S", 0.05)
    with slow_server(poster.read_bytes()) as (address, go):
        folder = run_of(home, [judged(1, image=address)], settings={"allow_private_hosts": True})
        with served(home) as dashboard:
            answer = dashboard.get(at(folder))
            assert "still being downloaded" in words(answer)
            assert answer.headers["cache-control"] == "no-store"
            go.set()
            monkeypatch.setattr("redzone.web.pages.images.PATIENCE_S", 10.0)
            assert opened(dashboard.get(at(folder))).size == (400, 600)


def test_private_addresses_stay_closed_to_a_run_that_was_not_allowed_them(
    home: Path, dashboard: Served
) -> None:
    """Looking at a page sends nothing into the network of whoever looks."""
    folder = run_of(home, [judged(1, image=f"{dashboard.origin}/static/icon.svg")], id="20261003-150000-abcd")
    assert "which is not a public" in words(dashboard.get(at(folder)))


@pytest.mark.parametrize("reason", [*HOSTILE, "", "\uffff\ufffe", "x" * 5000, "a\n\tb"])
def test_a_reason_is_text_whatever_it_holds(reason: str) -> None:
    """The drawing stays whole and says no more than fits."""
    for size in ((200, 300), (360, 72)):
        assert len(words(missing_svg(reason, *size))) < 220
    assert "<script" not in missing_svg(reason).decode()


@pytest.mark.parametrize("size", [(400, 600), (16, 16), (1000, 100)])
def test_the_ribbon_leaves_most_of_the_picture(size: tuple[int, int]) -> None:
    """At most a quarter of its height."""
    drawing = ET.fromstring(changed_svg(b"jpeg", *size))  # noqa: S314
    ribbon = drawing.find(f"{SVG}rect")
    assert ribbon is not None
    assert 0 < float(ribbon.attrib["height"]) <= size[1] / 4
    assert float(ribbon.attrib["y"]) + float(ribbon.attrib["height"]) == pytest.approx(size[1])
