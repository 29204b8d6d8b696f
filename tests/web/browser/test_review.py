"""A run looked through and reviewed by hand, as people do it: with keys, with a mouse, without a script."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from redzone.models import Status
from redzone.review import Action
from redzone.runs import RunFolder
from redzone.runs.checkpoint import render_outcome
from redzone.runs.reviews import read_reviews
from tests.outcomes import outcome
from tests.web.browsing import Witness, no_sideways_scroll
from tests.web.homes import begin_work, now, say
from tests.web.posters import HOSTILE, judged, poster_file, run_of, said
from tests.web.serving import Served, served

COUNT = 12
AN_HOUR_S, REVIEWS_AN_HOUR = 3600, 200

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def run(home: Path) -> RunFolder:
    """A dozen posters with pictures; the later the row, the less sure."""
    home.parent.mkdir(parents=True, exist_ok=True)
    image = poster_file(home.parent, "poster")
    statuses = (Status.FAIL, Status.PASS, Status.FAIL)
    return run_of(home, [judged(row, statuses[row % 3], image=image) for row in range(1, COUNT + 1)])


async def shows(page: Page, row: int) -> None:
    """Wait for a poster's page."""
    await expect(page.get_by_role("heading", level=1)).to_have_text(f"Poster {row}")


async def begin_review(page: Page, dashboard: Served, run: RunFolder) -> None:
    """From the list to its least sure poster, with the key."""
    await page.goto(dashboard.url(f"/runs/{run.id}"))
    await page.keyboard.press("r")
    await shows(page, COUNT)


# ---- the list ----


async def test_a_tick_changes_the_list_the_counts_and_the_address_without_a_reload(
    page: Page, home: Path, run: RunFolder
) -> None:
    """And the way back undoes it."""
    with served(home) as dashboard:
        await page.goto(dashboard.url(f"/runs/{run.id}"))
        await page.evaluate("document.body.dataset.same = 'yes'")
        await page.get_by_role("checkbox", name="fail").check()
        await expect(page.locator(".poster")).to_have_count(8)
        await expect(page.locator(".total")).to_have_text("8 of 12 posters")
        await expect(page).to_have_url(dashboard.url(f"/runs/{run.id}?status=fail"))
        await page.locator("select[name=sort]").select_option("confidence")
        await expect(page.locator(".poster").first).to_have_id("row-12")
        await page.get_by_role("link", name="List").click()
        await expect(page.locator("tbody tr")).to_have_count(8)
        await expect(page).to_have_url(dashboard.url(f"/runs/{run.id}?status=fail&sort=confidence&look=list"))
        await page.go_back()
        await expect(page.locator(".poster").first).to_have_id("row-12")
        await page.go_back()
        await page.go_back()
        await expect(page.locator(".poster")).to_have_count(COUNT)
        await expect(page.locator("body")).to_have_attribute("data-same", "yes")


async def test_a_search_follows_the_typing(page: Page, home: Path, run: RunFolder) -> None:
    """With `/`; the field keeps what is typed and where."""
    with served(home) as dashboard:
        await page.goto(dashboard.url(f"/runs/{run.id}"))
        await page.keyboard.press("/")
        await page.keyboard.type("poster 1")
        await expect(page.locator(".poster")).to_have_count(4)
        await page.keyboard.type("2")
        await expect(page.locator(".poster")).to_have_count(1)
        await expect(page.get_by_label("Search")).to_have_value("poster 12")
        await expect(page.get_by_label("Search")).to_be_focused()


async def test_the_key_z_goes_round_outline_badge_and_nothing(page: Page, home: Path, run: RunFolder) -> None:
    """In the list and on a poster's page, which keep it for each other."""
    with served(home) as dashboard:
        await page.goto(dashboard.url(f"/runs/{run.id}"))
        await page.keyboard.press("z")
        await expect(page.locator(".badge").first).to_contain_text("Just Added")
        await page.locator(".poster-link").first.click()
        await shows(page, 1)
        await expect(page.locator(".badge")).to_have_count(1)
        await page.keyboard.press("z")
        await expect(page.locator(".overlay")).to_have_count(0)
        await page.keyboard.press("z")
        await expect(page.locator(".stage [data-zone=red]")).to_have_count(1)


async def test_the_counts_of_a_live_run_move_and_new_posters_come_when_asked_for(
    page: Page, home: Path
) -> None:
    """The list does not jump under the reader's hand."""
    run = begin_work(run_of(home, [judged(1), judged(2)], rows=10))
    say(run, now(done=2, passed=0, failed=2, unsure=0, errors=0))
    with served(home) as dashboard:
        await page.goto(dashboard.url(f"/runs/{run.id}"))
        await expect(page.locator("#run-head")).to_contain_text("live")
        with run.checkpoint_path.open("ab") as checkpoint:
            checkpoint.write(render_outcome(judged(3)))
        say(run, now(done=3, passed=0, failed=3, unsure=0, errors=0))
        await expect(page.get_by_text("1 new result.")).to_be_visible()
        await expect(page.locator(".poster")).to_have_count(2)
        await page.get_by_role("link", name="Show").click()
        await expect(page.locator(".poster")).to_have_count(3)
        await expect(page.locator("#fresh")).to_be_hidden()


