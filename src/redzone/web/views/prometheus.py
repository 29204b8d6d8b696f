"""What `/metrics` says, in the words of Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from redzone.models import Status
from redzone.web.services.run_status import RunState, RunStatus

MEDIA_TYPE = CONTENT_TYPE_LATEST


def exposition(runs: Sequence[RunStatus]) -> bytes:
    """What Prometheus reads."""
    registry = CollectorRegistry()
    registry.register(_Figures(runs))
    return generate_latest(registry)


class _Figures(Collector):
    """Gauges of the runs: figures start again with every run, so none of them is a counter."""

    def __init__(self, runs: Sequence[RunStatus]) -> None:
        self._runs = runs

    def collect(self) -> Iterator[Metric]:
        """All of them."""
        states = Counter(run.state for run in self._runs)
        by_state = GaugeMetricFamily("redzone_runs", "Runs by how they stand.", labels=["state"])
        for state in RunState:
            by_state.add_metric([state.value], states[state])
        yield by_state
        shown = [run for number, run in enumerate(self._runs) if run.live or number == 0]
        yield from _of_each(shown)


def _of_each(runs: Sequence[RunStatus]) -> Iterator[Metric]:
    outcomes = GaugeMetricFamily("redzone_outcomes", "Posters of a run by outcome.", labels=["run", "status"])
    for run in runs:
        for status in Status:
            outcomes.add_metric([run.id, status.value], run.counts.get(status, 0))
        outcomes.add_metric([run.id, "pending"], run.pending)
    yield outcomes
    told = [(run, run.snapshot) for run in runs if run.snapshot is not None]
    for name, help_text, values in (
        ("rows", "Posters that a run is to judge.", [(run, run.record.rows) for run in runs]),
        (
            "posters_per_minute",
            "Last minute, or average once over.",
            [(r, r.per_min) for r in runs],
        ),
        ("cost_usd", "What a run has cost so far, US dollars.", [(run, run.cost_usd) for run in runs]),
        ("seconds", "Working time of a run, all resumes together.", [(run, run.seconds) for run in runs]),
        ("requests", "Requests to the model.", [(run, said.requests) for run, said in told]),
        ("rejected_requests", "Requests answered 429.", [(run, said.rate.rejected) for run, said in told]),
        ("workers", "Workers of a live run.", [(run, said.workers) for run, said in told if run.live]),
    ):
        gauge = GaugeMetricFamily(f"redzone_{name}", help_text, labels=["run"])
        for run, value in values:
            gauge.add_metric([run.id], value)
        yield gauge
