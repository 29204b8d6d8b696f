"""The performance page while a real run of another process works against the simulator."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from redzone.bench.simulator.server import SimulatorOptions
from redzone.runs import RunStore
from tests.command import start, wait_until
from tests.simulated import poster_list, simulated
from tests.terminal.snapshots import lanes
from tests.web.browsing import Witness, no_sideways_scroll
from tests.web.homes import begin_work, now, say, write_run
from tests.web.serving import Served, served

pytestmark = pytest.mark.asyncio(loop_scope="session")

# what a browser does with a tab behind another one
TURN = """(state) => {
  Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@contextmanager
def working(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """A run of six workers in a process of its own; what is given interrupts it."""
    home = tmp_path / "home"
    with simulated(SimulatorOptions(poster_size=(60, 90), latency_s=0.4)) as simulator:
        posters = poster_list(tmp_path / "posters.csv", simulator, 2000)
        process = start(
            *("analyze", posters, "--home", home, "--workers", "6", "--name", "live list"),
            *("--base-url", simulator.base_url, "--allow-private-hosts", "--progress", "none"),
            cwd=tmp_path,
            OPENAI_API_KEY="sk-simulated-0123456789",
        )

        def interrupt() -> None:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)

        try:
            wait_until(lambda: any(folder.metrics_path.stat().st_size for folder in RunStore(home).folders()))
            yield interrupt
        finally:
            process.kill()
            process.communicate()


async def test_figures_move_while_a_run_works_and_stand_when_it_ends(page: Page, tmp_path: Path) -> None:
    """Without a reload: outcomes, lanes, the chart, and at last the state."""
    with working(tmp_path) as interrupt, served(tmp_path / "home") as dashboard:
        await page.goto(dashboard.url("/performance"))
        await expect(page.locator("#perf-state")).to_contain_text("live list")
        await expect(page.locator("#perf-state")).to_contain_text("live")
        await expect(page.locator(".lane")).to_have_count(6)
        await expect(page.locator(".lane").first).to_contain_text(re.compile("fetch|model|wait|record"))
        done = page.locator("#perf-tiles .tile").nth(1).locator("dd")
        seen = await done.inner_text()
        for _ in range(3):
            await expect(done).not_to_have_text(seen)
            before, seen = seen, await done.inner_text()
            assert _number(seen) > _number(before)
        await expect(page.locator("#perf-limits")).to_contain_text("requests")
        await expect(page.locator("#perf-workers")).to_contain_text("6 of 6 busy")
        curve = page.locator("#perf-pace .chart-wide polyline").first
        drawn = await curve.get_attribute("points") or ""
        await expect(curve).not_to_have_attribute("points", drawn, timeout=8000)
        await asyncio.to_thread(interrupt)
        await expect(page.locator("#perf-state")).to_contain_text("interrupted")
        await expect(page.locator(".lane")).to_have_count(0)
        await expect(page.locator("html")).not_to_have_attribute("data-lost", "")
        await _streams(dashboard, 0)


async def test_a_hidden_tab_holds_no_stream_and_seven_tabs_do_not_hang(
    browser: Browser, witness: Witness, home: Path
) -> None:
    """A browser has six connections for a host; the tab that is looked at has one of them."""
    live = begin_work(write_run(home, 1, rows=1000))
    say(live, now(done=300, passed=300, failed=0, unsure=0, errors=0))
    context = await browser.new_context()
    context.set_default_timeout(5000)
    witness.watch(context)
    with served(home) as dashboard:
        tabs: list[Page] = []
        for _ in range(8):
            for tab in tabs[-1:]:
                await tab.evaluate(TURN, "hidden")
            tabs.append(await context.new_page())
            await tabs[-1].goto(dashboard.url("/performance"))
            await expect(tabs[-1].locator("#perf-tiles")).to_contain_text("300")
        await _streams(dashboard, 1)
        say(live, now(done=417, passed=417, failed=0, unsure=0, errors=0))
        await expect(tabs[-1].locator("#perf-tiles")).to_contain_text("417")
        await expect(tabs[0].locator("#perf-tiles")).to_contain_text("300")
        await tabs[-1].evaluate(TURN, "hidden")
        await tabs[0].evaluate(TURN, "visible")
        await expect(tabs[0].locator("#perf-tiles")).to_contain_text("417")
        await context.close()
        await _streams(dashboard, 0)


async def test_another_run_is_chosen_without_a_reload_and_without_a_script(
    page: Page, browser: Browser, home: Path
) -> None:
    """The list of runs is a form like any other."""
    older = write_run(home, 1, label="the older one")
    write_run(home, 2, label="the newer one")
    with served(home) as dashboard:
        await page.goto(dashboard.url("/performance"))
        await page.evaluate("document.body.dataset.same = 'yes'")
        await page.get_by_label("Run", exact=True).select_option(older.id)
        await expect(page.locator("#perf-state")).to_contain_text("the older one")
        assert page.url == dashboard.url(f"/runs/{older.id}/performance")
        await expect(page.locator("body")).to_have_attribute("data-same", "yes")
        context = await browser.new_context(java_script_enabled=False)
        plain = await context.new_page()
        await plain.goto(dashboard.url("/performance"))
        await plain.get_by_label("Run", exact=True).select_option(older.id)
        await plain.get_by_role("button", name="Show").click()
        await expect(plain.locator("#perf-state")).to_contain_text("the older one")
        await context.close()


@pytest.mark.parametrize("width", [360, 640, 900, 1280])
async def test_the_page_fits_its_window(page: Page, home: Path, width: int) -> None:
    """Two hundred lanes and a long name, too."""
    crew = tuple(lane.model_copy(update={"id": "id" * 60}) for lane in lanes(200))
    live = begin_work(write_run(home, 1, rows=1000, label="a very long name of a list " * 4))
    say(live, now(workers=200, lanes=crew))
    await page.set_viewport_size({"width": width, "height": 700})
    with served(home) as dashboard:
        await page.goto(dashboard.url("/performance"))
        await expect(page.locator(".lane")).to_have_count(200)
        assert await no_sideways_scroll(page)


async def _streams(dashboard: Served, count: int) -> None:
    """Wait until the server has that many requests in hand."""
    await asyncio.to_thread(wait_until, lambda: len(dashboard.server.server_state.tasks) == count, 5)


def _number(text: str) -> int:
    return int(text.replace(",", ""))
