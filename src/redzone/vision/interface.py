"""The interface of a vision model. To add a provider, implement it and name it in `wiring`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from redzone.models import Question, Reply, Source, ViewKind


@dataclass(frozen=True, slots=True)
class RequestEstimate:
    """An upper bound of what one request takes: tokens in and out, and US dollars."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0

    @property
    def tokens(self) -> int:
        """Input and reserved output, as a tokens-per-minute limit counts them."""
        return self.input_tokens + self.output_tokens


class VisionModel(Protocol):
    """A model that can be asked whether zones of a poster hold key elements."""

    name: str
    """The provider's name; part of the cache key."""
    source: Source
    """The source that outcomes name for this model's verdicts."""
    paid: bool
    """Whether a request may cost money; then an intent is written before it."""
    views: tuple[ViewKind, ...]
    """The views that it accepts, the cheapest first."""
    prompt_version: str
    """Changes whenever the same picture may get another answer; part of the cache key."""

    def warm_up(self) -> None:
        """Start to load what requests need, in a thread, while the first pictures are downloaded."""

    async def ready(self) -> None:
        """Wait until it is loaded. Called before the limiter grants a start: otherwise the requests granted
        meanwhile would all start at once."""

    def estimate(self, *questions: Question) -> RequestEstimate:
        """The most that one request with these questions takes."""

    async def ask(self, question: Question) -> Reply:
        """One attempt, one request. A failed attempt is a value. Raises RunStopped where every further
        attempt would fail too."""

    async def ask_together(self, questions: Sequence[Question]) -> tuple[Reply, ...]:
        """One request about the pictures of several posters with the same zones, kind of view, wording and
        model; one reply for each, in their order."""

    def cost_usd(self, reply: Reply) -> float:
        """The cost of an attempt, by the tokens that the provider reported."""

    async def aclose(self) -> None:
        """Close connections and threads."""
