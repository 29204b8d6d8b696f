"""What packs bring is read from the pace of the requests, and what is missing is said."""

from __future__ import annotations

import pytest

from redzone.bench.measure.packs import ceiling, explain, pack_stages, speed_up, steady_posters_per_min, use
from redzone.bench.measure.profiles import choose
from tests.bench.measure.samples import bench, packed, stage


def test_a_pack_passes_the_limit_of_requests_by_its_size() -> None:
    """120 requests a minute are 1,920 posters, 16 in each; the smallest pack is what the others are
    compared with."""
    found = packed((16, 120), (1, 120), rpm=120)
    large, single = found.stages
    assert (steady_posters_per_min(large), steady_posters_per_min(single)) == (1920, 120)
    assert (speed_up(found, large), speed_up(found, single)) == (16, 1)
    assert use(large) == 1.0
    assert (ceiling(large), ceiling(packed((4, 120)).stages[0])) == (1920, None)
    said = explain(found)
    assert (
        said[0] == "16 posters a request: 1,920 posters a minute, 16.0 times the 120 of 1 poster a request."
    )
    assert [("labels" in line) for line in said] == [False, True]


def test_what_keeps_a_pack_from_its_limit_is_said() -> None:
    """Requests beyond those of full packs, a limit that was not used up, errors, answers 429."""
    short = stage(
        "pack 4",
        pack=4,
        posters=160,
        requests=50,
        rpm=120,
        steady_requests_per_min=90.0,
        request_use=0.75,
        rejected=1,
        errors=2,
    )
    said = explain(bench(short, kind="pack"))
    assert said[:2] == (
        "4 posters a request: 288 posters a minute; no larger pack was faster.",
        (
            "4 posters a request: 60% of 4 x 120 a minute. 75% of the limit was used (limited by workers); "
            "10 of 50 requests were fallbacks, retries, or packs that were not full."
        ),
    )
    assert [word in line for word, line in zip(("2 of 160", "1 request got"), said[2:], strict=False)] == [
        True
    ] * 2


def test_a_stage_of_one_request_has_the_rate_of_its_outcomes() -> None:
    """There is no time between its first start and its last."""
    one = stage("pack 16", pack=16, posters=16, requests=1, seconds=8.0, steady_requests_per_min=None)
    assert steady_posters_per_min(one) == pytest.approx(120)
    assert len(explain(bench(one, kind="pack"))) == 2


def test_every_pack_gets_what_passes_the_limit_in_20_s_or_four_answers() -> None:
    """At 120 a minute 40 requests, of sixteen posters 204, as an answer takes 25.5 s; 40 without a limit; the
    most posters of a stage are kept."""
    seed, quick = (pack_stages((1, 4, 16), choose("seed", scale=scale), 4000) for scale in (1.0, 0.1))
    assert [(s.name, s.posters, s.pack, s.workers) for s in seed] == [
        ("pack 1", 40, 1, None),
        ("pack 4", 240, 4, None),
        ("pack 16", 3264, 16, None),
    ]
    assert [s.posters for s in quick] == [40, 160, 640]
    assert [s.posters for s in pack_stages((1, 16), choose("unlimited"), 4000)] == [40, 640]
    assert [s.posters for s in pack_stages((1, 16), choose("tier5"), 4000)] == [4000, 4000]
