"""The form for a new run in a real browser, from an upload to a run that was stopped and resumed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from redzone.bench.simulator.server import Simulator
from redzone.runs import RunStore
from tests.simulated import poster_list
from tests.web.beginning import served_with_its_runs, slow_model
from tests.web.browsing import Witness, no_sideways_scroll
from tests.web.serving import Served

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]
SLOW_MS = 50_000  # a process that starts on a busy machine


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Simulator]:
    with slow_model(monkeypatch, tmp_path, latency_s=0.5) as running:
        yield running


@pytest.fixture
def dashboard(simulator: Simulator, home: Path) -> Iterator[Served]:
    with served_with_its_runs(home) as found:
        yield found


async def test_a_run_from_upload_to_start_stop_and_resume(
    page: Page, dashboard: Served, simulator: Simulator, home: Path, tmp_path: Path
) -> None:
    """By the page alone. Its witness sees no console error, breach of the CSP or request off the loopback."""
    page.set_default_timeout(SLOW_MS)
    posters = poster_list(tmp_path / "spring.csv", simulator, 60)
    await page.goto(dashboard.url("/"))
    await page.get_by_role("link", name="New run", exact=True).first.click()
    await page.get_by_label("Upload a list").set_input_files(posters)
    await page.get_by_label("icon", exact=True).check()
    await page.get_by_label("Workers", exact=True).fill("2")
    await page.get_by_label("Name shown in the list of runs").fill("Spring & summer")
    await page.get_by_role("button", name="Check and estimate").click()
    takes = page.get_by_label("Estimate")
    await expect(takes).to_contain_text("60", timeout=SLOW_MS)
    await expect(takes).to_contain_text("$0.0")
    await expect(page.get_by_text("spring.csv uploaded")).to_be_visible()
    await expect(page.get_by_label("icon", exact=True)).to_be_checked()

    await takes.get_by_role("button", name="Start the run").click()
    await expect(page).to_have_url(re.compile(r"/runs/[\w-]+$"), timeout=SLOW_MS)
    await expect(page.get_by_role("heading", name="Spring & summer")).to_be_visible()
    (folder,) = RunStore(home).folders()
    assert [zone.name for zone in folder.read().zones] == ["red", "icon"]

    await page.get_by_role("button", name="Stop", exact=True).click()
    await expect(page.get_by_role("button", name="Resume")).to_be_visible(timeout=SLOW_MS)
    await page.get_by_role("button", name="Resume").click()
    await expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible(timeout=SLOW_MS)

    await page.get_by_role("button", name="Stop", exact=True).click()
    await page.get_by_role("link", name="Run again").click()
    await expect(page.get_by_text("spring.csv uploaded")).to_be_visible()
    await expect(page.get_by_label("Name shown in the list of runs")).to_have_value("Spring & summer")


async def test_what_is_wrong_is_told_at_the_field_and_led_to(page: Page, dashboard: Served) -> None:
    """A link to each field that is in the way, which is marked for eyes and for readers."""
    await page.goto(dashboard.url("/new"))
    await page.get_by_label("Requests per minute").fill("-3")
    await page.get_by_role("button", name="Check and estimate").click()
    await expect(page.get_by_text("2 problems to fix:")).to_be_visible()
    await page.get_by_role("link", name="Requests per minute: must be a whole number from 1").click()
    field = page.get_by_label("Requests per minute")
    await expect(field).to_have_value("-3")
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(field).to_have_accessible_description("must be a whole number from 1")
    await expect(page.get_by_role("button", name="Start the run")).to_have_count(0)


async def test_the_form_works_without_script_and_on_a_narrow_screen(
    browser: Browser, witness: Witness, dashboard: Served, simulator: Simulator, tmp_path: Path
) -> None:
    """360 px wide, with no script at all: it is a form."""
    posters = poster_list(tmp_path / "list.csv", simulator, 3)
    context = await browser.new_context(
        viewport={"width": 360, "height": 740}, java_script_enabled=False, color_scheme="dark"
    )
    witness.watch(context)
    page = await context.new_page()
    page.set_default_timeout(SLOW_MS)
    await page.goto(dashboard.url("/new"))
    await page.get_by_label("or enter a path on this machine").fill(str(posters))
    await page.get_by_role("button", name="Check and estimate").click()
    await expect(page.get_by_role("button", name="Start the run")).to_be_visible(timeout=SLOW_MS)
    await context.close()


async def test_no_width_makes_the_form_scroll_sideways(page: Page, dashboard: Served) -> None:
    """From a telephone to a wide screen."""
    for width in (320, 360, 700, 901, 1280, 2000):
        await page.set_viewport_size({"width": width, "height": 800})
        await page.goto(dashboard.url("/new"))
        assert await no_sideways_scroll(page), width
