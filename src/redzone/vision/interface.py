"""What the pipeline wants of a vision model. To add a provider, implement this and name it in wiring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from redzone.models import Question, Reply, Source, ViewKind


@dataclass(frozen=True, slots=True)
class RequestEstimate:
    """An upper bound of what one attempt takes: tokens in and out, and US dollars."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0

    @property
    def tokens(self) -> int:
        """Input and reserved output together, as a tokens-per-minute limit counts them."""
        return self.input_tokens + self.output_tokens


class VisionModel(Protocol):
    """A model that can be asked whether zones of a poster hold key elements."""

    name: str
    """The provider's name; part of the cache key."""
    source: Source
    """What an outcome names as the source of this model's verdicts."""
    paid: bool
    """Whether a request may cost money, so that an intent is written before it."""
    views: tuple[ViewKind, ...]
    """The views that it can be asked with."""
    prompt_version: str
    """Changes whenever the same picture may be answered differently; part of the cache key."""

    def warm_up(self) -> None:
        """Begin to load what asking needs, in a thread, while the first pictures are on their way."""

    async def ready(self) -> None:
        """Wait for that. Before a turn at the limiter, not after it: else requests would leave all at once,
        long after the moments that they were given."""

    def estimate(self, *questions: Question) -> RequestEstimate:
        """What asking them in one request would take at most."""

    async def ask(self, question: Question) -> Reply:
        """One attempt, one request. A failed attempt is a value; RunStopped means that every further
        attempt would fail too."""

    async def ask_together(self, questions: Sequence[Question]) -> tuple[Reply, ...]:
        """One request about the pictures of several posters, which are asked about alike (zones, kind of
        view, wording, model); a reply to each, in their order. With one it is `ask`."""

    def cost_usd(self, reply: Reply) -> float:
        """What an attempt cost by the tokens that the provider reported."""

    async def aclose(self) -> None:
        """Give back connections and threads."""
