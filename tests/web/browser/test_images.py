"""The drawing over a picture lies where the zone is, to the pixel, whatever the picture and the window."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from redzone.models import Status, Zone
from redzone.runs import RunFolder
from tests.web.browsing import Witness
from tests.web.posters import RED, SHAPES, judged, poster_file, run_of, said
from tests.web.serving import served

NAMES = list(SHAPES)
LOW = Zone(name="low", x=0.25, y=0.9, w=0.5, h=0.1)
NEAR_PX = 1.0

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def run(home: Path) -> RunFolder:
    """A poster of each shape, with two zones."""
    home.parent.mkdir(parents=True, exist_ok=True)
    zones = (said(Status.FAIL), said(Status.PASS, name="low"))
    outcomes = [
        judged(row, image=poster_file(home.parent, name, SHAPES[name]), zones=zones)
        for row, name in enumerate(NAMES, 1)
    ]
    return run_of(home, outcomes, zones=(RED, LOW))


async def box(element: Locator) -> tuple[float, float, float, float]:
    found = await element.bounding_box()
    assert found is not None
    return found["x"], found["y"], found["width"], found["height"]


async def arrived(picture: Locator) -> None:
    """Wait until the picture is there."""
    await picture.scroll_into_view_if_needed()
    await picture.evaluate("image => image.decode()")


async def assert_on_its_zone(picture: Locator, drawn: Locator, zone: Zone) -> None:
    """The drawing's box is the zone's fraction of the picture's box."""
    x, y, width, height = await box(picture)
    assert min(width, height) > 15
    expected = (x + zone.x * width, y + zone.y * height, zone.w * width, zone.h * height)
    assert await box(drawn) == pytest.approx(expected, abs=NEAR_PX)


def of_row(page: Page, row: int) -> Locator:
    return page.locator(f"#row-{row}")


@pytest.mark.parametrize(
    ("look", "show", "width"),
    [("grid", "zone", 1280), ("grid", "badge", 360), ("list", "zone", 360), ("list", "badge", 1280)],
)
async def test_in_a_list_the_drawing_lies_on_the_zone(
    page: Page, home: Path, run: RunFolder, look: str, show: str, width: int
) -> None:
    """Of portrait, landscape, very high and tiny pictures; each keeps its shape and fills its frame."""
    await page.set_viewport_size({"width": width, "height": 800})
    with served(home) as dashboard:
        await page.goto(dashboard.url(f"/runs/{run.id}?show={show}&look={look}"))
        for row, name in enumerate(NAMES, 1):
            picture = of_row(page, row).locator("img")
            await arrived(picture)
            for zone in (RED, LOW):
                drawn = of_row(page, row).locator(f'[data-zone="{zone.name}"]')
                await assert_on_its_zone(picture, drawn, zone)
            _, _, shown_width, shown_height = await box(picture)
            _, _, frame_width, frame_height = await box(of_row(page, row).locator(".frame"))
            real_width, real_height = SHAPES[name]
            assert shown_width / shown_height == pytest.approx(real_width / real_height, rel=0.03)
            fills = (shown_width / frame_width, shown_height / frame_height)
            assert max(fills) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("zoom", [0.5, 1, 1.5])
async def test_on_a_posters_page_the_drawing_lies_on_the_zone_at_any_zoom(
    page: Page, home: Path, run: RunFolder, zoom: float
) -> None:
    """The elements' boxes, too, and the badge."""
    with served(home) as dashboard:
        for row in range(1, len(NAMES) + 1):
            await page.goto(dashboard.url(f"/runs/{run.id}/posters/{row}"))
            await page.evaluate("zoom => { document.documentElement.style.zoom = zoom }", zoom)
            picture = page.locator(".stage img")
            await arrived(picture)
            for zone in (RED, LOW):
                await assert_on_its_zone(picture, page.locator(f'.stage [data-zone="{zone.name}"]'), zone)
            element = Zone(name="element", x=0.1, y=0.02, w=0.3, h=0.06)
            await assert_on_its_zone(picture, page.locator('.stage [data-spot="1"]'), element)
            await page.keyboard.press("z")
            badge = page.locator(".stage .badge").first
            await expect(badge).to_contain_text("Just Added")
            await arrived(picture)
            await assert_on_its_zone(picture, badge, RED)


