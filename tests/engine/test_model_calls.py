"""Several posters in one request, through the real wiring against the simulator."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from redzone.bench.simulator.faults import Fault
from redzone.bench.simulator.server import SimulatorOptions
from redzone.errors import BudgetSpent
from redzone.models import Source, Status
from tests.simulated import Run, measured, model_requests, poster_list, simulated, write_list

SMALL = (60, 90)
SURE = {"min_confidence_pct": 0.0}  # an unsure verdict is looked at again, alone


def options(faults: dict[Fault, float] | None = None, **more: object) -> SimulatorOptions:
    return SimulatorOptions(poster_size=SMALL, faults=faults or {}, **more)  # type: ignore[arg-type]  # test data


def verdicts(run: Run) -> dict[int, tuple[Status, object]]:
    return {row: (outcome.status, outcome.zones) for row, outcome in run.by_row.items()}


def test_a_pack_says_of_each_poster_what_would_be_said_of_it_alone(tmp_path: Path) -> None:
    """Sixty posters, eight in a request: eight requests, every verdict as without packing."""
    with simulated(options()) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 60)
        alone = Run(tmp_path, simulator, workers=60, enable_cache=False, **SURE)
        alone.begin(posters)
        before = len(model_requests(simulator))
        packed = Run(tmp_path, simulator, workers=60, enable_cache=False, pack=8, **SURE)
        end = packed.begin(posters)
        asked = len(model_requests(simulator)) - before
    assert end.stopped is None
    assert verdicts(packed) == verdicts(alone)
    assert asked == measured(end).requests
    assert asked <= 12  # 8, and where a worker came too late for its table a few more
    assert {outcome.strategy for outcome in packed.outcomes} == {"crop/full/packed"}


def test_the_shares_add_up_to_what_the_server_counted(tmp_path: Path) -> None:
    """Tokens of the posters together are those of the requests; each took part in one attempt."""
    with simulated(options()) as simulator:
        run = Run(tmp_path, simulator, workers=20, pack=5, **SURE)
        run.begin(poster_list(tmp_path / "list.csv", simulator, 20))
        requests = model_requests(simulator)
    outcomes = run.outcomes
    assert sum(outcome.tokens.input for outcome in outcomes) == sum(r.input_tokens or 0 for r in requests)
    assert sum(outcome.tokens.output for outcome in outcomes) == sum(r.output_tokens or 0 for r in requests)
    assert all(outcome.attempts == 1 and outcome.cost_usd > 0 for outcome in outcomes)


@pytest.mark.parametrize("fault", [Fault.PACK_MISSING, Fault.PACK_DOUBLED])
def test_a_missing_or_doubled_number_is_asked_about_alone(tmp_path: Path, fault: Fault) -> None:
    """Only that poster, and the others keep their verdicts."""
    with simulated(options({fault: 1.0})) as simulator:
        run = Run(tmp_path, simulator, workers=16, pack=4, **SURE)
        end = run.begin(poster_list(tmp_path / "list.csv", simulator, 16))
        asked = len(model_requests(simulator))
    strategies = Counter(outcome.strategy for outcome in run.outcomes)
    assert end.stopped is None
    assert strategies.keys() == {"crop/full/packed", "crop/full"}
    assert all(outcome.status in (Status.PASS, Status.FAIL) for outcome in run.outcomes)
    assert strategies["crop/full"] == sum(outcome.attempts == 2 for outcome in run.outcomes)
    packs = asked - strategies["crop/full"]
    assert packs <= strategies["crop/full"] <= 2 * packs


def test_a_refused_pack_is_asked_about_picture_by_picture(tmp_path: Path) -> None:
    """One picture that the model will not look at must not cost the others their verdicts."""
    with simulated(options({Fault.REFUSAL: 1.0})) as simulator:
        run = Run(tmp_path, simulator, workers=12, pack=4)
        run.begin(poster_list(tmp_path / "list.csv", simulator, 12))
        pictures = Counter(record.pictures for record in model_requests(simulator))
    # each alone: its crop, then the whole of it
    assert pictures[1] == 24
    assert sum(count * number for count, number in pictures.items()) == 12 + 24
    assert all((o.status, o.attempts) == (Status.UNSURE, 3) for o in run.outcomes)


def test_faults_of_every_kind_lose_no_row(tmp_path: Path) -> None:
    """Packs time out, break off, come broken: every row still gets its one outcome."""
    faults = {Fault.HTTP500: 0.1, Fault.RESET: 0.1, Fault.STALL: 0.05, Fault.BROKEN_JSON: 0.1}
    faults |= {Fault.BROKEN_ANSWER: 0.1, Fault.CUTOFF: 0.1, Fault.PACK_MISSING: 0.2}
    with simulated(options(faults)) as simulator:
        run = Run(tmp_path, simulator, workers=40, pack=8, model_timeout_s=0.5, deadline_s=8)
        end = run.begin(poster_list(tmp_path / "list.csv", simulator, 80))
        assert len(model_requests(simulator)) == measured(end).requests
    assert end.stopped is None
    assert sorted(outcome.row for outcome in run.outcomes) == list(range(1, 81))


def test_equal_pictures_take_one_seat(tmp_path: Path) -> None:
    """Twins in flight wait for the one that is asked about."""
    with simulated(options(latency_s=0.05)) as simulator:
        urls = [f"{simulator.poster_url(1 + copy % 3)}?copy={copy}" for copy in range(12)]
        run = Run(tmp_path, simulator, workers=12, pack=8, enable_cache=False, **SURE)
        run.begin(write_list(tmp_path / "list.csv", urls))
        assert sum(record.pictures for record in model_requests(simulator)) == 3
    assert Counter(o.source for o in run.outcomes) == {Source.MODEL: 3, Source.DUPLICATE: 9}


def test_a_verdict_out_of_a_pack_is_not_taken_for_one_alone(tmp_path: Path) -> None:
    """Beside others the same picture may be judged otherwise, so the cache keeps them apart."""
    with simulated(options()) as simulator:
        posters = poster_list(tmp_path / "list.csv", simulator, 4)
        Run(tmp_path, simulator, workers=4, pack=4, **SURE).begin(posters)
        again, alone = Run(tmp_path, simulator, workers=4, pack=4, **SURE), Run(tmp_path, simulator, **SURE)
        again.begin(posters)
        alone.begin(posters)
    assert {outcome.source for outcome in again.outcomes} == {Source.CACHE}
    assert {outcome.source for outcome in alone.outcomes} == {Source.MODEL}


def test_a_pack_takes_one_turn_and_all_its_tokens(tmp_path: Path) -> None:
    """Where twelve packs use up a minute's tokens, the server refuses none of them."""
    with simulated(options(rpm=600, tpm=120_000)) as simulator:
        run = Run(tmp_path, simulator, workers=48, pack=8, **SURE)
        end = run.begin(poster_list(tmp_path / "list.csv", simulator, 96))
        requests = model_requests(simulator)
    assert all(record.status == 200 for record in requests)
    assert measured(end).rate.rejected == 0
    assert measured(end).rate.tokens_last_min == sum(
        (record.input_tokens or 0) + (record.output_tokens or 0) for record in requests
    )
    assert len(run.outcomes) == 96


def test_a_budget_counts_packs_whole(tmp_path: Path) -> None:
    """What is spent and what is in flight never exceed it."""
    with simulated(options()) as simulator:
        run = Run(tmp_path, simulator, workers=40, pack=4, max_cost_usd=0.002, **SURE)
        end = run.begin(poster_list(tmp_path / "list.csv", simulator, 200))
    assert isinstance(end.stopped, BudgetSpent)
    spent = sum(outcome.cost_usd for outcome in run.outcomes)
    assert 0 < spent <= 0.002


def test_a_hanging_pack_ends_with_its_posters_deadline(tmp_path: Path) -> None:
    """And what it may have cost is in the books."""
    with simulated(options({Fault.STALL_ALWAYS: 1.0})) as simulator:
        run = Run(tmp_path, simulator, workers=4, pack=4, deadline_s=0.5, model_timeout_s=60)
        end = run.begin(poster_list(tmp_path / "list.csv", simulator, 4))
    assert end.stopped is None
    codes = [outcome.error.code for outcome in run.outcomes if outcome.error]
    assert codes == ["deadline"] * 4
    assert all(outcome.cost_usd > 0 for outcome in run.outcomes)
