"""app.js on pages of the test's own: parts swapped in, streams followed, keys pressed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from html import escape
from pathlib import Path

import pytest
from playwright.async_api import Page, expect
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from tests.web.browsing import Witness
from tests.web.conftest import Serve
from tests.web.serving import Served, served

pytestmark = pytest.mark.asyncio(loop_scope="session")


def html(body: str, title: str = "test") -> Response:
    return HTMLResponse(
        f'<!doctype html><html lang="en"><title>{title}</title><script type="module" src="/static/app.js">'
        f'</script><main id="main" tabindex="-1">{body}</main><div id="toasts" role="status"></div></html>'
    )


def page_at(path: str, body: Callable[[Request], str]) -> BaseRoute:
    async def show(request: Request) -> Response:
        return html(body(request), path)

    return Route(path, show)


def filters(request: Request) -> str:
    """A form beside its results; the answer to `slow` is late."""
    text = escape(request.query_params.get("text", ""))
    status = escape(request.query_params.get("status", ""))
    return f"""
    <form data-swap="#found" action="/filter"><input type="search" name="text" value="{text}" data-key="/">
    <input type="hidden" name="none" value=""><select name="status"><option value="">all<option>fail</select>
    </form>
    <section id="found">found {text} {status}<a id="more" href="/filter?text=more" data-swap="#found">more</a>
    </section>"""


async def test_a_filter_form_sends_itself_and_only_its_results_change(
    page: Page, home: Path, serve: Serve
) -> None:
    """A letter is no step to go back to, a choice is one."""
    dashboard = serve(home, more=[page_at("/filter", filters)])
    await page.goto(dashboard.url("/filter"))
    field = page.get_by_role("searchbox")
    await page.keyboard.press("/")
    await expect(field).to_be_focused()
    await field.press_sequentially("abc")
    await expect(page.locator("#found")).to_contain_text("found abc")
    await expect(field).to_be_focused()
    assert page.url == dashboard.url("/filter?text=abc")
    await page.get_by_role("combobox").select_option("fail")
    await expect(page.locator("#found")).to_contain_text("abc fail")
    assert page.url == dashboard.url("/filter?text=abc&status=fail")
    await page.go_back()
    await expect(page.locator("#found")).not_to_contain_text("fail")


async def test_the_answer_that_was_asked_for_last_is_shown(page: Page, home: Path, serve: Serve) -> None:
    """However late an older one comes."""
    wait = asyncio.Event()

    async def show(request: Request) -> Response:
        which = request.query_params.get("n", "0")
        if which == "1":
            await wait.wait()
        links = "".join(f'<a href="/n?n={n}" data-swap="#found">to {n}</a>' for n in (1, 2))
        return html(f'{links}<p id="found">this is {which}</p>')

    dashboard = serve(home, more=[Route("/n", show)])
    await page.goto(dashboard.url("/n"))
    await page.get_by_text("to 1").click()
    await page.get_by_text("to 2").click()
    await expect(page.locator("#found")).to_have_text("this is 2")
    assert page.url == dashboard.url("/n?n=2")


async def test_a_form_that_writes_follows_to_where_its_answer_leads(
    page: Page, home: Path, serve: Serve
) -> None:
    """A key presses its button, the button's value goes along, what was said is shown for a moment."""
    got: list[tuple[str, str]] = []

    async def judge(request: Request) -> Response:
        form = await request.form()
        got.extend((name, str(value)) for name, value in form.multi_items())
        return RedirectResponse("/poster?row=2", 303)

    def poster(request: Request) -> str:
        row = request.query_params.get("row", "1")
        said = f'<p data-toast="pass">saved before {row}</p>' if row != "1" else ""
        return f"""<form method="post" action="/judge" data-swap="#main"><h1>row {row}</h1>
        <input name="note" value="why"><button name="status" value="fail" data-key="f">Fail</button></form>
        {said}"""

    routes = [page_at("/poster", poster), Route("/judge", judge, methods=["POST"])]
    dashboard = serve(home, more=routes)
    await page.goto(dashboard.url("/poster"))
    await page.keyboard.press("f")
    await expect(page.get_by_role("heading")).to_have_text("row 2")
    await expect(page.get_by_role("status")).to_have_text("saved before 2")
    assert got == [("note", "why"), ("status", "fail")]
    assert page.url == dashboard.url("/poster?row=2")