async def test_the_drawing_lies_on_the_zone_on_a_dense_screen_and_without_a_script(
    browser: Browser, witness: Witness, home: Path, run: RunFolder
) -> None:
    """It is made of markup and style alone."""
    context = await browser.new_context(java_script_enabled=False, device_scale_factor=2)
    witness.watch(context)
    page = await context.new_page()
    with served(home) as dashboard:
        await page.goto(dashboard.url(f"/runs/{run.id}"), wait_until="networkidle")
        for row in range(1, len(NAMES) + 1):
            picture = of_row(page, row).locator("img")
            await assert_on_its_zone(picture, of_row(page, row).locator('[data-zone="red"]'), RED)
    await context.close()


async def test_the_zone_alone_shows_the_pixels_of_the_zone(page: Page, home: Path, run: RunFolder) -> None:
    """It is all red in these posters, so its picture is."""
    with served(home) as dashboard:
        await page.goto(dashboard.url(f"/runs/{run.id}?show=only"))
        picture = of_row(page, 1).get_by_alt_text("Zone red of Poster 1")
        await arrived(picture)
        colours = await picture.evaluate(
            """image => {
                const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
                const draw = canvas.getContext("2d");
                draw.drawImage(image, 0, 0);
                const { data } = draw.getImageData(0, 0, canvas.width, canvas.height);
                let [red, rest] = [255, 0];
                for (let at = 0; at < data.length; at += 4) {
                    red = Math.min(red, data[at]);
                    rest = Math.max(rest, data[at + 1], data[at + 2]);
                }
                return [canvas.width, red, rest];
            }"""
        )
        assert colours[0] == 800
        assert colours[1] > 200
        assert colours[2] < 60


async def test_pictures_below_the_window_are_not_fetched_until_they_are_near(page: Page, home: Path) -> None:
    """A page of 60 posters asks for those that are seen."""
    home.parent.mkdir(parents=True, exist_ok=True)
    image = poster_file(home.parent, "poster")
    run = run_of(home, [judged(row, image=image) for row in range(1, 61)])
    await page.set_viewport_size({"width": 360, "height": 600})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with served(home) as dashboard:
        await page.goto(dashboard.url(f"/runs/{run.id}"), wait_until="networkidle")
        last = of_row(page, 60).locator("img")
        early = [url for url in asked if "/pictures/" in url]
        assert 0 < len(early) < 40
        assert not any("/pictures/60?" in url for url in early)
        await arrived(last)
        assert any("/pictures/60?" in url for url in asked)


async def test_a_missing_and_a_changed_picture_say_so_on_the_page(page: Page, home: Path) -> None:
    """As images: nothing in them runs, and the console stays clean."""
    home.parent.mkdir(parents=True, exist_ok=True)
    changed = judged(2, image=poster_file(home.parent, "poster"))
    poster_file(home.parent, "poster", (500, 300))
    run = run_of(home, [judged(1, image="/nowhere/<script>.jpg"), changed])
    with served(home) as dashboard:
        await page.goto(dashboard.url(f"/runs/{run.id}"))
        for row, ratio in ((1, 200 / 300), (2, 500 / 300)):
            picture = of_row(page, row).locator("img")
            await arrived(picture)
            _, _, width, height = await box(picture)
            assert width / height == pytest.approx(ratio, rel=0.03)


async def test_a_review_looks_at_the_next_picture_ahead(page: Page, home: Path, run: RunFolder) -> None:
    """So it is there when the poster comes."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with served(home) as dashboard:
        await page.goto(dashboard.url(f"/runs/{run.id}/posters/1"), wait_until="networkidle")
        assert any("/pictures/2?size=1000" in url for url in asked)
        before = len(asked)
        await page.keyboard.press("j")
        await expect(page.get_by_role("heading", name="Poster 2")).to_be_visible()
        await arrived(page.locator(".stage img"))
        assert not any("/pictures/2?size=1000" in url for url in asked[before:])
