"""Options of the simulator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from redzone.bench.simulator.faults import Fault, check_shares
from redzone.bench.simulator.rate_limits import Enforcement, ServerLimits

# The only named poster size: a few hundred bytes, for runs of 100,000 rows.
TINY = "tiny"


def pack_factor(pictures: int) -> float:
    """Return the latency of an answer about that many pictures, relative to one. It assumes that half of a
    single answer's time is its output, which is proportional to the pictures."""
    return (1 + max(1, pictures)) / 2


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """Limits, latency and faults of a simulator. Raises SettingsInvalid for impossible fault shares.

    `latency_s` is the model's median for one picture, times `pack_factor` for more; `latency_spread` is the
    sigma of its logarithm (with 0.5 one answer in twenty takes over 2.3 times the median). `rpm` and `tpm`
    are the model's limits per minute, `image_rpm` is that of the image server, None is no limit; without
    `announce` no x-ratelimit header is sent (a 429 still has retry-after). `faults` maps kinds to shares of
    the requests. Without `responses_api` /v1/responses responds with `responses_status`. `poster_size` is
    (width, height) in px, `poster_grain` the share of noise: 0.1 makes a JPEG of 1000x1500 about 200 KB, like
    a photograph. With `api_key` all other keys are rejected. After `quota_requests` answers the account has
    no credit.
    """

    latency_s: float = 0.0
    latency_spread: float = 0.0
    image_latency_s: float = 0.0
    image_rpm: int | None = None
    rpm: int | None = None
    tpm: int | None = None
    enforcement: Enforcement = Enforcement.ROLLING
    announce: bool = True
    faults: Mapping[Fault, float] = field(default_factory=dict)
    seed: int = 0
    responses_api: bool = True
    responses_status: int = 404
    poster_size: tuple[int, int] = (300, 450)
    poster_grain: float = 0.0
    api_key: str | None = field(default=None, repr=False)
    quota_requests: int | None = None

    def __post_init__(self) -> None:
        check_shares(self.faults)

    @property
    def limits(self) -> ServerLimits:
        """The rate limits as ServerLimits."""
        return ServerLimits(self.rpm, self.tpm, Enforcement(self.enforcement))