async def test_a_key_of_another_alphabet_is_the_letter_in_its_place(
    page: Page, home: Path, serve: Serve
) -> None:
    """Where P is the Cyrillic Ze."""
    body = '<a data-key="p" href="/keys?pressed">pass</a>'
    dashboard = serve(home, more=[page_at("/keys", lambda _: body)])
    await page.goto(dashboard.url("/keys"))
    press = """() => document.body.dispatchEvent(
        new KeyboardEvent("keydown", {key: "\\u0437", code: "KeyP", bubbles: true}))"""
    await page.evaluate(press)
    await page.wait_for_url(dashboard.url("/keys?pressed"))


async def test_no_key_works_while_somebody_types_or_holds_control(
    page: Page, home: Path, serve: Serve
) -> None:
    """Escape leaves the field."""

    def body(request: Request) -> str:
        return '<input id="text"><a data-key="j ArrowDown" href="/keys?pressed">next</a>'

    dashboard = serve(home, more=[page_at("/keys", body)])
    await page.goto(dashboard.url("/keys"))
    await page.locator("#text").press("j")
    await page.keyboard.press("Escape")
    await expect(page.locator("#text")).not_to_be_focused()
    await expect(page.locator("#text")).to_have_value("j")
    await page.keyboard.press("Alt+j")
    assert page.url == dashboard.url("/keys")
    await page.keyboard.press("ArrowDown")
    await page.wait_for_url(dashboard.url("/keys?pressed"))


async def test_what_the_server_refuses_is_said_and_the_page_stays(
    page: Page, witness: Witness, home: Path
) -> None:
    """In the words of the error page; no answer at all is said, too."""
    witness.allowed = ("error: Failed to load resource",)
    body = '<p id="found">as it was</p><a href="/no/such/page" data-swap="#found">lead astray</a>'
    with served(home, more=[page_at("/astray", lambda _: body)]) as dashboard:
        await page.goto(dashboard.url("/astray"))
        await page.get_by_text("lead astray").click()
        await expect(page.get_by_role("status")).to_contain_text("There is no such page")
        await expect(page.locator("#found")).to_have_text("as it was")
        assert page.url == dashboard.url("/astray")
    await page.get_by_text("lead astray").click()
    await expect(page.get_by_role("status")).to_contain_text("is not responding")


async def test_a_question_that_is_denied_sends_nothing(page: Page, home: Path, serve: Serve) -> None:
    """And one that is answered yes does."""
    stopped: list[str] = []

    async def stop(request: Request) -> Response:
        stopped.append(request.url.path)
        return RedirectResponse("/ask", 303)

    form = '<form method="post" action="/stop" data-swap="#main" data-confirm="Stop?">'
    body = f"{form}<button>stop</button></form>"
    routes = [page_at("/ask", lambda _: body), Route("/stop", stop, methods=["POST"])]
    dashboard = serve(home, more=routes)
    await page.goto(dashboard.url("/ask"))
    page.once("dialog", lambda dialog: dialog.dismiss())
    await page.get_by_role("button").click()
    assert stopped == []
    page.once("dialog", lambda dialog: dialog.accept())
    async with page.expect_response("**/stop"):
        await page.get_by_role("button").click()
    assert stopped == ["/stop"]