# ---- the review ----


async def test_a_review_by_keys_goes_through_the_queue(page: Page, home: Path, run: RunFolder) -> None:
    """P and F judge and go on, U takes back and goes back, J and K only look; all of it is on disk."""
    with served(home) as dashboard:
        await begin_review(page, dashboard, run)
        await page.keyboard.press("p")
        await shows(page, 11)
        await page.keyboard.press("f")
        await shows(page, 10)
        await page.keyboard.press("u")
        await shows(page, 11)
        await page.keyboard.press("j")
        await shows(page, 10)
        await page.keyboard.press("k")
        await shows(page, 11)
        await page.keyboard.press("p")
        await shows(page, 10)
        await expect(page).to_have_url(
            dashboard.url(f"/runs/{run.id}/posters/10?reviewed=no&sort=confidence&after=11")
        )
    reviews = read_reviews(run.reviews_path)
    assert [event.new_status for event in reviews[12]] == [Status.PASS]
    assert [event.action for event in reviews[11]] == [Action.JUDGE, Action.UNDO, Action.JUDGE]
    assert 10 not in reviews


async def test_words_are_written_without_leaving_the_keyboard(page: Page, home: Path, run: RunFolder) -> None:
    """E and N go to the fields, whose letters are no commands; Ctrl+Enter keeps them, Escape leaves them."""
    with served(home) as dashboard:
        await begin_review(page, dashboard, run)
        await page.keyboard.press("e")
        await page.keyboard.press("ControlOrMeta+a")
        await page.keyboard.type("Pure sky, fading up; just fine.")
        await page.keyboard.press("ControlOrMeta+Enter")
        await expect(page.get_by_role("region", name="Reviews")).to_contain_text("edited the justification")
        await page.keyboard.press("Escape")
        await page.keyboard.press("n")
        await page.keyboard.type("ask Ben")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("region", name="Reviews")).to_contain_text("ask Ben")
        await shows(page, COUNT)
        await page.keyboard.press("Escape")
        await page.keyboard.press("f")
        await shows(page, COUNT - 1)
    events = read_reviews(run.reviews_path)[COUNT]
    assert [event.action for event in events] == [Action.JUSTIFY, Action.NOTE, Action.JUDGE]
    assert events[0].justification == "Pure sky, fading up; just fine."
    assert events[2].justification is None


async def test_an_hour_is_enough_for_two_hundred_reviews(page: Page, home: Path, run: RunFolder) -> None:
    """With the next poster's picture on the screen before each judgement, the dashboard takes a small part of
    the 18 s that a person then has for each."""
    with served(home) as dashboard:
        await begin_review(page, dashboard, run)
        began_s = await page.evaluate("performance.now() / 1000")
        for row in range(COUNT - 1, 0, -1):
            await page.keyboard.press("p")
            await shows(page, row)
            await page.locator(".stage img").evaluate("image => image.decode()")
        took_s = await page.evaluate("performance.now() / 1000") - began_s
    assert took_s / (COUNT - 1) < AN_HOUR_S / REVIEWS_AN_HOUR / 10
    assert len(read_reviews(run.reviews_path)) == COUNT - 1


async def test_two_keys_at_once_are_one_review(page: Page, home: Path, run: RunFolder) -> None:
    """What is on its way is neither written twice nor lost to the next key."""
    with served(home) as dashboard:
        await begin_review(page, dashboard, run)
        await page.evaluate(
            """() => {
                for (const key of ["p", "p", "f", "j"])
                    document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
            }"""
        )
        await shows(page, COUNT - 1)
    (event,) = read_reviews(run.reviews_path)[COUNT]
    assert event.new_status is Status.PASS


async def test_the_reviewer_is_asked_once(page: Page, home: Path, run: RunFolder) -> None:
    """The name goes along from then on, also into another tab."""
    with served(home) as dashboard:
        await begin_review(page, dashboard, run)
        await page.get_by_label("Your name").fill("Zoë")
        await page.get_by_role("button", name="Pass").click()
        await shows(page, COUNT - 1)
        await expect(page.get_by_label("Your name")).to_have_count(0)
        other = await page.context.new_page()
        await other.goto(dashboard.url(f"/runs/{run.id}/posters/1"))
        await other.keyboard.press("f")
        await shows(other, 2)
    assert {events[0].by for events in read_reviews(run.reviews_path).values()} == {"Zoë"}


async def test_two_people_disagree_and_both_are_shown(browser: Browser, home: Path, run: RunFolder) -> None:
    """The latest counts; each undoes only their own."""
    with served(home) as dashboard:
        for name, key in (("ann", "p"), ("ben", "f")):
            context = await browser.new_context()
            page = await context.new_page()
            await page.goto(dashboard.url(f"/runs/{run.id}/posters/1"))
            await page.get_by_label("Your name").fill(name)
            await page.get_by_role("heading", level=1).click()
            await page.keyboard.press(key)
            await shows(page, 2)
            await context.close()
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(dashboard.url(f"/runs/{run.id}/posters/1"))
        await expect(page.get_by_label("Verdict")).to_contain_text("reviewers disagree")
        await expect(page.get_by_role("region", name="Reviews")).to_contain_text("ann")
        await expect(page.get_by_role("region", name="Reviews")).to_contain_text("ben")
        await expect(page.get_by_role("button", name="Undo")).to_have_count(0)
        await context.close()


