"""The analytics as people use them: another time, other runs, and on to a poster."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from redzone.models import Status
from redzone.runs import RunFolder
from redzone.web.services.totals_cache import RunTotals
from tests.web.browsing import no_sideways_scroll
from tests.web.homes import write_run
from tests.web.posters import RED, judged, poster_file
from tests.web.serving import served

pytestmark = pytest.mark.asyncio(loop_scope="session")

DAY = 24 * 60


def _two_runs(home: Path) -> tuple[RunFolder, RunFolder]:
    """Of the same posters, which are files; one of them fails since."""
    home.parent.mkdir(exist_ok=True)
    pictures = [poster_file(home.parent, f"p{number}") for number in range(4)]
    statuses = ([Status.PASS] * 4, [Status.PASS, Status.FAIL, Status.PASS, Status.UNSURE])
    one, other = (
        write_run(
            home,
            day * DAY,
            [judged(row, status, image=pictures[row - 1]) for row, status in enumerate(said, 1)],
            zones=(RED,),
            label=f"day {day}",
        )
        for day, said in enumerate(statuses)
    )
    for folder in (one, other):
        RunTotals.read(folder)  # the page waits a second for a run that nobody has looked at
    return one, other


async def test_another_time_and_other_runs_are_looked_at_without_a_reload(page: Page, home: Path) -> None:
    """The address says what is looked at; `x` is the way back to everything."""
    one, other = _two_runs(home)
    with served(home) as dashboard:
        await page.goto(dashboard.url("/analytics"))
        await page.evaluate("document.body.dataset.same = 'yes'")
        analysed = page.locator(".tile").first
        await expect(analysed).to_contain_text("8")
        await page.get_by_label("Started from").fill("2026-10-04")
        await expect(analysed).to_contain_text("in 1 run")
        assert page.url == dashboard.url("/analytics?since=2026-10-04")
        await page.get_by_text("1 run: all").click()
        await page.get_by_role("checkbox", name="day 1").check()
        await expect(page).to_have_url(dashboard.url(f"/analytics?since=2026-10-04&run={other.id}"))
        await expect(page.get_by_role("checkbox", name="day 1")).to_be_visible()
        await page.keyboard.press("Escape")
        await page.get_by_role("heading", name="Analytics").click()
        await page.get_by_role("link", name="Clear").click()
        await expect(analysed).to_contain_text("in 2 runs")
        await expect(page.locator("body")).to_have_attribute("data-same", "yes")
        await page.get_by_label("from", exact=True).select_option(one.id)
        await expect(page.locator("#changes")).to_contain_text("1 newly failing")


async def test_what_changed_shows_the_zone_and_leads_to_the_poster(page: Page, home: Path) -> None:
    """The zone as it was judged, and a click to the poster's page."""
    _, other = _two_runs(home)
    with served(home) as dashboard:
        await page.goto(dashboard.url("/analytics"))
        changed = page.locator(".changed").first.get_by_role("listitem")
        await expect(changed).to_contain_text("Poster 2")
        await changed.scroll_into_view_if_needed()
        picture = changed.locator("img")
        await expect(picture).to_have_js_property("complete", value=True)
        assert await picture.evaluate("image => image.naturalWidth") > 100
        await changed.get_by_role("link", name="Poster 2").click()
        await expect(page).to_have_url(dashboard.url(f"/runs/{other.id}/posters/2"))


async def test_the_page_reads_and_filters_without_a_script(browser: Browser, home: Path) -> None:
    """A form with a button."""
    _two_runs(home)
    with served(home) as dashboard:
        context = await browser.new_context(java_script_enabled=False)
        page = await context.new_page()
        await page.goto(dashboard.url("/analytics"))
        await page.get_by_label("Started from").fill("2026-10-04")
        await page.get_by_role("button", name="Apply").click()
        await expect(page.locator(".tile").first).to_contain_text("in 1 run")
        await context.close()


@pytest.mark.parametrize("width", [360, 640, 900, 1280])
async def test_the_page_fits_its_window(page: Page, home: Path, width: int) -> None:
    """With long names of groups and lists, too."""
    long = "a very long name of a group or a list " * 3
    found = [judged(row, status, group=long) for row, status in enumerate(Status, 1)]
    for number in (1, 2):
        write_run(home, number, found[number - 1 :], zones=(RED,), label=long)
    await page.set_viewport_size({"width": width, "height": 700})
    with served(home) as dashboard:
        await page.goto(dashboard.url("/analytics"))
        await expect(page.locator(".tile").first).to_contain_text("7")
        assert await no_sideways_scroll(page)
