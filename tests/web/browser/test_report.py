"""The page that is mailed, in a real browser: its policy lets it be seen, its zones are where they belong."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from redzone.models import Status
from redzone.reports import Format, Report, TableLayout, write_results
from tests.reports.samples import FACTS, judged, pictured
from tests.web.browsing import no_sideways_scroll

# left, top, width and height on the screen, without the stroke
PLACE = """element => {
  const box = element.getBBox(), on = element.getScreenCTM();
  return [on.e + box.x * on.a, on.f + box.y * on.d, box.width * on.a, box.height * on.d];
}"""

pytestmark = pytest.mark.asyncio(loop_scope="session")


def report(folder: Path) -> str:
    """A page with posters of every status."""
    path = folder / "report.html"
    found = [judged(row, status, group=f"g{row % 2}") for row, status in enumerate([*Status, *Status], 1)]
    write_results(path, Format.HTML, found, TableLayout((), ("red",)), Report(FACTS, pictured))
    return path.read_text(encoding="utf-8")


async def test_the_zone_covers_its_part_of_the_picture(page: Page, tmp_path: Path) -> None:
    """In every card, at any width of the window."""
    await page.set_content(report(tmp_path))
    for window in (1280, 360):
        await page.set_viewport_size({"width": window, "height": 800})
        assert await no_sideways_scroll(page)
        for shot in await page.locator("svg.shot").all():
            await shot.scroll_into_view_if_needed()
            x, y, width, height = await shot.locator("image").evaluate(PLACE)
            assert width > 100
            assert await shot.locator(".zone:not(.under)").evaluate(PLACE) == pytest.approx(
                [x, y, 0.6 * width, 0.1 * height], abs=0.01
            )


async def test_it_is_styled_in_both_themes_and_without_a_script(browser: Browser, tmp_path: Path) -> None:
    """The hash in its policy fits its style."""
    grounds = set()
    for theme in ("light", "dark"):
        context = await browser.new_context(java_script_enabled=False, color_scheme=theme)
        page = await context.new_page()
        await page.set_content(report(tmp_path))
        grounds.add(await page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert await page.locator(".chart-fit .chart:visible").count() == 4
        await context.close()
    assert len(grounds) == 2
