"""Two saved benches: ratios, what is better, and what makes them hard to compare."""

from __future__ import annotations

from pathlib import Path

import pytest

from redzone.bench.measure.compare import compare
from redzone.bench.measure.profiles import Profile
from redzone.bench.measure.result_file import load_bench
from redzone.errors import InputUnusable
from tests.bench.measure.samples import bench, stage


def test_a_ratio_is_later_over_earlier_and_its_verdict_knows_the_direction() -> None:
    """More posters a minute are better, more processor time is worse, a hundredth is nothing."""
    before = bench(stage())
    after = bench(stage(seconds=5.0, cpu_ms_per_poster=6.0, peak_bytes=90_500_000, image_bytes=None))
    (found,) = compare(before, after).stages
    lines = {line.label: line for line in found.lines}
    assert (lines["posters/min"].ratio_text, lines["posters/min"].verdict) == ("2.00x", "better")
    assert (lines["seconds/poster"].ratio_text, lines["seconds/poster"].verdict) == ("0.50x", "better")
    assert (lines["CPU ms/poster"].ratio_text, lines["CPU ms/poster"].verdict) == ("1.50x", "worse")
    assert lines["peak memory"].verdict == "same"
    assert (lines["images fetched"].ratio_text, lines["images fetched"].verdict) == ("-", "")


def test_processor_time_within_its_error_is_the_same() -> None:
    """4.0 +-0.5 and 4.8 +-0.5 milliseconds may be one figure."""
    (found,) = compare(bench(stage()), bench(stage(cpu_ms_per_poster=4.8))).stages
    assert next(line for line in found.lines if line.label == "CPU ms/poster").verdict == "same"


def test_what_differs_besides_is_said() -> None:
    """Profile, scale, stages that only one has, sizes of stages."""
    before = bench(stage("parallel"), stage("stress"))
    after = bench(stage("parallel", posters=20), profile=Profile(name="other", latency_s=1.0), scale=0.1)
    remarks = compare(before, after).remarks
    assert remarks[0].startswith(
        "The profile differs: A name made, latency_s 2.0, B name other, latency_s 1.0"
    )
    assert remarks[1] == "The scale differs: A 1.0, B 0.1. The ratios include that difference."
    assert remarks[2] == "Only A has stress."
    assert remarks[3] == "parallel: A has 50 posters and 10 workers, B 20 and 10."


def test_equal_benches_have_nothing_to_remark() -> None:
    """Every figure is the same."""
    found = compare(bench(), bench())
    assert found.remarks == ()
    assert {line.verdict for part in found.stages for line in part.lines} <= {"same", ""}


def test_a_saved_bench_comes_back_equal(tmp_path: Path) -> None:
    """Curves and all."""
    file = tmp_path / "bench.json"
    file.write_text(bench().render())
    assert load_bench(file) == bench()


@pytest.mark.parametrize(
    ("text", "says"),
    [("{}", "not a saved bench"), ("no JSON", "not a saved bench"), (bench(stages=()).render(), "no stages")],
)
def test_another_file_is_refused_with_the_reason(tmp_path: Path, text: str, says: str) -> None:
    """It names the file and what it should have been."""
    file = tmp_path / "bench.json"
    file.write_text(text)
    with pytest.raises(InputUnusable, match=says):
        load_bench(file)
    with pytest.raises(InputUnusable, match="No such file"):
        load_bench(tmp_path / "nowhere.json")
