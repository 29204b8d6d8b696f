"""The log of requests to the simulator, and its statistics."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from redzone.bench.simulator.faults import Fault
from redzone.bench.simulator.http_server import HttpReply
from redzone.bench.simulator.requests import ModelEndpoint

WINDOW_S = 60.0
MODEL_PATHS = frozenset(ModelEndpoint)


@dataclass(frozen=True, slots=True)
class PlannedReply:
    """What will happen to a request, decided when it arrives: `reply` after `delay_s`."""

    reply: HttpReply
    delay_s: float = 0.0
    fault: Fault | None = None
    poster: int | None = None
    image_sha256: str | None = None
    pictures: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request. `at_s` is the loop's time when its last byte arrived, which the rate limit uses. `status`
    is None if no reply was sent: pending, stalled, reset, or the client disconnected. `sent_bytes` is the
    length of the reply's body, including a part that a fault cut off. `pictures` is their number,
    `image_sha256` that of the first. Tokens are those in the reply's usage; rejected and broken requests have
    none."""

    at_s: float
    wall: datetime
    method: str
    path: str
    status: int | None = None
    answered_at_s: float | None = None
    fault: Fault | None = None
    poster: int | None = None
    image_sha256: str | None = None
    pictures: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    sent_bytes: int = 0

    @property
    def tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens

    @property
    def asks_model(self) -> bool:
        """Whether it is a request to the model, on either API."""
        return self.method == "POST" and self.path in MODEL_PATHS

    def as_json(self) -> dict[str, Any]:
        """Return the record as JSON values."""
        values = {part.name: getattr(self, part.name) for part in fields(self)}
        return values | {"wall": self.wall.isoformat()}


def summarise(log: Sequence[RequestRecord]) -> dict[str, Any]:
    """Summarise the log; `busiest_minute` is the most model requests in any 60 s."""
    model = [record for record in log if record.asks_model]
    return {
        "requests": len(log),
        "model_requests": len(model),
        "model_answers": sum(record.status in (200, 201) for record in model),
        "model_rejections": sum(record.status == 429 for record in model),
        "model_statuses": _count(record.status for record in model),
        "poster_statuses": _count(record.status for record in log if record.poster is not None),
        "poster_bytes": sum(record.sent_bytes for record in log if record.poster is not None),
        "faults": _count(record.fault for record in log if record.fault),
        "input_tokens": sum(record.input_tokens for record in model),
        "output_tokens": sum(record.output_tokens for record in model),
        "busiest_minute": busiest_window(record.at_s for record in model),
    }


def busiest_window(starts_s: Iterable[float], window_s: float = WINDOW_S) -> int:
    """Return the most starts in any half-open window of that length. Starts are sorted."""
    window: deque[float] = deque()
    most = 0
    for start_s in starts_s:
        window.append(start_s)
        while window[0] <= start_s - window_s:
            window.popleft()
        most = max(most, len(window))
    return most


def _count(values: Iterable[object]) -> dict[str, int]:
    return dict(Counter(str(value) for value in values))
