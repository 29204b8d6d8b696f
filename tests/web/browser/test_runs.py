"""The list of runs as people see it: it moves, follows links without loading, and works without a script."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from redzone.bench.simulator.server import SimulatorOptions
from tests.command import start
from tests.simulated import poster_list, simulated
from tests.web.browsing import Witness, no_sideways_scroll
from tests.web.conftest import Serve
from tests.web.homes import begin_work, now, one_of_each, say, write_run
from tests.web.serving import Served, served

NOT_FOUND = "error: Failed to load resource: the server responded with a status of 404"

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_live_run_moves_and_a_new_one_appears(page: Page, home: Path, serve: Serve) -> None:
    """Without a reload, and what is read stays where it is."""
    live = begin_work(write_run(home, 1, rows=1000))
    say(live, now(done=300, passed=300, failed=0, unsure=0, errors=0))
    dashboard = serve(home)
    await page.goto(dashboard.url("/"))
    row = page.locator(f"#run-{live.id}")
    await expect(row).to_contain_text("live")
    await expect(row).to_contain_text("300")
    say(live, now(done=417, passed=300, failed=117, unsure=0, errors=0))
    await expect(row).to_contain_text("117")
    newer = write_run(home, 2, one_of_each())
    await expect(page.locator("tbody tr").first).to_have_id(f"run-{newer.id}")
    await expect(page.locator("#tiles")).to_contain_text("2")


async def test_a_run_of_another_process_is_followed_to_its_end(
    page: Page, home: Path, tmp_path: Path, serve: Serve
) -> None:
    """From the empty list on, against a real model server."""
    dashboard = serve(home)
    await page.goto(dashboard.url("/"))
    await expect(page.get_by_text("No runs yet")).to_be_visible()
    options = ("--allow-private-hosts", "--workers", "4", "--no-cache", "--name", "followed")
    with simulated(SimulatorOptions(poster_size=(60, 90), latency_s=0.2)) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 40)
        base = ("--home", home, "--base-url", simulator.base_url)
        process = start("analyze", posters, *base, *options, cwd=tmp_path, OPENAI_API_KEY="sk-simulated")
        try:
            row = page.get_by_role("row").filter(has_text="followed")
            await expect(row).to_contain_text("live", timeout=20_000)
            await expect(row).to_contain_text("pending")
            await expect(row).to_contain_text("finished", timeout=20_000)
            await expect(row).not_to_contain_text("pending")
        finally:
            process.kill()
            process.communicate()


async def test_pages_of_the_list_are_swapped_in_and_the_way_back_works(
    page: Page, home: Path, serve: Serve
) -> None:
    """The address changes, the document does not."""
    runs = [write_run(home, number, one_of_each()) for number in range(60)]
    dashboard = serve(home)
    await page.goto(dashboard.url("/"))
    await page.evaluate("document.body.dataset.same = 'yes'")
    await expect(page.locator("tbody tr")).to_have_count(50)
    await page.keyboard.press("]")
    await expect(page.locator("tbody tr")).to_have_count(10)
    await expect(page.locator("tbody tr").last).to_have_id(f"run-{runs[0].id}")
    assert page.url == dashboard.url("/?page=2")
    await page.go_back()
    await expect(page.locator("tbody tr")).to_have_count(50)
    assert page.url == dashboard.url("/")
    await expect(page.locator("body")).to_have_attribute("data-same", "yes")


async def test_what_is_followed_is_the_page_that_is_shown(page: Page, home: Path, serve: Serve) -> None:
    """Not the one before, whose stream would put its rows in the place of these."""
    for number in range(60):
        write_run(home, number, one_of_each())
    dashboard = serve(home)
    await page.goto(dashboard.url("/"))
    await page.keyboard.press("]")
    await expect(page.locator("tbody tr")).to_have_count(10)
    write_run(home, 60, one_of_each())
    await expect(page.locator("tbody tr")).to_have_count(11)
    await expect(page.locator("[data-stream]")).to_have_attribute("data-stream", "/runs/stream?page=2")


async def test_the_list_reads_and_pages_without_a_script(browser: Browser, home: Path, serve: Serve) -> None:
    """Links are links."""
    for number in range(60):
        write_run(home, number, one_of_each())
    dashboard = serve(home)
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(dashboard.url("/"))
    await page.get_by_role("link", name="Next").click()
    await expect(page.locator("tbody tr")).to_have_count(10)
    await context.close()


async def test_the_help_lists_the_keys_and_none_works_while_somebody_types(
    page: Page, dashboard: Served
) -> None:
    """`?` opens it, Escape closes it."""
    await page.goto(dashboard.url("/"))
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_contain_text("Runs")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_the_chosen_theme_is_in_the_next_page_from_its_first_byte(
    page: Page, dashboard: Served
) -> None:
    """So nothing flashes."""
    await page.goto(dashboard.url("/"))
    await page.get_by_role("button", name="Theme").click()
    await page.get_by_role("button", name="Theme").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    answer = await page.goto(dashboard.url("/"))
    assert answer is not None
    assert '<html lang="en" data-theme="dark">' in await answer.text()


@pytest.mark.parametrize("width", [360, 820, 1280])
async def test_nothing_is_wider_than_the_window(
    page: Page, witness: Witness, dashboard: Served, width: int
) -> None:
    """On a telephone, too, and not where there is no such page."""
    witness.allowed = (NOT_FOUND,)
    await page.set_viewport_size({"width": width, "height": 700})
    for path in ("/", "/nowhere"):
        await page.goto(dashboard.url(path))
        assert await no_sideways_scroll(page)


async def test_a_dashboard_that_is_gone_is_said_to_be_gone(page: Page, witness: Witness, home: Path) -> None:
    """Figures that no longer move must not look as if they did."""
    witness.allowed = ("error: Failed to load resource",)
    begin_work(write_run(home, 1, rows=1000))
    with served(home) as dashboard:
        await page.goto(dashboard.url("/"))
        await expect(page.get_by_text("No connection")).to_be_hidden()
    await expect(page.get_by_text("No connection")).to_be_visible()
