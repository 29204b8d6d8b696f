"""What holds a stage back follows from its figures."""

from __future__ import annotations

from typing import Any

import pytest

from redzone.bench.measure.advice import advise, find_bottleneck
from redzone.diagnostics import Topic
from tests.bench.measure.samples import bench, shares, stage


@pytest.mark.parametrize(
    ("figures", "brake"),
    [
        ({"rpm": 120, "request_use": 0.97}, Topic.REQUESTS),
        ({"rpm": 500, "request_use": 0.4, "tpm": 200_000, "token_use": 0.95}, Topic.TOKENS),
        ({"rpm": 500, "request_use": 0.9, "tpm": 200_000, "token_use": 0.95}, Topic.TOKENS),
        ({"seconds": 0.25}, Topic.CPU),
        ({"posters": 15}, Topic.POSTERS),
        ({"shares": shares(total_s=5.0, wait_s=3.0)}, Topic.POSTERS),
        ({"shares": shares(total_s=5.0, wait_s=3.0), "rejected": 2}, Topic.REJECTIONS),
        ({"shares": shares(fetch_s=1.2, model_s=0.7)}, Topic.IMAGES),
        ({"rpm": 500, "request_use": 0.6}, Topic.WORKERS),
        ({"cpu_ms_per_poster": None}, Topic.WORKERS),
    ],
)
def test_the_brake_is_what_is_used_up(figures: dict[str, Any], brake: Topic) -> None:
    """A limit before the processor, the processor before the crew."""
    found = stage(**figures)
    assert find_bottleneck(found) is brake
    assert advise(bench(found))[0]


def test_advice_for_a_limit_says_how_many_workers_are_enough() -> None:
    """300 a minute at 2 s each are ten in hand."""
    (said,) = advise(bench(stage(rpm=310, request_use=0.97)))
    assert said == (
        "97 % of the limit of 310 requests per minute is used: more workers will not help "
        "(10 workers are enough); ask the provider for a higher limit or use --pack."
    )


def test_advice_for_workers_names_a_number_that_the_limit_bears() -> None:
    """600 a minute at 2 s each are 20 in hand, and a third more for the spread."""
    (said,) = advise(bench(stage(rpm=600, request_use=0.5)))
    assert "50 % of the limit is unused" in said
    assert said.endswith("try --workers 26.")


def test_errors_rejections_and_second_requests_are_told() -> None:
    """Each in a sentence of its own, and only where there are some."""
    said = advise(bench(stage(errors=3, rejected=2, requests=70)))
    assert [
        word in line for word, line in zip(("3 of 50", "2 requests", "20 of 70"), said[1:], strict=True)
    ] == [True] * 3
    assert len(advise(bench(stage()))) == 1
