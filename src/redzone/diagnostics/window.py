"""What happened between two snapshots of one process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from redzone.telemetry.metrics import Snapshot, Stage
from redzone.telemetry.metrics_log import same_process

ENOUGH_POSTERS = 20
ENOUGH_S = 10.0


@dataclass(frozen=True, slots=True)
class Window:
    """Work done in a span of time. `stage_s` is the seconds that all workers together spent in each stage."""

    seconds: float
    posters: int
    requests: int
    rejected: int
    cpu_s: float
    stage_s: dict[Stage, float]

    @classmethod
    def before(cls, end: Snapshot, history: Sequence[Snapshot] = ()) -> Self:
        """From the first snapshot in the history by the same process, else from the start of the process."""
        ours = (old for old in history if same_process(old, end) and old.elapsed_s < end.elapsed_s)
        start = next(ours, None)
        before = start.stage_s if start else {}
        return cls(
            seconds=end.elapsed_s - (start.elapsed_s if start else 0.0),
            posters=end.worked - (start.worked if start else 0),
            requests=end.requests - (start.requests if start else 0),
            rejected=end.rate.rejected - (start.rate.rejected if start else 0),
            cpu_s=end.cpu_s - (start.cpu_s if start else 0.0),
            stage_s={stage: max(0.0, s - before.get(stage, 0.0)) for stage, s in end.stage_s.items()},
        )

    @property
    def busy_s(self) -> float:
        """Seconds that all workers together were busy."""
        return sum(self.stage_s.values())

    @property
    def enough(self) -> bool:
        """Whether there is enough work in it to judge the speed."""
        return self.posters >= ENOUGH_POSTERS and self.seconds >= ENOUGH_S and self.busy_s > 0

    def share(self, stage: Stage) -> float:
        """Share of the workers' busy time in a stage, 0-1."""
        busy_s = self.busy_s
        return min(1.0, self.stage_s.get(stage, 0.0) / busy_s) if busy_s > 0 else 0.0
