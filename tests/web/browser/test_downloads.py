"""The menu in a real browser: a click saves a file, by mouse and by key, with and without the script."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from playwright.async_api import Browser, Download, Page, expect

from redzone.models import Status
from redzone.runs import RunFolder
from tests.web.browsing import Witness, no_sideways_scroll
from tests.web.conftest import Serve
from tests.web.lists import listed_run
from tests.web.posters import HOSTILE, judged, poster_file

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]
SLOW_MS = 50_000  # a process that starts on a busy machine


@pytest.fixture
def run(home: Path) -> RunFolder:
    """Hostile titles; the odd rows fail."""
    home.parent.mkdir(parents=True, exist_ok=True)
    picture = poster_file(home.parent, "poster")
    outcomes = [
        judged(row, Status.FAIL if row % 2 else Status.PASS, image=picture, title=title, group=f"={title}")
        for row, title in enumerate(HOSTILE, 1)
    ]
    return listed_run(home, outcomes, label=HOSTILE[0])


async def saved(download: Download, folder: Path) -> tuple[str, str]:
    """The name that the browser suggests, and what is in the file."""
    path = folder / "saved"
    await download.save_as(path)
    return download.suggested_filename, path.read_text(encoding="utf-8")


async def test_a_click_saves_what_is_listed_after_the_filter_has_changed(
    page: Page, serve: Serve, home: Path, run: RunFolder, tmp_path: Path
) -> None:
    """The menu is of the list that stands beside it, and closes when it has done its work."""
    await page.goto(serve(home).url(f"/runs/{run.id}"))
    await page.get_by_role("checkbox", name="fail").check()
    await expect(page.get_by_text("3 of 6 posters")).to_be_visible()
    await page.get_by_text("Export").click()
    async with page.expect_download(timeout=SLOW_MS) as coming:
        await page.get_by_role("link", name="CSV").click()
    name, text = await saved(await coming.value, tmp_path)
    assert name == f"{run.id}-script-document-title-owned-script-filtered.csv"
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["id"] for row in rows] == ["0001", "0003", "0005"]
    assert all(row["group"].startswith("'=") for row in rows)
    await expect(page.get_by_text("Preparing the CSV file")).to_be_visible()
    await expect(page.get_by_role("link", name="CSV")).to_be_hidden()
    assert await page.title() != "owned"


async def test_the_menu_is_used_by_keys_alone(
    page: Page, serve: Serve, home: Path, run: RunFolder, tmp_path: Path
) -> None:
    """T opens it, Tab goes through it, Enter takes, Escape closes and leaves the focus where it was."""
    await page.goto(serve(home).url(f"/runs/{run.id}"))
    for key in ("t", "Tab", "Tab"):
        await page.keyboard.press(key)
    await expect(page.get_by_role("link", name="JSON one array")).to_be_focused()
    async with page.expect_download(timeout=SLOW_MS) as coming:
        await page.keyboard.press("Enter")
    name, text = await saved(await coming.value, tmp_path)
    assert name.endswith("-script.json")
    assert text.startswith("[")
    await page.keyboard.press("t")
    await expect(page.get_by_role("link", name="CSV")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("link", name="CSV")).to_be_hidden()
    await expect(page.locator("#take-away summary")).to_be_focused()


@pytest.mark.parametrize("width", [1280, 360])
async def test_the_open_menu_lies_in_the_window(
    page: Page, serve: Serve, home: Path, run: RunFolder, width: int
) -> None:
    """On a phone, too; a click beside it closes it."""
    await page.set_viewport_size({"width": width, "height": 800})
    await page.goto(serve(home).url(f"/runs/{run.id}"))
    await page.get_by_text("Export").click()
    box = await page.locator(".menu-body").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert await no_sideways_scroll(page)
    await page.get_by_role("heading", level=1).click()
    await expect(page.locator(".menu-body")).to_be_hidden()


async def test_without_a_script_it_is_a_list_of_links(
    browser: Browser, witness: Witness, serve: Serve, home: Path, run: RunFolder, tmp_path: Path
) -> None:
    """A report with hostile titles, that does nothing when it is opened."""
    origin = serve(home)
    context = await browser.new_context(java_script_enabled=False)
    context.set_default_timeout(5000)
    witness.watch(context)
    page = await context.new_page()
    await page.goto(origin.url(f"/runs/{run.id}?status=fail"))
    await page.get_by_text("Export").click()
    async with page.expect_download(timeout=SLOW_MS) as coming:
        await page.get_by_role("link", name="Page HTML").click()
    name, text = await saved(await coming.value, tmp_path)
    assert name.endswith("-script-filtered.html")
    await context.close()
    opened = await browser.new_context(offline=True)
    witness.watch(opened)
    report = await opened.new_page()
    await report.set_content(text)
    assert await report.title() != "owned"
    await expect(report.get_by_role("heading", level=3)).to_have_count(3)
    await opened.close()
