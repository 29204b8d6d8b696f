"""Who may come in: asked of a real server, by a browser's requests and by those of somebody hostile."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from playwright.async_api import Browser
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from redzone.web.app import MAX_BODY_BYTES
from redzone.web.security import HEADERS, POLICY
from redzone.web.server import OURS
from redzone.web.services.state import WebOptions
from tests.web.browsing import Witness
from tests.web.homes import one_of_each, write_run
from tests.web.serving import SAME_ORIGIN, Served, served

TOKEN = "a-token-that-nobody-guesses"
GUARDED = WebOptions(OURS, token=TOKEN, cookie="redzone_token_1")
CROSS = ("cross-site", "same-site")


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Served]:
    """A dashboard that asks for a token."""
    write_run(tmp_path / "guarded", 1, one_of_each())
    with served(tmp_path / "guarded", GUARDED) as found:
        yield found


def raw(dashboard: Served, *lines: str) -> str:
    """What the server answers to these very lines."""
    place = urlsplit(dashboard.origin)
    with socket.create_connection((str(place.hostname), place.port or 0), timeout=5) as connection:
        connection.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1"))
        found = b""
        while part := connection.recv(65536):
            found += part
    return found.decode("utf-8", "replace")


# ---- names ----


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST:8750", "localhost:1"])
def test_our_own_names_are_let_in(dashboard: Served, host: str) -> None:
    """With any port, for tunnels have theirs."""
    assert dashboard.get("/", Host=host).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8750",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example#localhost",
        "localhost@evil.example",
        "evil.example/localhost",
        "localhost.",
        "192.168.1.7",
        "[::2]",
        "localhost:http",
        "[localhost",
        "0.0.0.0",  # noqa: S104  named, not bound
    ],
)
def test_somebody_elses_name_gets_nothing(dashboard: Served, host: str) -> None:
    """DNS rebinding: a page of evil.example that makes its name point here is still told no."""
    for path in ("/", "/metrics", "/healthz", "/static/app.js", "/nowhere"):
        answer = dashboard.get(path, Host=host)
        assert answer.status_code in (400, 421)
        assert "list 1" not in answer.text


def test_two_host_headers_or_none_are_refused(dashboard: Served) -> None:
    """No reader could agree on which one counts."""
    twice = raw(dashboard, "GET / HTTP/1.1", "Host: localhost", "Host: evil.example")
    assert twice.split()[1] in ("400", "421")
    assert raw(dashboard, "GET / HTTP/1.0").split()[1] == "421"


def test_bound_to_every_address_any_address_is_ours_and_no_strange_name(home: Path) -> None:
    """An address cannot be made to point elsewhere, a name can."""
    with served(home, WebOptions(OURS, any_address=True)) as dashboard:
        assert dashboard.get("/", Host="192.168.1.7:8750").status_code == 200
        assert dashboard.get("/", Host="[fe80::1]").status_code == 200
        assert dashboard.get("/", Host="evil.example").status_code == 421


# ---- other sites ----


@pytest.mark.parametrize("site", CROSS)
def test_another_site_may_link_to_a_page_and_embed_nothing(dashboard: Served, site: str) -> None:
    """So it cannot make the dashboard fetch pictures, nor learn from what loads."""
    linked = dashboard.get("/", Sec_Fetch_Site=site, Sec_Fetch_Mode="navigate", Sec_Fetch_Dest="document")
    assert linked.status_code == 200
    for mode in ("no-cors", "cors", "websocket"):
        assert dashboard.get("/", Sec_Fetch_Site=site, Sec_Fetch_Mode=mode).status_code == 403
    framed = dashboard.get("/", Sec_Fetch_Site=site, Sec_Fetch_Mode="navigate", Sec_Fetch_Dest="iframe")
    assert framed.status_code == 403


def write(dashboard: Served, method: str = "POST", **headers: str) -> int:
    """The status of an attempt to change something; 404 and 405 mean that it came through the door."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.request(method, dashboard.url("/"), headers=named, trust_env=False).status_code


def test_the_dashboards_own_pages_may_write(dashboard: Served) -> None:
    """By the browser's word, or by the origin where it gives none."""
    assert write(dashboard, Sec_Fetch_Site="same-origin") == 405
    assert write(dashboard, Origin=dashboard.origin) == 405
    assert write(dashboard, Sec_Fetch_Site="same-origin", Origin="null") == 405


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"])
def test_nobody_else_may_write(dashboard: Served, method: str) -> None:
    """Not another site, not another port of this machine, not who says nothing."""
    other_port = "http://127.0.0.1:1"
    for headers in (
        {},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "none"},
        {"Sec_Fetch_Site": "cross-site", "Origin": dashboard.origin},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"},
        {"Origin": other_port},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": f"{dashboard.origin}.evil.example"},
        {"Origin": f"file://{urlsplit(dashboard.origin).netloc}"},
        {"Origin": dashboard.origin.replace("http://", "")},
        {"Referer": f"{dashboard.origin}/"},
    ):
        assert write(dashboard, method, **headers) == 403, headers


