"""A sweep's knee is where its figures bend, and Little's law says where that should be."""

from __future__ import annotations

import pytest

from redzone.bench.measure.sweep import WORKERS, efficiency, explain, find_knee, sweep_stages
from tests.bench.measure.samples import swept


def test_the_knee_is_where_the_limit_begins_to_rule() -> None:
    """30 a minute for each worker until 500 are allowed: linear to 10, knee at 20, Little says 16.7."""
    found = swept((1, 30), (2, 60), (5, 150), (10, 299), (20, 495), (50, 498), rpm=500)
    knee = find_knee(found)
    assert (knee.linear_to, knee.knee, knee.one_per_min, knee.best_per_min) == (10, 20, 30, 498)
    assert knee.bound == "the limit of requests"
    assert knee.little == pytest.approx(500 / 60 * 2.0)
    assert knee.reached
    assert explain(knee)[2] == (
        "Little's law: 8.3 posters a second (the limit of requests) x 2.00 s of work each "
        "= 16.7 posters in progress."
    )
    assert efficiency(found, found.stages[-1]) == pytest.approx(498 / 1500)


def test_without_a_limit_one_processor_is_the_ceiling() -> None:
    """4 ms a poster are 15,000 a minute; a sweep that stays below says how far it came."""
    knee = find_knee(swept((1, 300), (10, 3000)))
    assert (knee.bound, knee.ceiling_per_min) == ("one processor, all of it", 15_000)
    assert (knee.linear_to, knee.knee) == (10, 10)
    assert not knee.reached
    assert explain(knee)[2].endswith("The sweep reached 20% of that rate.")


def test_a_sweep_of_one_crew_is_linear_as_far_as_it_goes() -> None:
    """Nothing to compare with, nothing to divide by."""
    knee = find_knee(swept((5, 150)))
    assert (knee.linear_to, knee.knee, knee.one_per_min) == (5, 5, 30)


def test_every_crew_gets_enough_posters_and_none_more_than_the_limit_passes() -> None:
    """Five for each worker, ten at least; under 480 a minute what passes in 15 s."""
    free, limited = sweep_stages(WORKERS, None, None), sweep_stages(WORKERS, 480, None)
    assert [stage.posters for stage in free] == [10, 10, 25, 50, 100, 250, 500, 1000]
    assert [stage.posters for stage in limited] == [10, 10, 25, 50, 100, 120, 120, 120]
    assert [stage.posters for stage in sweep_stages((1, 200), 6, 4)] == [4, 4]
    assert sweep_stages((1, 2), None, None)[0].name == "1 worker"
