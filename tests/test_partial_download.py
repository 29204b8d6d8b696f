"""Judging posters by the beginning of their files, through the real wiring, against the simulator."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path

import pytest

from redzone.bench.simulator.artwork import poster_file
from redzone.bench.simulator.faults import Fault
from redzone.bench.simulator.server import Simulator, SimulatorOptions
from redzone.errors import ErrorCode
from redzone.models import VIEW_PREFIX, Source
from redzone.net.byte_ranges import START_BYTES
from tests.conftest import Invoke
from tests.simulated import Run, measured, model_requests, poster_list, simulated, write_list

LARGE, GRAIN = (600, 900), 0.2
BY_FILE, BY_VIEW = re.compile(r"[0-9a-f]{64}"), re.compile(VIEW_PREFIX + r"[0-9a-f]{64}")


def large(faults: dict[Fault, float] | None = None) -> SimulatorOptions:
    """Posters of some 130 KB, twice what is asked for at first."""
    return SimulatorOptions(poster_size=LARGE, poster_grain=GRAIN, faults=faults or {}, seed=1)


def downloads(simulator: Simulator) -> dict[int | None, int]:
    """Answers to requests for posters, by status."""
    return Counter(record.status for record in simulator.log if record.poster and not record.asks_model)


def sent_bytes(simulator: Simulator) -> int:
    return sum(record.sent_bytes for record in simulator.log if record.poster and not record.asks_model)


def test_the_verdicts_are_those_of_whole_files_for_half_of_the_bytes(tmp_path: Path) -> None:
    """One request for each poster, 64 KiB of it, and the model sees the very same pictures."""
    zones, seen = [], []
    for partial in (False, True):
        with simulated(large()) as simulator:
            run = Run(tmp_path / str(partial), simulator, partial_download=partial, min_confidence_pct=0)
            run.home.mkdir(parents=True)
            end = run.begin(poster_list(tmp_path / "list.csv", simulator, 6))
            assert measured(end).image_bytes == sent_bytes(simulator)
            zones.append({row: outcome.zones for row, outcome in run.by_row.items()})
            seen.append({record.image_sha256 for record in model_requests(simulator)})
            if partial:
                assert downloads(simulator) == {206: 6}
                assert sent_bytes(simulator) == 6 * START_BYTES
    assert zones[0] == zones[1]
    assert seen[0] == seen[1]
    assert all(BY_VIEW.fullmatch(outcome.image_sha256 or "") for outcome in run.outcomes)


def test_a_rung_that_shows_the_whole_poster_fetches_the_rest(tmp_path: Path) -> None:
    """After a refusal of the crop: the rest once, not the start again; the ladder is as with whole files."""
    with simulated(large({Fault.REFUSAL: 1.0})) as simulator:
        run = Run(tmp_path, simulator, partial_download=True, breaker_failures=1000)
        end = run.begin(poster_list(tmp_path / "list.csv", simulator, 3))
        assert downloads(simulator) == {206: 6}
        assert (
            measured(end).image_bytes
            == sent_bytes(simulator)
            == sum(len(poster_file(number, LARGE, ".jpg", GRAIN)) for number in (1, 2, 3))
        )
        assert len(model_requests(simulator)) == 6
    assert {outcome.attempts for outcome in run.outcomes} == {2}


def test_equal_views_are_asked_about_once_in_flight_and_later(tmp_path: Path) -> None:
    """Ten addresses of one picture cost one request, and the next run none, under new addresses either."""
    with simulated(large()) as simulator:
        for first, source in ((0, Source.MODEL), (10, Source.CACHE)):
            urls = [f"{simulator.poster_url(1)}?copy={copy}" for copy in range(first, first + 10)]
            run = Run(tmp_path, simulator, partial_download=True, min_confidence_pct=0)
            run.begin(write_list(tmp_path / "list.csv", urls))
            sources = Counter(outcome.source for outcome in run.outcomes)
            assert sources[source] + sources[Source.DUPLICATE] == 10
            assert len({outcome.image_sha256 for outcome in run.outcomes}) == 1
        assert len(model_requests(simulator)) == 1


def test_what_the_server_calls_unchanged_is_known_with_and_without_parts(tmp_path: Path) -> None:
    """A verdict by view serves a later run with whole files: a 304 says that it is the same image."""
    with simulated(large()) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 4)
        for partial in (True, True, False):
            run = Run(tmp_path, simulator, partial_download=partial, min_confidence_pct=0)
            run.begin(posters)
        assert {outcome.source for outcome in run.outcomes} == {Source.CACHE}
        assert downloads(simulator) == {206: 4, 304: 8}
        assert len(model_requests(simulator)) == 4


@pytest.mark.parametrize("extension", [".webp", ".png"])
def test_what_does_not_show_its_corner_in_the_beginning_comes_whole(tmp_path: Path, extension: str) -> None:
    """WebP, and a PNG whose rows are too heavy: two requests, and the hash is that of the file."""
    with simulated(large()) as simulator:
        run = Run(tmp_path, simulator, partial_download=True)
        run.begin(write_list(tmp_path / "list.csv", [simulator.poster_url(1, extension=extension)]))
        assert downloads(simulator) == {206: 2}
    file = poster_file(1, LARGE, extension, GRAIN)
    assert len(file) > START_BYTES
    assert run.by_row[1].image_sha256 == hashlib.sha256(file).hexdigest()


def test_a_zone_at_the_foot_takes_the_whole_file(tmp_path: Path) -> None:
    """Its rows are the last ones."""
    with simulated(large()) as simulator:
        run = Run(tmp_path, simulator, partial_download=True, zones=("logo=0,0.9,1,0.1",))
        run.begin(poster_list(tmp_path / "list.csv", simulator, 2))
        assert downloads(simulator) == {206: 4}
    assert all(BY_FILE.fullmatch(outcome.image_sha256 or "") for outcome in run.outcomes)


def test_small_files_and_views_of_the_whole_poster_are_fetched_as_ever(tmp_path: Path) -> None:
    """A file within 64 KiB is whole at once; a first view of the whole poster asks for all of it."""
    small = SimulatorOptions(poster_size=(60, 90))
    for options, view, statuses in ((small, "crop", {206: 2}), (large(), "poster", {200: 2})):
        with simulated(options) as simulator:
            run = Run(tmp_path, simulator, partial_download=True, view=view)
            run.begin(poster_list(tmp_path / "list.csv", simulator, 2))
            assert downloads(simulator) == statuses
        assert all(BY_FILE.fullmatch(outcome.image_sha256 or "") for outcome in run.outcomes)


def test_a_rest_that_cannot_be_had_is_the_poster_s_error(tmp_path: Path) -> None:
    """A verdict is never given without a view that was wanted: the row can be tried again."""
    with simulated(large({Fault.REFUSAL: 1.0, Fault.IMAGE_HTTP500: 0.5})) as simulator:
        run = Run(tmp_path, simulator, partial_download=True, fetch_retries=0, breaker_failures=1000)
        run.begin(poster_list(tmp_path / "list.csv", simulator, 12))
    codes = Counter(
        (outcome.error.code if outcome.error else "", outcome.attempts) for outcome in run.outcomes
    )
    assert codes[ErrorCode.FETCH_HTTP_5XX, 1] > 0, "some lost their rest after the crop was refused"
    assert codes[ErrorCode.MODEL_REFUSED, 2] > 0
    assert {code for code, _ in codes} == {ErrorCode.FETCH_HTTP_5XX, ErrorCode.MODEL_REFUSED}


def test_the_option_is_part_of_the_run(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the command line or by its variable; recorded, so that a resume goes on with it."""
    monkeypatch.setenv("OPENAI_API_KEY", "simulated-key-0123")
    with simulated(large({Fault.IMAGE_HTTP500: 0.5})) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 8)
        server = ("--base-url", simulator.base_url, "--allow-private-hosts", "--home", tmp_path / "home")
        monkeypatch.setenv("REDZONE_FETCH_RETRIES", "0")
        assert invoke("analyze", posters, *server, "--partial-download").returncode == 3
        assert set(downloads(simulator)) == {206, 500}
        monkeypatch.setenv("REDZONE_PARTIAL_DOWNLOAD", "false")
        assert invoke("resume", "--retry-errors", "--home", tmp_path / "home").returncode in (0, 3)
        assert set(downloads(simulator)) == {206, 500}
        monkeypatch.setenv("REDZONE_PARTIAL_DOWNLOAD", "true")
        monkeypatch.delenv("REDZONE_FETCH_RETRIES")
        assert invoke("analyze", posters, *server, "--no-cache").returncode == 0
        assert set(downloads(simulator)) == {206, 500}
