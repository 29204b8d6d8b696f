"""A run's results: the input's rows, what was found of them, what people said, and what a filter leaves."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redzone.inputs import InputSpec, open_inputs
from redzone.models import Outcome, Source, Status, ViewKind, Zone
from redzone.query import Filter
from redzone.reports.results import Results, open_results, write_outputs
from redzone.review import ReviewedOutcome
from redzone.runs import RunInputs, RunRecord, RunStore
from redzone.runs.checkpoint import render_outcome
from redzone.runs.reviews import append_reviews
from tests.outcomes import outcome
from tests.query.runs import wants

NOW = datetime(2026, 10, 4, 9, 0, tzinfo=UTC)
HEADER = "content_id,poster_img_url,content_name,sot_name,season"
GROUPS = ("award", "just_added")


def found(row: int, status: Status) -> Outcome:
    """The outcome of a row of `results_of`'s list."""
    source = None if status is Status.ERROR else Source.MODEL
    return outcome(row, status, id=f"p{row}", title=f"Film {row}", group=GROUPS[row % 2], source=source)


@contextmanager
def results_of(rows: int, outcomes: list[Outcome]) -> Iterator[tuple[Results, Path]]:
    """The results of a run over a list of so many rows."""
    with TemporaryDirectory() as place:
        path = Path(place) / "list.csv"
        lines = [
            f"p{n},https://posters.example/{n}.jpg,Film {n},{GROUPS[n % 2]},{n}" for n in range(1, rows + 1)
        ]
        path.write_text("\n".join([HEADER, *lines]) + "\n")
        survey = open_inputs(InputSpec((str(path),))).survey()
        record = RunRecord(
            id="20261003-120000-abcd",
            created_at=NOW,
            version="0.1.0",
            inputs=RunInputs(paths=(str(path),)),
            input_sha256=survey.sha256,
            rows=rows,
            columns=survey.columns,
            zones=(Zone(name="red", x=0.0, y=0.0, w=0.6, h=0.1),),
            provider="openai",
            model="gpt-6-luna",
            view=ViewKind.CROP,
        )
        folder = RunStore(Path(place) / "home").create(record)
        folder.checkpoint_path.write_bytes(b"".join(map(render_outcome, outcomes)))
        with open_results(folder) as results:
            yield results, path


@given(
    st.dictionaries(st.integers(1, 8), st.sampled_from(Status)),
    st.sampled_from(
        [
            (),
            (("status", "fail"),),
            (("group", "award"),),
            (("reviewed", "no"), ("text", "film 3")),
            (("source", "model"), ("group", "just_added")),
            (("text", "P4"),),
        ]
    ),
)
@settings(max_examples=30, deadline=None)
def test_rows_come_in_input_order_with_what_the_filter_leaves(
    statuses: dict[int, Status], query: tuple[tuple[str, str], ...]
) -> None:
    """Each row of the input once with all its columns, pending ones where the filter can admit them."""
    wanted = Filter.from_query(query)
    outcomes = {row: found(row, status) for row, status in statuses.items()}
    with results_of(8, list(reversed(outcomes.values()))) as (results, _):
        reviewed_outcomes = list(results.reviewed_outcomes(wanted))
        everything = list(results.reviewed_outcomes())
    assert [one.row.row for one in everything] == list(range(1, 9))
    assert {one.row.row: one.outcome for one in everything if one.outcome} == outcomes
    assert [one.row.columns["season"] for one in everything] == [str(n) for n in range(1, 9)]
    assert reviewed_outcomes == [
        one for one in everything if (wants if one.outcome else _admitted)(wanted, one)
    ]


def _admitted(wanted: Filter, reviewed: ReviewedOutcome) -> bool:
    return wanted.admits_pending(reviewed.row)


def test_an_export_has_what_counts_after_review_and_filters_by_it() -> None:
    """In the very next export, beside what the model said."""
    with results_of(3, [found(1, Status.FAIL), found(2, Status.FAIL)]) as (results, _):
        path = results.browser.folder.reviews_path
        first = results.browser.get(1)
        assert first is not None
        append_reviews(path, [first.judge("ann", NOW, Status.PASS, "only the sky")])
        passing = Filter(statuses=frozenset({Status.PASS}))
        stream = io.StringIO(newline="")
        assert list(write_outputs(results, ["-"], passing, stream)) == []
    (row,) = csv.DictReader(io.StringIO(stream.getvalue()))
    assert (row["content_id"], row["season"], row["status"], row["original_status"]) == (
        "p1",
        "1",
        "pass",
        "fail",
    )
    assert (row["reviewed"], row["reviewed_by"], row["justification"]) == ("true", "ann", "only the sky")


def test_a_list_that_has_changed_gives_the_outcomes_alone() -> None:
    """Without its further columns and pending rows, which nobody knows any more."""
    with results_of(3, [found(1, Status.PASS), found(3, Status.FAIL)]) as (results, path):
        path.write_text(f"{HEADER}\n")
        with open_results(results.browser.folder) as again:
            reviewed_outcomes = list(again.reviewed_outcomes())
            assert again.layout.input_columns == ("row", "id", "title", "group", "image")
        assert [one.row.columns["id"] for one in reviewed_outcomes] == ["p1", "p3"]


@pytest.mark.parametrize("rows", [[9], [1, 9]])
def test_an_outcome_of_a_row_that_the_list_does_not_have_is_left_out(rows: list[int]) -> None:
    """`redzone check` counts it as unexpected."""
    with results_of(2, [found(row, Status.PASS) for row in rows]) as (results, _):
        assert [one.row.row for one in results.reviewed_outcomes()] == [1, 2]
        assert [one.status for one in results.reviewed_outcomes()] == [
            Status.PASS if 1 in rows else None,
            None,
        ]
