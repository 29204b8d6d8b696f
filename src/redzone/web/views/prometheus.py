"""Formats `/metrics` for Prometheus."""

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
    """The metrics of these runs in the Prometheus text format."""
    registry = CollectorRegistry()
    registry.register(_Figures(runs))
    return generate_latest(registry)


class _Figures(Collector):
    """Gauges of the runs: every run starts at zero, so none of them is a counter."""

    def __init__(self, runs: Sequence[RunStatus]) -> None:
        self._runs = runs

    def collect(self) -> Iterator[Metric]:
        """Yields all metrics."""
        states = Counter(run.state for run in self._runs)
        by_state = GaugeMetricFamily("redzone_runs", "Runs by state.", labels=["state"])
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
        ("rows", "Posters in a run's list.", [(run, run.record.rows) for run in runs]),
        (
            "posters_per_minute",
            "Rate of the last minute; the average once the run has ended.",
            [(r, r.per_min) for r in runs],
        ),
        ("cost_usd", "Cost of a run so far, US dollars.", [(run, run.cost_usd) for run in runs]),
        ("seconds", "Working time of a run, all resumes together.", [(run, run.seconds) for run in runs]),
        ("requests", "Requests to the model.", [(run, said.requests) for run, said in told]),
        (
            "rejected_requests",
            "Requests with a 429 response.",
            [(run, said.rate.rejected) for run, said in told],
        ),
        ("workers", "Workers of a live run.", [(run, said.workers) for run, said in told if run.live]),
    ):
        gauge = GaugeMetricFamily(f"redzone_{name}", help_text, labels=["run"])
        for run, value in values:
            gauge.add_metric([run.id], value)
        yield gauge
