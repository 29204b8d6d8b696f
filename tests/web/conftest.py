"""A home with runs, a served dashboard, and a browser for the tests that need one.

Browser tests share one browser and so one event loop: they carry
`pytestmark = pytest.mark.asyncio(loop_scope="session")`.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from tests.web.browsing import CHROMIUM, QUIET, Witness
from tests.web.homes import one_of_each, write_run
from tests.web.serving import Served, served

Serve = Callable[..., Served]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home."""
    return tmp_path / "home"


@pytest.fixture
def serve() -> Iterator[Serve]:
    """`serve(home)` serves a home until the test is over; `more=` takes routes of the test's own."""
    with ExitStack() as stack:
        yield lambda home, **options: stack.enter_context(served(home, **options))


@pytest.fixture
def dashboard(home: Path, serve: Serve) -> Served:
    """The dashboard of that home, with one finished run in it."""
    write_run(home, 1, one_of_each())
    return serve(home)


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the server puts what is temporary."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """Debian's browser. Where it is missing, its tests are skipped here and fail in the pipeline."""
    if not Path(CHROMIUM).exists():
        reason = f"{CHROMIUM} is not there: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return CHROMIUM


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """One browser for all tests together."""
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(executable_path=chromium, args=list(QUIET))
        yield found
        await found.close()


@pytest_asyncio.fixture(loop_scope="session")
async def witness() -> AsyncIterator[Witness]:
    """Sees what goes wrong in the test's pages, and fails the test for it."""
    found = Witness()
    yield found
    found.assert_clean()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, witness: Witness, serve: Serve) -> AsyncIterator[Page]:
    """A page of a fresh profile, 1280 px wide; what goes wrong in it fails the test. It closes before what
    `serve` has started ends."""
    del serve
    context = await browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    context.set_default_timeout(5000)
    witness.watch(context)
    yield await context.new_page()
    await context.close()
