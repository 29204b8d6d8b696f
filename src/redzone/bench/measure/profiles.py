"""Named simulator profiles: latency, rate limits and faults."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import Field

from redzone.bench.simulator.faults import Fault, check_shares, parse_faults
from redzone.bench.simulator.rate_limits import Enforcement
from redzone.errors import SettingsInvalid
from redzone.models import Frozen

DEFAULT = "seed"
SWEEP_DEFAULT = "tier1"


class Profile(Frozen):
    """Settings of a simulator. Latencies are seconds: the model's median, the sigma of its logarithm, and
    the image server's. `rpm` and `tpm` are per minute, None is no limit; `baseline_rpm` is the request
    limit of the sequential stage if it differs. The client gives up stalled answers after `timeout_s`.
    """

    name: str
    about: str = ""
    latency_s: float = Field(ge=0)
    latency_spread: float = Field(default=0.3, ge=0)
    image_latency_s: float = Field(default=0.05, ge=0)
    rpm: int | None = Field(default=None, ge=1)
    baseline_rpm: int | None = Field(default=None, ge=1)
    tpm: int | None = Field(default=None, ge=1)
    # each second has its share of the limit: no burst at the start, so that a short bench is like a long run
    enforcement: Enforcement = Enforcement.QUANTISED
    faults: dict[Fault, float] = Field(default_factory=dict)
    timeout_s: float | None = Field(default=None, gt=0)


_FLAKY = {
    Fault.HTTP500: 0.02,
    Fault.HTTP503: 0.02,
    Fault.RESET: 0.02,
    Fault.STALL: 0.01,
    Fault.BROKEN_JSON: 0.01,
    Fault.BROKEN_ANSWER: 0.01,
    Fault.REFUSAL: 0.01,
    Fault.SLOW_DOWN: 0.01,
    Fault.DEAD: 0.02,
    Fault.IMAGE_HTTP500: 0.02,
    Fault.IMAGE_RESET: 0.02,
    Fault.IMAGE_STALL: 0.01,
}

# OpenAI's limits of tiers 1 and 5 for a small model, rounded. The headers of an account have its own.
PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            name="seed",
            about="the limits of the predecessor: 3 s per answer, 30 requests per minute, then 120",
            latency_s=3.0,
            rpm=120,
            baseline_rpm=30,
        ),
        Profile(name="tier1", about="a new account", latency_s=2.0, rpm=500, tpm=200_000),
        Profile(name="tier5", about="a large account", latency_s=2.0, rpm=30_000, tpm=150_000_000),
        Profile(
            name="unlimited",
            about="no limit, 200 ms per answer: the speed of the pipeline itself",
            latency_s=0.2,
            latency_spread=0.0,
            image_latency_s=0.0,
        ),
        Profile(
            name="flaky",
            about="many kinds of faults: about one request in nine, one image in fourteen",
            latency_s=1.0,
            rpm=600,
            faults=_FLAKY,
            timeout_s=5.0,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class ProfileChanges:
    """Overrides from the command line; None and empty keep the profile's value."""

    latency_s: float | None = None
    rpm: int | None = None
    tpm: int | None = None
    faults: tuple[str, ...] = ()


def choose(name: str, changes: ProfileChanges | None = None, scale: float = 1.0) -> Profile:
    """Return the named profile with overrides, its latencies multiplied by `scale` (limits and timeouts are
    not). The overrides are appended to its name. Raises SettingsInvalid."""
    if name not in PROFILES:
        raise SettingsInvalid(f"unknown profile {name!r}; use one of {', '.join(PROFILES)}")
    profile, changes = PROFILES[name], changes or ProfileChanges()
    update: dict[str, object] = {}
    if changes.latency_s is not None:
        update["latency_s"] = changes.latency_s
    if changes.rpm is not None:
        update |= {"rpm": changes.rpm, "baseline_rpm": None}
    if changes.tpm is not None:
        update["tpm"] = changes.tpm
    if changes.faults:
        update["faults"] = parse_faults(changes.faults)
        check_shares(parse_faults(changes.faults))
    overrides = [
        f"{key.removesuffix('_s')} {_format(value)}" for key, value in update.items() if value is not None
    ]
    changed = profile.model_copy(update={**update, "name": ", ".join((name, *overrides))})
    return changed.model_copy(
        update={
            "latency_s": round(changed.latency_s * scale, 6),
            "image_latency_s": round(changed.image_latency_s * scale, 6),
        }
    )


def serve_options(profile: Profile, rpm: int | None) -> tuple[str, ...]:
    """Return the options of `redzone bench serve` for this profile, with `rpm` as its request limit."""
    options: Iterable[tuple[str, object]] = (
        ("--latency", profile.latency_s),
        ("--latency-spread", profile.latency_spread),
        ("--image-latency", profile.image_latency_s),
        ("--rpm", rpm),
        ("--tpm", profile.tpm),
        ("--enforcement", profile.enforcement.value),
        *(("--fault", f"{fault}={share}") for fault, share in profile.faults.items()),
    )
    return tuple(part for name, value in options if value is not None for part in (name, str(value)))


def _format(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{kind}={share:g}" for kind, share in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)
