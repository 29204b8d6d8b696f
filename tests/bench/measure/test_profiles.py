"""Worlds by name, and what the command line changes in them."""

from __future__ import annotations

from typing import get_args

import pytest

from redzone.bench.measure.profiles import (
    DEFAULT,
    PROFILES,
    SWEEP_DEFAULT,
    ProfileChanges,
    choose,
    serve_options,
)
from redzone.bench.simulator.faults import Fault
from redzone.commands.bench import ProfileOption
from redzone.errors import SettingsInvalid


def test_the_help_names_every_profile() -> None:
    """Written out there, because help imports nothing heavy."""
    (option,) = get_args(ProfileOption)[1:]
    assert option.metavar == "|".join(PROFILES)
    assert {DEFAULT, SWEEP_DEFAULT} <= PROFILES.keys()


def test_scale_shortens_latencies_and_leaves_limits() -> None:
    """A minute stays a minute."""
    seed = choose("seed", scale=0.1)
    assert (seed.latency_s, seed.image_latency_s) == (0.3, 0.005)
    assert (seed.rpm, seed.baseline_rpm, seed.name) == (120, 30, "seed")


def test_changes_are_in_the_name() -> None:
    """So that no table looks like one of the profile itself; a given limit is the baseline's, too."""
    changed = choose("seed", ProfileChanges(latency_s=1.5, rpm=600, faults=("reset=0.05",)))
    assert changed.name == "seed, latency 1.5, rpm 600, faults reset=0.05"
    assert (changed.rpm, changed.baseline_rpm, changed.faults) == (600, None, {Fault.RESET: 0.05})


def test_a_profile_becomes_options_of_the_simulator() -> None:
    """ServerLimits that are not there are not given."""
    options = serve_options(choose("unlimited", ProfileChanges(faults=("reset=0.05",))), None)
    assert options == (
        *("--latency", "0.2", "--latency-spread", "0.0", "--image-latency", "0.0"),
        *("--enforcement", "quantised", "--fault", "reset=0.05"),
    )
    assert serve_options(choose("seed"), 30)[6:8] == ("--rpm", "30")


@pytest.mark.parametrize(
    ("name", "faults"), [("nowhere", ()), ("seed", ("reset=2",)), ("seed", ("magic=0.1",))]
)
def test_an_impossible_world_is_a_usage_error(name: str, faults: tuple[str, ...]) -> None:
    """The text says what there is."""
    with pytest.raises(SettingsInvalid):
        choose(name, ProfileChanges(faults=faults))
