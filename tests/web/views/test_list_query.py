"""What stands in the address: the selection, and the boxes of the filter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.errors import ErrorCode, UsageError
from redzone.models import ElementKind, Source, Status
from redzone.query import Facets, Filter, Sort
from redzone.web.views.facets import MOST_GROUPS, build_facets
from redzone.web.views.list_query import ListLayout, ListQuery, ZoneDisplay

NOTHING = Facets(0, {}, {}, {}, {}, {}, {}, {})

filters = st.builds(
    Filter,
    statuses=st.frozensets(st.sampled_from(Status)),
    groups=st.frozensets(st.text(max_size=5), max_size=3),
    confidence_min=st.none() | st.floats(0, 100),
    kinds=st.frozensets(st.sampled_from(ElementKind)),
    reviewed=st.none() | st.booleans(),
    disagreed=st.none() | st.booleans(),
    text=st.text(max_size=10),
)
selections = st.builds(
    ListQuery, filters, st.sampled_from(Sort), st.sampled_from(ListLayout), st.sampled_from(ZoneDisplay)
)


@given(selections)
def test_an_address_gives_the_selection_back(list_query: ListQuery) -> None:
    """So it can be kept, sent, and gone back to."""
    assert ListQuery.of(list_query.pairs) == list_query


def test_the_usual_selection_makes_a_short_address() -> None:
    """Nothing stands in it."""
    assert ListQuery().at("/runs/1") == "/runs/1"
    assert ListQuery(sort=Sort.TITLE).at("/runs/1", page=2) == "/runs/1?sort=title&page=2"


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ([("sort", "luck")], "sort: 'luck' is not one of row, confidence"),
        ([("look", "heap")], "look: 'heap' is not one of grid, list"),
        ([("show", "all")], "show: 'all' is not one of zone, badge, plain, only"),
        ([("status", "good")], "status: 'good' is not one of"),
    ],
)
def test_an_address_that_makes_no_sense_is_told_what_would(pairs: list[tuple[str, str]], reason: str) -> None:
    """Rather than shown something else."""
    with pytest.raises(UsageError, match=reason):
        ListQuery.of(pairs)


def test_a_review_takes_the_filter_along_and_begins_with_the_least_sure() -> None:
    """Of what nobody has reviewed."""
    chosen = ListQuery(Filter(groups=frozenset({"award"})), Sort.TITLE, show=ZoneDisplay.BADGE)
    queue = chosen.for_review
    assert queue.filter == Filter(groups=frozenset({"award"}), reviewed=False)
    assert (queue.sort, queue.show) == (Sort.CONFIDENCE, ZoneDisplay.BADGE)


def test_one_key_goes_round_outline_badge_and_nothing() -> None:
    """From the zone alone it leads back into the round."""
    shown = [ZoneDisplay.ZONE]
    for _ in range(3):
        shown.append(ListQuery(show=shown[-1]).next_show)
    assert shown == [ZoneDisplay.ZONE, ZoneDisplay.BADGE, ZoneDisplay.PLAIN, ZoneDisplay.ZONE]
    assert ListQuery(show=ZoneDisplay.ONLY).next_show is ZoneDisplay.ZONE


def test_every_status_is_offered_and_only_what_there_is_of_the_rest() -> None:
    """With the counts that the browser of the run gives."""
    counts = Facets(
        5,
        {Status.FAIL: 5},
        {"award": 3, "": 2},
        {ElementKind.FACE: 4},
        {False: 5},
        {False: 5},
        {Source.MODEL: 4, Source.CACHE: 1},
        {},
    )
    facets = {facet.name: facet for facet in build_facets(counts, Filter())}
    assert list(facets) == ["status", "reviewed", "group", "kind", "source"]
    assert [(box.value, box.count) for box in facets["status"].choices] == [
        ("pass", 0),
        ("fail", 5),
        ("unsure", 0),
        ("error", 0),
    ]
    assert [(box.name, box.value, box.label) for box in facets["group"].choices] == [
        ("group", "award", "award"),
        ("ungrouped", "yes", "no group"),
    ]
    assert [(box.value, box.count, box.chosen) for box in facets["reviewed"].choices] == [
        ("", 5, True),
        ("no", 5, False),
        ("yes", 0, False),
    ]


@given(filters)
def test_the_boxes_that_are_ticked_are_the_filter(wanted: Filter) -> None:
    """Also those of which nothing is left: else they could not be taken away."""
    ticked = [
        (box.name, box.value)
        for facet in build_facets(NOTHING, wanted)
        for box in facet.choices
        if box.chosen and box.value
    ]
    boxes = Filter.from_query(ticked)
    assert (boxes.statuses, boxes.groups, boxes.kinds) == (wanted.statuses, wanted.groups, wanted.kinds)
    assert (boxes.reviewed, boxes.disagreed) == (wanted.reviewed, wanted.disagreed)


def test_of_many_groups_the_largest_and_the_ticked_ones_are_offered() -> None:
    """A list with a group for each poster does not fill the page."""
    groups = {f"group {number}": 500 - number for number in range(300)}
    counts = Facets(1, {}, groups, {}, {}, {}, {}, {})
    facets = {facet.name: facet for facet in build_facets(counts, Filter(groups=frozenset({"group 299"})))}
    offered = [box.value for box in facets["group"].choices]
    assert offered == [f"group {number}" for number in range(MOST_GROUPS)] + ["group 299"]
    assert facets["group"].more == 300 - len(offered)


def test_an_error_code_is_offered_where_there_are_several() -> None:
    """With one there is nothing to choose."""
    one = Facets(2, {}, {}, {}, {}, {}, {}, {ErrorCode.INPUT: 2})
    two = Facets(3, {}, {}, {}, {}, {}, {}, {ErrorCode.INPUT: 2, ErrorCode.DEADLINE: 1})
    assert "code" not in [facet.name for facet in build_facets(one, Filter())]
    assert "code" in [facet.name for facet in build_facets(two, Filter())]