async def test_what_is_being_typed_survives_what_arrives(page: Page, home: Path, serve: Serve) -> None:
    """Focus, text and cursor stay, and so does what was unfolded."""
    go = asyncio.Event()
    loop = asyncio.get_running_loop()

    def part(number: int) -> str:
        return (
            f'<div id="part"><b>{number}</b><input name="note" value="old">'
            '<details id="more"><summary>more</summary>inside</details></div>'
        )

    async def stream(_: Request) -> Response:
        async def events() -> AsyncIterator[ServerSentEvent]:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(go.wait(), loop))
            yield ServerSentEvent(part(2))
            yield ServerSentEvent("", event="end")

        return EventSourceResponse(events())

    routes = [page_at("/live", lambda _: f'<div data-stream="/s">{part(1)}</div>'), Route("/s", stream)]
    dashboard = serve(home, more=routes)
    await page.goto(dashboard.url("/live"))
    await page.get_by_text("more").click()
    field = page.get_by_role("textbox")
    await field.fill("new words")
    await field.press("Home")
    go.set()
    await expect(page.locator("b")).to_have_text("2")
    await expect(page.get_by_text("inside")).to_be_visible()
    await page.keyboard.type("some ")
    await expect(field).to_have_value("some new words")


async def test_a_stream_is_closed_while_the_tab_is_hidden_and_comes_back(
    page: Page, home: Path, serve: Serve
) -> None:
    """Six tabs must not use up all connections of the browser."""
    opened: list[str] = []
    closed: list[str] = []

    async def stream(request: Request) -> Response:
        async def events() -> AsyncIterator[ServerSentEvent]:
            opened.append("yes")
            try:
                yield ServerSentEvent(f'<p id="part">stream {len(opened)}</p>')
                await asyncio.Event().wait()
            finally:
                closed.append("yes")

        return EventSourceResponse(events())

    routes = [
        page_at("/live", lambda _: '<div data-stream="/s"><p id="part">none</p></div>'),
        Route("/s", stream),
    ]
    turn = """state => {
        Object.defineProperty(document, "visibilityState", {value: state, configurable: true});
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    dashboard = serve(home, more=routes)
    await page.goto(dashboard.url("/live"))
    await expect(page.locator("#part")).to_have_text("stream 1")
    await page.evaluate(turn, "hidden")
    await until(lambda: len(closed) == 1)
    await page.evaluate(turn, "visible")
    await expect(page.locator("#part")).to_have_text("stream 2")
    await page.goto("about:blank")
    await until(lambda: len(closed) == 2)


async def until(happened: Callable[[], bool]) -> None:
    """Wait for something in another thread."""
    async with asyncio.timeout(5):
        while not happened():  # noqa: ASYNC110  it happens in another thread's loop
            await asyncio.sleep(0.01)


async def test_a_stream_that_breaks_is_taken_up_again(
    page: Page, witness: Witness, home: Path, serve: Serve
) -> None:
    """And the page says so meanwhile."""
    opened: list[str] = []

    async def stream(_: Request) -> Response:
        async def events() -> AsyncIterator[ServerSentEvent]:
            opened.append("yes")
            yield ServerSentEvent(f'<p id="part">stream {len(opened)}</p>')
            if len(opened) > 1:
                yield ServerSentEvent("", event="end")

        return EventSourceResponse(events())

    routes = [
        page_at("/live", lambda _: '<div data-stream="/s"><p id="part">none</p></div>'),
        Route("/s", stream),
    ]
    dashboard = serve(home, more=routes)
    await page.goto(dashboard.url("/live"))
    await expect(page.locator("html[data-lost]")).to_have_count(1)
    await expect(page.locator("#part")).to_have_text("stream 2")
    await expect(page.locator("html[data-lost]")).to_have_count(0)
    assert len(opened) == 2


async def test_a_click_copies_a_command(page: Page, dashboard: Served, home: Path, serve: Serve) -> None:
    """And says that it did."""
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    body = '<button data-copy="redzone resume 2026">copy</button>'
    other = serve(home, more=[page_at("/copy", lambda _: body)])
    await page.goto(other.url("/copy"))
    await page.get_by_role("button").click()
    await expect(page.get_by_role("status")).to_have_text("Copied")
    assert await page.evaluate("navigator.clipboard.readText()") == "redzone resume 2026"