async def test_a_review_works_without_a_script(browser: Browser, home: Path, run: RunFolder) -> None:
    """Forms are forms: judge, go on, filter, page."""
    with served(home) as dashboard:
        context = await browser.new_context(java_script_enabled=False)
        page = await context.new_page()
        await page.goto(dashboard.url(f"/runs/{run.id}"))
        await page.get_by_role("checkbox", name="fail").check()
        await page.get_by_role("button", name="Apply").click()
        await expect(page.locator(".poster")).to_have_count(8)
        await page.get_by_role("link", name="Review").click()
        await shows(page, COUNT)
        await page.get_by_role("button", name="Pass").click()
        await shows(page, 11)
        await page.get_by_role("button", name="Undo").click()
        await shows(page, COUNT)
        await page.get_by_label("Note").fill("ask Ben")
        await page.get_by_role("button", name="Save text").last.click()
        await expect(page.get_by_role("region", name="Reviews")).to_contain_text("ask Ben")
        await context.close()
    actions = [event.action for event in read_reviews(run.reviews_path)[COUNT]]
    assert actions == [Action.JUDGE, Action.UNDO, Action.NOTE]


# ---- whatever it is about ----


async def test_words_of_strangers_run_nowhere(page: Page, home: Path) -> None:
    """In lists, on pages, in the form and in what is swapped in: they are text, and the title stays ours."""
    outcomes = [
        judged(
            row,
            title=text,
            group=text,
            id=text,
            image=text,
            model=text,
            zones=(said(Status.FAIL, 50.0 + row, justification=text),),
        )
        for row, text in enumerate(HOSTILE, 1)
    ]
    run = run_of(home, outcomes, label=HOSTILE[0])
    with served(home) as dashboard:
        for query in ("", "?look=list", "?show=only"):
            await page.goto(dashboard.url(f"/runs/{run.id}{query}"), wait_until="networkidle")
            await expect(page.locator("#found")).to_contain_text(HOSTILE[0])
        await page.keyboard.press("r")
        for text in HOSTILE[:2]:
            await expect(page.get_by_role("heading", level=1)).to_have_text(text)
            await expect(page.get_by_label("Justification")).to_have_value(text)
            await page.get_by_label("Note").fill(text)
            await page.get_by_role("heading", level=1).click()
            await page.keyboard.press("p")
        await expect(page.locator("h1")).not_to_have_text(HOSTILE[1])
        assert await page.title() not in ("owned", "1")


@pytest.mark.parametrize("width", [360, 820, 1280, 2200])
async def test_no_page_is_wider_than_the_window(page: Page, home: Path, width: int) -> None:
    """With long words, several zones and no picture, too."""
    long = "W" * 300
    home.parent.mkdir(parents=True, exist_ok=True)
    outcomes = [
        judged(1, title=long, group=long, id=long, zones=(said(Status.FAIL, justification=long),)),
        judged(2, image=poster_file(home.parent, "poster")),
        outcome(3, Status.ERROR, title=long),
    ]
    run = run_of(home, outcomes, label=long)
    await page.set_viewport_size({"width": width, "height": 700})
    with served(home) as dashboard:
        for path in ("", "?look=list", "?show=only", "?look=list&show=only", "/posters/1", "/posters/3"):
            await page.goto(dashboard.url(f"/runs/{run.id}{path}"))
            assert await no_sideways_scroll(page), path


async def test_the_help_names_the_keys_of_a_review(page: Page, home: Path, run: RunFolder) -> None:
    """`?` on a poster's page."""
    with served(home) as dashboard:
        await page.goto(dashboard.url(f"/runs/{run.id}/posters/2"))
        await page.keyboard.press("?")
        for line in (
            "Pass, then the next poster",
            "Fail, then the next poster",
            "Edit the justification",
            "Write a note",
        ):
            await expect(page.get_by_role("dialog")).to_contain_text(line)
        for line in ("Next poster", "Previous poster", "Zone: badge", "Back to the list"):
            await expect(page.get_by_role("dialog")).to_contain_text(line)


async def test_without_pictures_of_ours_the_page_asks_nobody(
    page: Page, witness: Witness, home: Path
) -> None:
    """Addresses of posters appear as text only: the browser fetches none of them."""
    run = run_of(home, [judged(1, image="https://posters.example/1.jpg")])
    with served(home) as dashboard:
        await page.goto(dashboard.url(f"/runs/{run.id}/posters/1"), wait_until="networkidle")
        await expect(page.get_by_text("https://posters.example/1.jpg", exact=True)).to_be_visible()
    assert not any("posters.example" in url for url in witness.requests)
