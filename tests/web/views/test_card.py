"""A finding as pages show it."""

from __future__ import annotations

from typing import Any

import pytest

from redzone.models import Box, ElementKind, Outcome, Poster, Status, Zone
from redzone.query import Filter
from redzone.review import ReviewedOutcome
from redzone.web.views.card import Area, Card, percent
from redzone.web.views.list_query import ListQuery
from tests.outcomes import NOON, outcome
from tests.web.homes import record_at
from tests.web.posters import RED, judged, said

LOGO = Zone(name="logo", x=0.0, y=0.9, w=1.0, h=0.1)
ROW = Poster(7, "0007", "/p.jpg", "Heat")


def card(about: Outcome | None, *reviews: Any, zones: tuple[Zone, ...] = (RED,), **settings: Any) -> Card:
    return Card(
        record_at(1, zones=zones, settings=settings), ReviewedOutcome(ROW, about, reviews), ListQuery()
    )


def test_a_rectangle_is_said_in_per_cent_without_noise() -> None:
    """0.1 + 0.2 is 30 %."""
    assert Area.of(Box(x=0.1 + 0.2, y=0.0, w=1 / 3, h=1.0)) == Area("30%", "0%", "33.3333%", "100%")


@pytest.mark.parametrize("status", [Status.PASS, Status.FAIL, Status.UNSURE])
def test_the_only_zone_has_the_colour_of_the_status_that_counts(status: Status) -> None:
    """A person's word recolours it."""
    assert [mark.status for mark in card(judged(7, status)).marks] == [status]
    found = ReviewedOutcome(ROW, judged(7, Status.FAIL))
    event = found.judge("ann", NOON, Status.PASS)
    reviewed = card(judged(7, Status.FAIL), event)
    assert [mark.status for mark in reviewed.marks] == [Status.PASS]
    assert (reviewed.status, reviewed.overruled) == ("pass", Status.FAIL)


def test_of_several_zones_each_has_the_colour_of_its_own_verdict() -> None:
    """Below the run's bound it is unsure; a zone without a verdict has none."""
    both = (said(Status.FAIL), said(Status.PASS, 65.0, name="logo"))
    fails = judged(7, zones=both)
    assert [mark.status for mark in card(fails, zones=(RED, LOGO)).marks] == [Status.FAIL, Status.PASS]
    strict = card(fails, zones=(RED, LOGO), min_confidence_pct=70)
    assert [mark.status for mark in strict.marks] == [Status.FAIL, Status.UNSURE]
    error = outcome(7, Status.ERROR)
    assert [mark.status for mark in card(error, zones=(RED, LOGO)).marks] == [None, None]
    assert [mark.status for mark in card(error).marks] == [None]


def test_elements_are_numbered_through_all_zones_and_drawn_where_their_place_is_known() -> None:
    """The page lists all of them by the same numbers."""
    nowhere = said(Status.FAIL).elements[0].model_copy(update={"box": None, "kind": ElementKind.FACE})
    zones = (said(Status.FAIL, elements=(nowhere,)), said(Status.FAIL, name="logo"))
    shown = card(judged(7, zones=zones), zones=(RED, LOGO))
    assert [(spot.number, spot.part.x) for spot in shown.spots] == [(2, "10%")]
    assert shown.labels == ["HEAT"]


def test_addresses_name_the_content_that_was_judged() -> None:
    """So a browser may keep the picture for ever; without a hash of a whole file it may not."""
    run_id = record_at(1).id
    named = card(judged(7, image_sha256="ab" * 32))
    assert named.picture(400) == f"/runs/{run_id}/pictures/7?size=400&v=abababababab"
    assert named.closeup(RED) == f"/runs/{run_id}/pictures/7?zone=red&v=abababababab"
    assert named.seen == f"/runs/{run_id}/pictures/7?seen=yes&v=abababababab"
    assert card(judged(7, image_sha256="view:" + "ab" * 32)).seen == f"/runs/{run_id}/pictures/7?seen=yes"
    assert card(outcome(7, Status.ERROR)).picture(160) == f"/runs/{run_id}/pictures/7?size=160"


def test_the_posters_page_keeps_the_selection() -> None:
    """So next and previous go through the same list."""
    chosen = ListQuery(Filter(text="a b&c"))
    shown = Card(record_at(1), ReviewedOutcome(ROW, judged(7)), chosen)
    assert shown.href == f"/runs/{record_at(1).id}/posters/7?text=a+b%26c"


def test_a_finding_without_a_verdict_says_what_went_wrong_and_a_pending_one_nothing() -> None:
    """Neither has a confidence."""
    error = card(outcome(7, Status.ERROR))
    assert (error.status, error.reason, error.sure) == ("error", "not there", "")
    pending = card(None)
    assert (pending.status, pending.reason, pending.sure, pending.overruled) == ("pending", "", "", None)
    assert card(judged(7, title="")).name == "Heat"


@pytest.mark.parametrize(("value", "text"), [(100, "100 %"), (99.94, "99.9 %"), (7, "7 %"), (0, "0 %")])
def test_a_confidence_has_a_decimal_only_where_there_is_one(value: float, text: str) -> None:
    """No more than three digits."""
    assert percent(value) == text
