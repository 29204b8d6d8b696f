"""One poster and its review over HTTP: what is written down, and where it leads."""

from __future__ import annotations

import html
import re
from pathlib import Path
from urllib.parse import unquote

import httpx2
import pytest

from redzone.models import Status
from redzone.review import Action, Review
from redzone.runs import RunFolder
from redzone.runs.reviews import read_reviews
from redzone.web.security import HEADERS
from redzone.web.server import OURS
from redzone.web.services.state import WebOptions
from tests.outcomes import outcome
from tests.web.posters import HOSTILE, judged, run_of, said
from tests.web.serving import SAME_ORIGIN, Served, served

TOKEN = "a-token-that-nobody-guesses"
STATUSES = (Status.PASS, Status.FAIL, Status.UNSURE, Status.FAIL)


@pytest.fixture
def run(home: Path) -> RunFolder:
    """Four judged rows, the later the less sure, and one whose picture was missing."""
    outcomes = [judged(row, status) for row, status in enumerate(STATUSES, 1)]
    return run_of(home, [*outcomes, outcome(5, Status.ERROR)])


def address(run: RunFolder, row: int, query: str = "") -> str:
    return f"/runs/{run.id}/posters/{row}{query}"


def review(
    dashboard: Served, run: RunFolder, row: int, wish: str, query: str = "", **fields: str
) -> httpx2.Response:
    """Press a button of the form; where it leads is in the answer."""
    form = {"wish": wish, "by": "ann", **fields}
    answer = dashboard.post(f"/runs/{run.id}/posters/{row}/review{query}", form)
    assert answer.status_code == 303, answer.text
    return answer


def events(run: RunFolder, row: int) -> tuple[Review, ...]:
    return read_reviews(run.reviews_path).get(row, ())


def links(page: str) -> dict[str, str]:
    """Where the keys of a page lead."""
    found = re.findall(r'href="([^"]*)" data-swap="#main" data-key="(\w)', page)
    return {key: html.unescape(href) for href, key in found}


# ---- what is shown ----


def test_the_page_tells_everything_that_is_known(home: Path, run: RunFolder) -> None:
    """Verdict, words, elements, what it took, and the line of the checkpoint."""
    with served(home) as dashboard:
        page = html.unescape(dashboard.get(address(run, 2)).text)
    for told in (
        "98 % sure",
        "The title reaches in.",
        "HEAT",
        "model, gpt-6-luna, crop",
        "400 in, 80 out",
        "$0.0010",
        "2026-10-03",
        '"strategy": "crop"',
        "2 of 5",
    ):
        assert told in page


def test_a_poster_without_a_verdict_says_what_went_wrong(home: Path, run: RunFolder) -> None:
    """And can be judged by a person nevertheless."""
    with served(home) as dashboard:
        page = dashboard.get(address(run, 5)).text
        assert "fetch-http-404" in page
        review(dashboard, run, 5, "pass")
    assert events(run, 5)[0].old_status is Status.ERROR


def test_next_and_before_go_through_the_selected_list(home: Path, run: RunFolder) -> None:
    """In its order, with the selection kept; the ends lead nowhere."""
    query = "?status=fail&status=unsure&sort=confidence"
    with served(home) as dashboard:
        middle = links(dashboard.get(address(run, 3, query)).text)
        assert middle["k"] == address(run, 4, query)
        assert middle["j"] == address(run, 2, query)
        first, last = (links(dashboard.get(address(run, row, query)).text) for row in (4, 2))
    assert "k" not in first
    assert "j" not in last


def test_a_poster_outside_of_the_selection_is_shown_and_said_to_be(home: Path, run: RunFolder) -> None:
    """As one is after its review took it out."""
    with served(home) as dashboard:
        assert "does not match the filter" in dashboard.get(address(run, 1, "?status=fail")).text


def test_a_row_without_an_outcome_is_not_there_yet(home: Path, run: RunFolder) -> None:
    """404, with the reason."""
    with served(home) as dashboard:
        answer = dashboard.get(address(run, 6))
        assert (answer.status_code, "no outcome of row 6 yet" in answer.text) == (404, True)
        assert dashboard.post(f"{address(run, 6)}/review", {"wish": "pass", "by": "ann"}).status_code == 404


