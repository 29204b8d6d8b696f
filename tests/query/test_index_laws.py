"""Laws of browsing: the tables say what a plain reader of the files would, however the files grew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from redzone.errors import ErrorCode
from redzone.models import ElementKind, Outcome, Source, Status
from redzone.query import Comparison, Filter, RunIndex, Sort, compare
from redzone.review import Review, ReviewedOutcome
from redzone.runs import RunFolder
from redzone.runs.checkpoint import render_intent, render_outcome
from redzone.runs.reviews import render_review
from tests.any_outcome import outcomes
from tests.query.runs import chosen, key_of, plainly_read, row_of, run_of, wants

NOW = datetime(2026, 10, 4, 9, 0, tzinfo=UTC)
K = TypeVar("K")
# few letters, so that texts are found in each other; some change their length with their case
WORDS = st.text("aAbßİ%_\0ﬁ", max_size=3)
GROUPS = st.sampled_from(["", "award", "Award", "new"])
PER_CENT = st.sampled_from([0.0, 12.5, 50.0, 99.9, 100.0])
FILTERS = st.builds(
    Filter,
    statuses=st.frozensets(st.sampled_from(Status), max_size=2),
    groups=st.frozensets(GROUPS, max_size=2),
    confidence_min=st.none() | PER_CENT,
    confidence_max=st.none() | PER_CENT,
    kinds=st.frozensets(st.sampled_from(ElementKind), max_size=2),
    reviewed=st.none() | st.booleans(),
    disagreed=st.none() | st.booleans(),
    sources=st.frozensets(st.sampled_from(Source), max_size=2),
    codes=st.frozensets(st.sampled_from([ErrorCode.FETCH_HTTP_404, ErrorCode.INPUT]), max_size=1),
    text=WORDS,
)
ANY_FILTER = st.builds(
    Filter,
    statuses=st.frozensets(st.sampled_from(Status)),
    groups=st.frozensets(st.text(st.characters())),
    confidence_min=st.none() | st.floats(0, 100),
    confidence_max=st.none() | st.floats(0, 100),
    kinds=st.frozensets(st.sampled_from(ElementKind)),
    reviewed=st.none() | st.booleans(),
    disagreed=st.none() | st.booleans(),
    sources=st.frozensets(st.sampled_from(Source)),
    codes=st.frozensets(st.sampled_from(ErrorCode)),
    text=st.text(st.characters()),
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Outcome], list[Review]]:
    """What was recorded in a run and what people said of it, each in its order."""
    rounded = st.builds(
        lambda one, group, pct: one.model_copy(
            update={
                "id": f"id{one.row}",
                "image": f"https://posters.example/{one.row}.jpg",
                "group": group,
                "zones": tuple(zone.model_copy(update={"confidence_pct": pct}) for zone in one.zones),
            }
        ),
        outcomes(WORDS, st.integers(1, 6)),
        GROUPS,
        PER_CENT,
    )
    recorded = draw(st.lists(rounded, max_size=9))
    said = []
    for outcome in draw(st.lists(st.sampled_from(recorded), max_size=6)) if recorded else ():
        reviewed, by = ReviewedOutcome(row_of(outcome), outcome), draw(st.sampled_from(["ann", "ben"]))
        status, text = draw(st.sampled_from([Status.PASS, Status.FAIL, Status.UNSURE])), draw(WORDS)
        events = (
            reviewed.judge(by, NOW, status),
            reviewed.judge(by, NOW, status, text),
            reviewed.justify(by, NOW, text),
            reviewed.annotate(by, NOW, text),
            reviewed.undo(by, NOW),
        )
        said.append(draw(st.sampled_from(events)))
    return recorded, said


@contextmanager
def browsed(history: tuple[list[Outcome], list[Review]]) -> Iterator[tuple[RunIndex, list[ReviewedOutcome]]]:
    with TemporaryDirectory() as place:
        folder = run_of(Path(place), *history)
        with RunIndex(folder) as browser:
            yield browser, plainly_read(folder)


@given(ANY_FILTER)
def test_a_filter_comes_back_from_its_query(wanted: Filter) -> None:
    """from_query(f.to_query()) == f, with any other names in between."""
    assert Filter.from_query(wanted.to_query()) == wanted
    assert Filter.from_query([("page", "2"), *wanted.to_query(), ("status", ""), ("sort", "row")]) == wanted


@given(histories(), st.lists(st.tuples(FILTERS, st.sampled_from(Sort)), min_size=1, max_size=6))
@settings(max_examples=50, deadline=None)
def test_a_page_holds_what_a_plain_filter_and_sort_would(
    history: tuple[list[Outcome], list[Review]], asked: list[tuple[Filter, Sort]]
) -> None:
    """Of any filter and order: rows, pages cut from them, and the findings themselves."""
    with browsed(history) as (browser, reviewed_outcomes):
        for wanted, sort in asked:
            expected = chosen(reviewed_outcomes, wanted, sort)
            assert browser.rows(wanted, sort) == tuple(one.row.row for one in expected)
            for number in (1, 2, 9):
                page = browser.page(wanted, sort, number, 2)
                assert page.items == tuple(expected[2 * number - 2 : 2 * number])
                assert page.total == len(expected)
            assert list(browser.reviewed_outcomes(wanted)) == chosen(reviewed_outcomes, wanted, Sort.ROW)


@given(histories(), FILTERS, st.sampled_from(Sort))
@settings(max_examples=50, deadline=None)
def test_neighbours_are_those_beside_it_in_the_list(
    history: tuple[list[Outcome], list[Review]], wanted: Filter, sort: Sort
) -> None:
    """For a finding that the filter does not want, those between which it would stand."""
    with browsed(history) as (browser, reviewed_outcomes):
        expected = chosen(reviewed_outcomes, wanted, sort)
        for reviewed in reviewed_outcomes:
            key = key_of(sort, reviewed)
            before = [one.row.row for one in expected if key_of(sort, one) < key]
            behind = [one.row.row for one in expected if key_of(sort, one) > key]
            found = browser.neighbours(wanted, sort, reviewed.row.row)
            assert found is not None
            assert found.previous == (before[-1] if before else None)
            assert found.next == (behind[0] if behind else None)
            assert found.position == (len(before) + 1 if wants(wanted, reviewed) else None)
            assert found.total == len(expected)


@given(histories(), FILTERS)
@settings(max_examples=50, deadline=None)
def test_a_facet_counts_what_choosing_it_would_show(
    history: tuple[list[Outcome], list[Review]], wanted: Filter
) -> None:
    """For each value the total of the filter with that value alone in its part."""
    with browsed(history) as (browser, reviewed_outcomes):

        def total(**part: object) -> int:
            return sum(wants(replace(wanted, **part), one) for one in reviewed_outcomes)  # type: ignore[arg-type]  # one field

        found = browser.facets(wanted)
        assert found.total == total()
        assert found.statuses == _some({one: total(statuses=frozenset({one})) for one in Status})
        assert found.kinds == _some({one: total(kinds=frozenset({one})) for one in ElementKind})
        assert found.sources == _some({one: total(sources=frozenset({one})) for one in Source})
        assert found.codes == _some({one: total(codes=frozenset({one})) for one in ErrorCode})
        assert found.reviewed == _some({one: total(reviewed=one) for one in (True, False)})
        assert found.disagreed == _some({one: total(disagreed=one) for one in (True, False)})
        names = {one.row.group for one in reviewed_outcomes}
        assert found.groups == _some({name: total(groups=frozenset({name})) for name in names})


def _some(counts: dict[K, int]) -> dict[K, int]:
    return {value: count for value, count in counts.items() if count}


@given(histories(), FILTERS)
@settings(max_examples=50, deadline=None)
def test_figures_count_what_is_wanted(history: tuple[list[Outcome], list[Review]], wanted: Filter) -> None:
    """By group, day and confidence; and the run against the people who judged."""
    with browsed(history) as (browser, reviewed_outcomes):
        mine = [one for one in reviewed_outcomes if wants(wanted, one)]
        groups = {group.name: group.counts for group in browser.groups(wanted)}
        days, bins = browser.days(wanted), browser.confidence(wanted, 4)
        agreement = browser.agreement(wanted)
    for name, counts in groups.items():
        assert Counter(counts) == Counter(one.status for one in mine if one.row.group == name)
    assert sum(map(sum, (counts.values() for counts in groups.values()))) == len(mine)
    by_day = Counter((one.outcome.finished_at.date(), one.status) for one in mine if one.outcome)
    assert {(day, status): n for day, counts in days.items() for status, n in counts.items() if n} == by_day
    sure = [min(z.confidence_pct for z in o.outcome.zones) for o in mine if o.outcome and o.outcome.zones]
    assert [sum(one.counts.values()) for one in bins] == [
        sum(low <= pct < low + 25 or pct == low + 25 == 100 for pct in sure) for low in (0, 25, 50, 75)
    ]
    judged = [one for one in mine if one.judged]
    assert agreement.pairs == Counter((one.original_status, one.status) for one in judged)
    assert agreement.disagreed == sum(one.disagreed for one in judged)


@given(histories(), histories())
@settings(max_examples=25, deadline=None)
def test_a_comparison_read_backwards_tells_the_same(
    one: tuple[list[Outcome], list[Review]], other: tuple[list[Outcome], list[Review]]
) -> None:
    """Every finding is changed, unchanged or in one run only; with itself a run agrees."""
    with browsed(one) as (before, reviewed_outcomes), browsed(other) as (after, later):
        found, back, same = compare(before, after), compare(after, before), compare(before, before)
    changes = (*found.newly_failing, *found.fixed, *found.flipped)
    mirrored = {(c.row_after, c.row_before, c.after, c.before, c.same_picture) for c in changes}
    assert mirrored == {
        (c.row_before, c.row_after, c.before, c.after, c.same_picture)
        for c in (*back.newly_failing, *back.fixed, *back.flipped)
    }
    assert len(reviewed_outcomes) == len(changes) + found.unchanged + found.only_before
    assert len(later) == len(changes) + found.unchanged + found.only_after
    assert (back.unchanged, back.only_before) == (found.unchanged, found.only_after)
    assert same == Comparison((), (), (), len(reviewed_outcomes), 0, 0)


@given(histories(), st.data())
@settings(max_examples=50, deadline=None)
def test_however_the_files_grew_the_tables_are_the_same(
    history: tuple[list[Outcome], list[Review]], data: st.DataObject
) -> None:
    """Read after each of any portions, torn lines among them, or all at once in the end."""
    lines = [render_intent(1, "m", NOW), *map(render_outcome, history[0])]
    portions = [
        _portions(b"".join(lines), data),
        _portions(b"".join(map(render_review, history[1])), data),
    ]
    turns = data.draw(st.permutations([0] * len(portions[0]) + [1] * len(portions[1])))
    with TemporaryDirectory() as place, RunIndex(RunFolder(Path(place))) as browser:
        folder = browser.folder
        for turn in turns:
            path = (folder.checkpoint_path, folder.reviews_path)[turn]
            with path.open("ab") as file:
                file.write(portions[turn].pop(0))
            browser.rows()
        grown = (list(browser.reviewed_outcomes()), browser.facets(), browser.agreement())
        browser.close()
        folder.browse_path.unlink()
        assert grown == (list(browser.reviewed_outcomes()), browser.facets(), browser.agreement())
        assert grown[0] == plainly_read(folder)


def _portions(content: bytes, data: st.DataObject) -> list[bytes]:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=3)))
    return [content[a:b] for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True)]
