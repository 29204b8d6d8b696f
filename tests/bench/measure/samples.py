"""Benches by value, as the simulator never has to find them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from redzone.bench.measure.profiles import Profile
from redzone.bench.measure.result_file import Bench, Machine, Shares, StageFigures, StartCost
from redzone.bench.measure.run_reader import measure_rate


def shares(**changes: float) -> Shares:
    """Two seconds a poster, nearly all of them at the model."""
    return Shares(**{"total_s": 2.0, "fetch_s": 0.1, "wait_s": 0.0, "model_s": 1.8, **changes})


def stage(name: str = "parallel", **changes: Any) -> StageFigures:
    """50 posters by 10 workers in 10 s, without a limit, an error or a surprise."""
    every_fifth_s = [number / 5 for number in range(50)]
    values: dict[str, Any] = {
        "name": name,
        "posters": 50,
        "auto_workers": False,
        "workers": 10,
        "rpm": None,
        "tpm": None,
        "passed": 30,
        "failed": 19,
        "unsure": 1,
        "errors": 0,
        "seconds": 10.0,
        "requests": 50,
        "rejected": 0,
        "tokens": 40_000,
        "request_use": None,
        "token_use": None,
        "cpu_s": 2.2,
        "cpu_ms_per_poster": 4.0,
        "cpu_ms_error": 0.5,
        "peak_bytes": 90_000_000,
        "image_bytes": 370_000,
        "cost_usd": 0.005,
        "shares": shares(),
        "steady_per_min": 300.0,
        "pace": measure_rate(every_fifth_s, every_fifth_s, (), 10.0),
    }
    return StageFigures(**{**values, **changes})


def bench(*stages: StageFigures, **changes: Any) -> Bench:
    """A bench of these stages; by default one at a time, then ten."""
    values: dict[str, Any] = {
        "kind": "bench",
        "redzone": "0.1.0",
        "made_at": datetime(2026, 1, 1, tzinfo=UTC),
        "machine": Machine(python="3.11.9", system="Linux x86_64", processors=2),
        "profile": Profile(name="made", latency_s=2.0),
        "live": None,
        "scale": 1.0,
        "poster_size": "300x450",
        "start": StartCost(runs=2, cpu_s=2.0, spread_s=0.1),
        "stages": stages or (stage("sequential", posters=10, workers=1, seconds=20.0), stage()),
    }
    return Bench(**{**values, **changes})


def packed(*points: tuple[int, float], rpm: int | None = None, seconds: float = 20.0) -> Bench:
    """A bench of packs that saw these (posters a request, requests per minute), all packs full."""
    stages = (
        stage(
            f"pack {pack}",
            pack=pack,
            posters=pack * 40,
            requests=40,
            seconds=seconds,
            auto_workers=True,
            rpm=rpm,
            steady_requests_per_min=rate,
            request_use=rate / rpm if rpm else None,
        )
        for pack, rate in points
    )
    return bench(*stages, kind="pack", profile=Profile(name="made", latency_s=2.0, rpm=rpm))


def swept(*points: tuple[int, float], rpm: int | None = None) -> Bench:
    """A sweep that saw these (workers, posters per minute), a minute for each."""
    stages = (
        stage(
            f"{workers} workers",
            workers=workers,
            posters=int(rate),
            requests=int(rate),
            seconds=60.0,
            steady_per_min=rate,
            rpm=rpm,
        )
        for workers, rate in points
    )
    return bench(*stages, kind="sweep", profile=Profile(name="made", latency_s=2.0, rpm=rpm))