def test_words_of_strangers_are_text(home: Path) -> None:
    """Title, justification, labels, error, notes: in the page, in its form and in the raw JSON."""
    zones = [
        said(Status.FAIL, justification=text, elements=()).model_copy(
            update={"elements": (said(Status.FAIL).elements[0].model_copy(update={"label": text}),)}
        )
        for text in HOSTILE
    ]
    outcomes = [
        judged(row, title=text, group=text, id=text, image=text, model=text, strategy=text, zones=(zone,))
        for row, (text, zone) in enumerate(zip(HOSTILE, zones, strict=True), 1)
    ]
    run = run_of(home, outcomes)
    with served(home) as dashboard:
        for row, text in enumerate(HOSTILE, 1):
            review(dashboard, run, row, "save", justification=text + "!", note=text, by=text[:40])
            page = dashboard.get(address(run, row, "?after=1&text=" + "%3Cscript%3E")).text
            assert "<script>document" not in page
            assert "<img src=x" not in page
            assert 'href="javascript' not in page
            assert "\x1b" not in page
            assert "\u202e" not in page


# ---- what is written down ----


@pytest.mark.parametrize(("wish", "status"), [("pass", Status.PASS), ("fail", Status.FAIL)])
def test_a_judgement_is_an_event_and_leads_to_the_next_poster(
    home: Path, run: RunFolder, wish: str, status: Status
) -> None:
    """With the selection, and the way back for undo."""
    with served(home) as dashboard:
        answer = review(dashboard, run, 3, wish, "?sort=confidence")
        assert answer.headers["location"] == address(run, 2, "?sort=confidence&after=3")
    (event,) = events(run, 3)
    assert (event.by, event.action, event.old_status, event.new_status) == (
        "ann",
        Action.JUDGE,
        Status.UNSURE,
        status,
    )
    assert (event.justification, event.note) == (None, None)


def test_a_queue_of_what_is_not_reviewed_goes_on_where_it_was(home: Path, run: RunFolder) -> None:
    """Although each judgement takes its poster out of the queue."""
    query = "?reviewed=no&sort=confidence"
    row, seen = 4, []
    with served(home) as dashboard:
        for _ in range(5):
            seen.append(row)
            location = review(dashboard, run, row, "pass", query).headers["location"]
            found = re.search(r"/posters/(\d+)\?", location)
            assert found is not None
            row = int(found[1])
        page = dashboard.get(location).text
    assert seen == [4, 3, 2, 1, 5]
    assert location == address(run, 5, f"{query}&after=5")
    assert "That was the last poster" in page


def test_undo_takes_back_what_was_judged_just_before_and_goes_there(home: Path, run: RunFolder) -> None:
    """From the poster that came next; then what was done earlier on the poster itself."""
    with served(home) as dashboard:
        onward = review(dashboard, run, 1, "fail", "?show=badge").headers["location"]
        page = dashboard.get(onward, Cookie="redzone_reviewer=ann").text
        (undo,) = re.findall(r'formaction="([^"]*)"', page)
        assert html.unescape(undo) == f"{address(run, 1)}/review?show=badge"
        back = review(dashboard, run, 1, "undo", "?show=badge").headers["location"]
        assert back == address(run, 1, "?show=badge")
        assert "formaction" not in dashboard.get(back, Cookie="redzone_reviewer=ann").text
    assert [event.action for event in events(run, 1)] == [Action.JUDGE, Action.UNDO]


def test_nobody_is_offered_to_undo_what_another_person_did(home: Path, run: RunFolder) -> None:
    """Both reviews stand, and where they differ it is said."""
    with served(home) as dashboard:
        review(dashboard, run, 1, "fail")
        assert "formaction" not in dashboard.get(address(run, 1), Cookie="redzone_reviewer=ben").text
        review(dashboard, run, 1, "pass", by="ben")
        page = dashboard.get(address(run, 1)).text
    assert "reviewers disagree" in page
    assert [event.by for event in events(run, 1)] == ["ann", "ben"]


