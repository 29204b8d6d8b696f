"""Faults are read strictly and hit whom the seed says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.bench.simulator.faults import (
    IMAGE_SIDE,
    MODEL_SIDE,
    PACKED,
    PERMANENT,
    QUIRKS,
    Fault,
    choose_fault,
    parse_fault,
    parse_faults,
)
from redzone.bench.simulator.server import SimulatorOptions
from redzone.errors import SettingsInvalid


@given(st.sampled_from(Fault), st.floats(0, 1))
def test_a_written_fault_is_read_back(fault: Fault, share: float) -> None:
    """parse(write(fault)) == fault."""
    assert parse_fault(f"{fault}={share!r}") == (fault, share)


@pytest.mark.parametrize("text", ["reset", "reset=", "reset=2", "reset=-0.1", "reset=nan", "gone=0.1", ""])
def test_an_impossible_fault_says_how_to_write_one(text: str) -> None:
    """A usage error that shows the form."""
    with pytest.raises(SettingsInvalid, match=r"share"):
        parse_fault(text)


def test_all_spreads_a_share_over_each_side() -> None:
    """all=0.05 makes 5 % of the model's requests and 5 % of the posters fail, every common kind alike.
    Packs' would hit nobody who asks about one poster at a time, and some quirks end a run."""
    shares = parse_faults(["all=0.05"])
    assert set(shares) == set(Fault) - PACKED - QUIRKS
    for side in (MODEL_SIDE, IMAGE_SIDE):
        own = [shares[fault] for fault in side if fault not in PACKED | QUIRKS]
        assert sum(own) == pytest.approx(0.05)
        assert len(set(own)) == 1
    assert parse_faults(["all=0.05", "pack_missing=0.1"])[Fault.PACK_MISSING] == 0.1


def test_shares_of_one_side_beyond_the_whole_are_refused() -> None:
    """More than every request cannot fail."""
    with pytest.raises(SettingsInvalid, match="model side"):
        parse_faults(["http500=0.6", "reset=0.6"])
    with pytest.raises(SettingsInvalid, match="image side"):
        SimulatorOptions(faults={Fault.DEAD: -0.1})


@pytest.mark.parametrize("fault", sorted(set(Fault) - PERMANENT))
def test_a_passing_fault_hits_its_share_of_the_requests(fault: Fault) -> None:
    """Over many requests the share is met, and a retry of a hit one mostly passes."""
    hits = [choose_fault({fault: 0.2}, 1, f"{number}", 1) for number in range(2000)]
    assert 0.16 < sum(hit is fault for hit in hits) / 2000 < 0.24
    again = [choose_fault({fault: 0.2}, 1, f"{number}", 2) for number, hit in enumerate(hits) if hit]
    assert 0.1 < sum(hit is fault for hit in again) / len(again) < 0.3


@pytest.mark.parametrize("fault", sorted(PERMANENT))
@given(occurrence=st.integers(1, 1000), number=st.integers(0, 1000))
def test_a_permanent_fault_hits_the_same_posters_for_ever(fault: Fault, occurrence: int, number: int) -> None:
    """The occurrence changes nothing."""
    first = choose_fault({fault: 0.3}, 1, f"{number}", 1)
    assert choose_fault({fault: 0.3}, 1, f"{number}", occurrence) is first


def test_another_seed_hits_others() -> None:
    """The seed chooses whom; the same seed chooses the same."""
    first, same, other = (
        [choose_fault({Fault.RESET: 0.5}, seed, f"{number}", 1) for number in range(100)]
        for seed in (1, 1, 2)
    )
    assert first == same != other
