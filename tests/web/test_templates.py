"""Pages as they are sent: errors in the design, strange text shown as text, nothing that blocks the loop."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import httpx2
import pytest
from blockbuster import blockbuster_ctx
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from redzone.errors import RunNotFound
from redzone.runs import RecordedState, RunInputs
from redzone.web.app import create_app
from redzone.web.live_stream import stream_parts
from redzone.web.services.state import app_state
from redzone.web.templates import render_part
from redzone.web.views.pagination import Pager
from tests.web.homes import now, one_of_each, write_run
from tests.web.serving import Served, served

HOSTILE = "<script>alert(1)</script>\x1b[31mred\x1b[0m\u202e../../etc/passwd & \"quoted\" 'too'"
PATHS = ("/", "/?page=2", "/healthz", "/metrics", "/nowhere", "/static/app.css", "/favicon.ico")


class Inline(HTMLParser):
    """Collects what a strict policy would not run: styles, handlers and scripts within a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        self.found += [f"{tag} {name}" for name in names if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in names):
            self.found.append(tag)


def test_pages_hold_no_inline_script_or_style(dashboard: Served) -> None:
    """The policy would stop them; they are not there in the first place."""
    for path in ("/", "/nowhere"):
        parser = Inline()
        parser.feed(dashboard.get(path).text)
        assert parser.found == []


def test_strange_text_is_shown_as_text(home: Path) -> None:
    """In labels, names of files and reasons: no element, no terminal escape, no turned-around line."""
    write_run(
        home,
        1,
        one_of_each(),
        label=HOSTILE,
        reason=HOSTILE,
        state=RecordedState.STOPPED,
        model=HOSTILE,
        inputs=RunInputs(paths=(f"/lists/{HOSTILE}", "")),
    )
    with served(home) as dashboard:
        text = dashboard.get("/").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;red../../etc/passwd &amp; &#34;quoted&#34;" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/runs/",
        "/runs/../../etc/passwd",
        "/static/..%2fapp.py",
        "/static/",
        "/%00",
        "/static/%2e",
    ],
)
def test_what_is_not_there_is_a_page_that_says_so(dashboard: Served, path: str) -> None:
    """With the way back to the runs."""
    answer = dashboard.get(path)
    assert answer.status_code == 404
    assert 'href="/"' in answer.text
    assert "There is no such page" in answer.text


def test_a_fault_of_ours_is_a_page_that_tells_nothing_of_the_inside(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It has the headers of every page; the log has the rest."""

    async def crash(_: Request) -> Response:
        raise ZeroDivisionError("a secret of the inside")

    with served(home, more=[Route("/crash", crash)]) as dashboard:
        answer = dashboard.get("/crash")
    assert answer.status_code == 500
    assert "Internal error" in answer.text
    assert "secret" not in answer.text
    assert answer.headers["x-frame-options"] == "DENY"
    assert "a secret of the inside" in caplog.text


def test_a_run_that_is_gone_is_not_found_and_an_unreadable_one_is_a_bad_request(home: Path) -> None:
    """Each in its own words."""

    async def show(request: Request) -> Response:
        app_state(request).folder(request.path_params["run_id"]).read()
        raise AssertionError("there is no such run")

    folder = write_run(home, 1, one_of_each())
    folder.record_path.write_text('{"schema": 99}')
    with served(home, more=[Route("/look/{run_id:run}", show)]) as dashboard:
        gone = dashboard.get("/look/20261003-000000-zzzz")
        unreadable = dashboard.get(f"/look/{folder.id}")
        assert dashboard.get("/look/..%2f..").status_code == 404
        assert dashboard.get("/look/20261003-000000-ilou").status_code == 404
    assert (gone.status_code, "there is no run 20261003-000000-zzzz" in gone.text) == (404, True)
    assert (unreadable.status_code, "its schema is 99" in unreadable.text) == (400, True)


def test_assets_may_be_kept_for_ever_under_the_name_of_their_content(dashboard: Served) -> None:
    """And are asked for again under any other."""
    page = dashboard.get("/").text
    found = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert {path.partition("?")[0] for path in found} == {
        "/static/icon.svg",
        "/static/charts.css",
        "/static/app.css",
        "/static/app.js",
    }
    for path in found:
        answer = dashboard.get(path)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    old = dashboard.get("/static/app.css?v=0123456789ab")
    assert (old.headers["cache-control"], old.headers["content-type"]) == (
        "no-cache",
        "text/css; charset=utf-8",
    )


async def test_no_page_blocks_the_event_loop(home: Path) -> None:
    """Files are read in threads, templates and assets before the first request."""
    for number in range(60):
        write_run(home, number, one_of_each(), said=now())
    transport = httpx2.ASGITransport(create_app(home), client=("127.0.0.1", 1))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        with blockbuster_ctx(scanned_modules="redzone"):
            statuses = [(await client.get(path)).status_code for path in PATHS]
    assert statuses == [200, 200, 200, 200, 404, 200, 200]


@pytest.mark.parametrize(
    ("number", "pages", "offered"),
    [
        (1, 1, [1]),
        (1, 3, [1, 2, 3]),
        (1, 20, [1, 2, 3, None, 20]),
        (10, 20, [1, None, 8, 9, 10, 11, 12, None, 20]),
        (4, 20, [1, 2, 3, 4, 5, 6, None, 20]),
        (20, 20, [1, None, 18, 19, 20]),
        (99, 20, [1, None, 18, 19, 20]),
    ],
)
def test_a_pager_offers_the_ends_and_the_neighbours(
    number: int, pages: int, offered: list[int | None]
) -> None:
    """A single page that would be left out is offered instead of the gap."""
    pager = Pager(number, 10, pages * 10 - 3, "/list", (("text", "a&b"),))
    assert pager.numbers == offered
    assert (pager.href(1), pager.href(3)) == ("/list?text=a%26b", "/list?text=a%26b&page=3")
    assert (pager.start, pager.stop) == ((pager.number - 1) * 10, min(pager.number * 10, pages * 10 - 3))


def test_a_page_number_that_makes_no_sense_is_the_first(dashboard: Served) -> None:
    """Or the last one, where it is too large."""
    for number in ("0", "-1", "x", "", "9" * 5000, "1e3", "٣", "2147483648"):
        assert dashboard.get(f"/?page={number}").status_code == 200


def test_a_template_that_is_not_told_everything_is_an_error() -> None:
    """Nothing is left blank by mistake."""
    with pytest.raises(Exception, match="'reason' is undefined"):
        render_part("error.html", request=None, theme="", status=404, title="Not Found")


def test_a_stream_ends_for_good_where_there_is_nothing_to_follow(home: Path) -> None:
    """A browser that only lost the connection would come back for ever."""
    write_run(home, 1, one_of_each())

    def gone() -> dict[str, str]:
        raise RunNotFound("removed meanwhile")

    async def follow(request: Request) -> Response:
        return stream_parts(request, gone)

    with (
        served(home, more=[Route("/gone", follow)]) as dashboard,
        httpx2.stream("GET", dashboard.url("/gone"), trust_env=False) as answer,
    ):
        assert answer.read().split() == [b"event:", b"end", b"data:"]