def test_texts_are_kept_with_the_judgement_or_alone(home: Path, run: RunFolder) -> None:
    """Only those that were changed; saving them stays on the page."""
    shown = {"shown_justification": "The title reaches in.", "shown_note": ""}
    with served(home) as dashboard:
        unchanged = {"justification": "The title reaches in.", "note": "ask Ben", **shown}
        answer = review(dashboard, run, 2, "save", **unchanged)
        assert answer.headers["location"] == address(run, 2)
        review(dashboard, run, 2, "pass", justification="Only sky.", note="ask Ben", shown_note="ask Ben")
        page = html.unescape(dashboard.get(address(run, 2)).text)
    note, judgement = events(run, 2)
    assert (note.action, note.note) == (Action.NOTE, "ask Ben")
    assert (judgement.new_status, judgement.justification, judgement.note) == (Status.PASS, "Only sky.", None)
    assert ">Only sky.</textarea>" in page
    assert 'value="ask Ben"' in page
    assert "The title reaches in." in page


def test_the_form_of_enter_judges_nothing(home: Path, run: RunFolder) -> None:
    """A browser presses the first button of a form when somebody types Enter in a field."""
    with served(home) as dashboard:
        page = dashboard.get(address(run, 1)).text
    form = page[page.index('id="review"') :]
    first = re.search(r'<button[^>]*name="wish" value="(\w+)"', form)
    assert first is not None
    assert first[1] == "save"


# ---- who ----


def test_the_reviewer_is_asked_once_and_kept_in_a_cookie(home: Path, run: RunFolder) -> None:
    """For a year, out of reach of scripts and other sites; letters of any language."""
    with served(home) as dashboard:
        answer = review(dashboard, run, 1, "pass", by="  Zoë Müller; x=y  ")
        cookie = answer.headers["set-cookie"]
        pair = cookie.partition(";")[0]
        assert unquote(pair) == "redzone_reviewer=Zoë Müller; x=y"
        assert {"HttpOnly", "SameSite=strict", "Path=/", "Max-Age=31536000"} <= set(cookie.split("; "))
        page = html.unescape(dashboard.get(address(run, 1), Cookie=pair).text)
        assert 'name="by" value="Zoë Müller; x=y"' in page
        assert "Your name" not in page
        without = dashboard.post(
            f"{address(run, 2)}/review", {"wish": "pass", "by": ""}, **SAME_ORIGIN, Cookie=pair
        )
        assert without.status_code == 303
    assert events(run, 1)[0].by == events(run, 2)[0].by == "Zoë Müller; x=y"


def test_a_name_is_suggested_to_whoever_runs_the_dashboard_and_to_nobody_else(
    home: Path, run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The login name is nobody's business across a network."""
    monkeypatch.setenv("LOGNAME", "loginname")
    with served(home) as dashboard:
        page = dashboard.get(address(run, 1)).text
        assert "Your name" in page
        assert 'value="loginname"' in page
    with served(home, WebOptions(OURS, token=TOKEN)) as guarded:
        page = guarded.get(address(run, 1), Authorization=f"Bearer {TOKEN}").text
        assert "Your name" in page
        assert "loginname" not in page


@pytest.mark.parametrize("by", ["", "   ", "\x1b\u202e"])
def test_a_review_without_a_name_is_not_kept(home: Path, run: RunFolder, by: str) -> None:
    """Somebody must stand for it."""
    with served(home) as dashboard:
        answer = dashboard.post(f"{address(run, 1)}/review", {"wish": "pass", "by": by})
    assert answer.status_code == 400
    assert "needs a name" in answer.text
    assert not run.reviews_path.exists()


def test_nobody_else_can_review(home: Path, run: RunFolder) -> None:
    """Another site's form is refused, a link is no review, and a wish that does not exist is none."""
    target = f"{address(run, 1)}/review"
    form = {"wish": "pass", "by": "ann"}
    with served(home) as dashboard:
        assert dashboard.post(target, form, Sec_Fetch_Site="cross-site").status_code == 403
        assert dashboard.post(target, form, Origin="https://evil.example").status_code == 403
        assert dashboard.get(target).status_code == 405
        refused = dashboard.post(target, {**form, "wish": "delete"})
        assert refused.status_code == 400
        assert dashboard.post(target, {**form, "note": "x" * 5000}).status_code == 400
        assert {name: refused.headers[name] for name in HEADERS} == HEADERS
    assert not run.reviews_path.exists()