# ---- the token ----


def test_without_the_token_there_is_a_page_that_says_so_and_nothing_else(guarded: Served) -> None:
    """Its style and the probe are open; they tell nothing."""
    for path in ("/", "/metrics", "/runs/stream", "/nowhere", "/static", "/healthz/", "//healthz"):
        answer = guarded.get(path)
        assert answer.status_code == 401
        assert "?token=" in answer.text
        assert "list 1" not in answer.text
        assert TOKEN not in answer.text
    assert guarded.get("/healthz").status_code == 200
    assert guarded.get("/static/app.css").status_code == 200


def test_the_token_becomes_a_cookie_and_leaves_the_address(guarded: Served) -> None:
    """Out of history, bookmarks and shared screens."""
    answer = guarded.get(f"/?token={TOKEN}&page=2")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?page=2")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{GUARDED.cookie}={TOKEN}; ")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert guarded.get("/", Cookie=f"other=1; {GUARDED.cookie}={TOKEN}").status_code == 200
    assert guarded.get("/metrics", Authorization=f"Bearer {TOKEN}").status_code == 200


@pytest.mark.parametrize("wrong", ["", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "%00", "é", "\x80"])
def test_a_wrong_token_is_no_token(guarded: Served, wrong: str) -> None:
    """However near."""
    query = httpx2.QueryParams({"token": wrong})
    assert guarded.get(f"/?{query}").status_code == 401
    for header in (f"Cookie: {GUARDED.cookie}=", "Authorization: Bearer "):
        assert raw(guarded, "GET / HTTP/1.1", "Host: localhost", header + wrong).split()[1] == "401"
    assert guarded.post(f"/?token={TOKEN}", {}).status_code == 401


@pytest.mark.parametrize(
    "path", ["//evil.example", "/%2F/evil.example", "/%5Cevil.example", "///evil.example"]
)
def test_the_token_never_leads_to_another_host(guarded: Served, path: str) -> None:
    """An address with two slashes in front is one of another machine."""
    answer = raw(guarded, f"GET {path}?token={TOKEN} HTTP/1.1", "Host: localhost")
    assert answer.partition("location: ")[2].split()[0] in ("/evil.example", "/%5Cevil.example")


def test_a_line_break_in_the_address_makes_no_header(guarded: Served) -> None:
    """It stays in the address, in writing."""
    answer = guarded.get(f"/a%0d%0aSet-Cookie:%20x=y?token={TOKEN}&b=%0d%0aX-Evil:%201")
    assert "x-evil" not in answer.headers
    assert answer.headers["location"] == "/a%0D%0ASet-Cookie%3A%20x%3Dy?b=%0D%0AX-Evil%3A+1"


@pytest.mark.asyncio(loop_scope="session")
async def test_the_address_that_was_printed_opens_the_dashboard_in_a_browser(
    browser: Browser, witness: Witness, guarded: Served
) -> None:
    """Typed in, and as a link of another site, from which a redirect would not carry the new cookie."""
    for via_link in (False, True):
        context = await browser.new_context()
        witness.watch(context)
        page = await context.new_page()
        if via_link:
            await page.set_content(f'<a href="{guarded.url("/")}?token={TOKEN}">open</a>')
            await page.get_by_role("link").click()
        else:
            await page.goto(guarded.url(f"/?token={TOKEN}"))
        await page.get_by_role("heading", name="Runs").wait_for()
        assert page.url == guarded.url("/")
        assert await page.evaluate("document.cookie") == ""
        await context.close()


# ---- headers and sizes ----


def test_every_answer_has_the_headers(dashboard: Served, guarded: Served) -> None:
    """Pages, errors, refusals, files and streams; pages are not kept by anybody."""
    answers = [dashboard.get(path) for path in ("/", "/nowhere", "/healthz", "/metrics", "/static/app.css")]
    answers += [dashboard.get("/", Host="evil.example"), guarded.get("/"), guarded.get(f"/?token={TOKEN}")]
    answers.append(dashboard.post("/", {}))
    with httpx2.stream("GET", dashboard.url("/runs/stream"), trust_env=False) as stream:
        answers.append(stream)
    for answer in answers:
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert "no-store" in answer.headers["cache-control"] or "/static/" in str(answer.url)
        assert "server" not in answer.headers
    assert POLICY.startswith("default-src 'none'; ")
    assert "unsafe" not in POLICY


def test_a_body_that_is_too_large_is_refused(home: Path) -> None:
    """By the size that it says, or as soon as more has come."""

    async def read(request: Request) -> Response:
        return PlainTextResponse(str(len(await request.body())))

    fits, large = b"x" * MAX_BODY_BYTES, b"x" * (MAX_BODY_BYTES + 1)
    with served(home, more=[Route("/read", read, methods=["POST"])]) as dashboard:
        for body in (fits, large):
            for sent in (body, iter([body])):
                answer = httpx2.post(
                    dashboard.url("/read"), content=sent, headers=SAME_ORIGIN, trust_env=False
                )
                assert answer.status_code == (200 if body is fits else 413)
