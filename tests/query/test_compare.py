"""Two runs of a list held against each other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from redzone.bench.simulator.server import SimulatorOptions
from redzone.models import Outcome, Status, ViewKind
from redzone.query import Change, GroupFigures, RunIndex, compare, run_before, trends
from redzone.runs import RecordedState, RunInputs, RunRecord, RunStore
from redzone.runs.reviews import append_reviews
from tests.outcomes import outcome
from tests.query.runs import run_of
from tests.simulated import Run, poster_list, simulated

NOW = datetime(2026, 10, 4, 9, 0, tzinfo=UTC)


def of(poster: str, row: int, status: Status, picture: str = "aa", image: str = "") -> Outcome:
    """An outcome about a poster of that id."""
    url = image or f"https://posters.example/{poster}.jpg"
    return outcome(row, status, id=poster, image=url, image_sha256=picture * 32, group="award")


def browsers(tmp_path: Path, before: list[Outcome], after: list[Outcome]) -> tuple[RunIndex, RunIndex]:
    return RunIndex(run_of(tmp_path / "a", before)), RunIndex(run_of(tmp_path / "b", after))


def test_changes_are_told_by_what_they_mean(tmp_path: Path) -> None:
    """Whatever the rows are now; and whether it is the picture that changed or only the answer."""
    before = [
        of("worse", 1, Status.PASS),
        of("mended", 2, Status.FAIL),
        of("lost", 3, Status.PASS),
        of("same", 4, Status.UNSURE),
        of("gone", 5, Status.PASS),
        of("found", 6, Status.ERROR),
    ]
    after = [
        of("found", 1, Status.FAIL),
        of("mended", 2, Status.PASS, "bb"),
        of("same", 3, Status.UNSURE, "bb"),
        of("worse", 4, Status.FAIL),
        of("lost", 5, Status.ERROR),
        of("new", 6, Status.FAIL),
    ]
    one, other = browsers(tmp_path, before, after)
    with one, other:
        found = compare(one, other)
        assert [item.row.id for item in other.get_many([change.row_after for change in found.fixed])] == [
            "mended"
        ]
    assert found.newly_failing == (
        Change(6, 1, Status.ERROR, Status.FAIL, same_picture=True),
        Change(1, 4, Status.PASS, Status.FAIL, same_picture=True),
    )
    assert found.fixed == (Change(2, 2, Status.FAIL, Status.PASS, same_picture=False),)
    assert found.flipped == (Change(3, 5, Status.PASS, Status.ERROR, same_picture=True),)
    assert (found.unchanged, found.only_before, found.only_after) == (1, 1, 1)


def test_a_poster_with_a_new_address_is_the_same_by_its_id(tmp_path: Path) -> None:
    """Mended artwork often has one; but not where several have the id, or the id is only the row's number."""
    before = [
        of("mended", 1, Status.FAIL, image="https://posters.example/v1.jpg"),
        of("twice", 2, Status.FAIL, image="https://posters.example/a.jpg"),
        of("twice", 3, Status.FAIL, image="https://posters.example/b.jpg"),
        of("4", 4, Status.FAIL, image="https://posters.example/four.jpg"),
    ]
    after = [
        of("mended", 1, Status.PASS, "bb", image="https://posters.example/v2.jpg"),
        of("twice", 2, Status.PASS, image="https://posters.example/c.jpg"),
        of("4", 4, Status.PASS, image="https://posters.example/other.jpg"),
    ]
    one, other = browsers(tmp_path, before, after)
    with one, other:
        found = compare(one, other)
    assert found.fixed == (Change(1, 1, Status.FAIL, Status.PASS, same_picture=False),)
    assert (found.unchanged, found.only_before, found.only_after) == (0, 3, 2)


def test_two_real_runs_of_a_list(tmp_path: Path) -> None:
    """The same answers twice; then a person overrules one, and that is what changed."""
    with simulated(SimulatorOptions(poster_size=(60, 90))) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 24)
        first, second = Run(tmp_path, simulator), Run(tmp_path, simulator)
        first.begin(posters)
        second.begin(posters)
    assert first.folder is not None
    assert second.folder is not None
    store = RunStore(first.home)
    with RunIndex(first.folder) as one, RunIndex(second.folder) as other:
        groups = other.groups()
        assert {group.name: group.total for group in groups} == {"group0": 8, "group1": 8, "group2": 8}
        assert sum(sum(counts.values()) for counts in other.days().values()) == 24
        assert sum(sum(one.counts.values()) for one in other.confidence()) == 24
        assert [trend.change_points for trend in trends(groups, one.groups())] == [0.0] * 3
        assert compare(one, other).unchanged == 24

        passing = next(item for item in other.reviewed_outcomes() if item.status is Status.PASS)
        append_reviews(second.folder.reviews_path, [passing.judge("ann", NOW, Status.FAIL)])
        row = passing.row.row
        assert compare(one, other).newly_failing == (
            Change(row, row, Status.PASS, Status.FAIL, same_picture=True),
        )
        assert other.agreement().pairs == {(Status.PASS, Status.FAIL): 1}
        assert other.agreement().agreed_pct == 0.0
        trend = next(one for one in trends(other.groups(), one.groups()) if one.now.name == passing.row.group)
        assert trend.change_points is not None
        assert trend.change_points < 0
    earlier = run_before(store.newest_first(), second.folder.read())
    assert earlier is not None
    assert earlier.id == first.folder.id


def record(
    number: int, state: RecordedState = RecordedState.FINISHED, path: str = "/lists/a.csv"
) -> RunRecord:
    """The run of a day."""
    return RunRecord(
        id=f"202610{number:02}-120000-abcd",
        created_at=NOW + timedelta(days=number),
        version="0.1.0",
        inputs=RunInputs(paths=(path,)),
        input_sha256=f"{number % 2}" * 64,
        rows=5,
        zones=(),
        provider="local",
        model="local",
        view=ViewKind.CROP,
        state=state,
        counts={"pass": 0},
    )


def test_the_run_before_is_the_newest_older_one_of_the_same_list_that_found_something(tmp_path: Path) -> None:
    """By the path; standard input by its content."""
    store = RunStore(tmp_path)
    runs = [
        record(1),
        record(2),
        record(3, path="/lists/b.csv"),
        record(4, RecordedState.RUNNING),
        record(5),
        record(6, path="-"),
        record(7, path="-"),
        record(8, path="-"),
    ]
    for run in runs:
        store.create(run)
    before = {run.id[6:8]: run_before(store.newest_first(), run) for run in runs}
    assert {day: found.id[6:8] if found else None for day, found in before.items()} == {
        "01": None,
        "02": "01",
        "03": None,
        "04": "02",
        "05": "02",
        "06": None,
        "07": None,
        "08": "06",
    }


@pytest.mark.parametrize(("passed", "failed", "rate"), [(3, 1, 75.0), (0, 2, 0.0), (0, 0, None)])
def test_a_pass_rate_is_of_what_was_decided(passed: int, failed: int, rate: float | None) -> None:
    """Unsure and error say nothing about a poster; where nothing is decided there is no rate and no trend."""
    counts = {Status.PASS: passed, Status.FAIL: failed, Status.UNSURE: 7, Status.ERROR: 7}
    group, decided = GroupFigures("award", counts), GroupFigures("award", counts | {Status.PASS: 1})
    assert group.pass_rate_pct == rate
    assert [trend.change_points for trend in trends([group], [])] == [None]
    (trend,) = trends([group], [decided])
    assert (trend.change_points is None) is (rate is None)
