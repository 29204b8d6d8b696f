"""Snapshots for the display's tests: one of a run in full swing, and any that Hypothesis can think of."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO
from typing import Any

from hypothesis import strategies as st
from rich.console import Console, RenderableType

from redzone.models import Status
from redzone.telemetry.metrics import (
    GroupCounts,
    RateFigures,
    RecentOutcome,
    RunFacts,
    Snapshot,
    Stage,
    Timings,
    WorkerSlot,
)
from redzone.terminal.panels import Heading

AT = datetime(2026, 10, 13, 14, 22, 33, tzinfo=UTC)
HEADING = Heading(
    run_id="20261013-142233-k7qm",
    label="nightly award check",
    provider="openai",
    model="gpt-6-luna",
    zones=("red",),
    input="posters.csv",
)


def lanes(count: int) -> tuple[WorkerSlot, ...]:
    """That many busy workers, spread over all stages; the first is in its stage longest."""
    stages = list(Stage)
    return tuple(
        WorkerSlot(
            worker=number,
            row=number,
            id=f"p{number:04}",
            stage=stages[number % 8],
            age_s=(count - number) / 10,
        )
        for number in range(1, count + 1)
    )


def recent(count: int, **changes: Any) -> tuple[RecentOutcome, ...]:
    """That many outcomes, oldest first."""
    statuses = list(Status)
    return tuple(
        RecentOutcome(
            **{
                "row": row,
                "id": f"v{row:04}",
                "title": f"Title {row}",
                "status": statuses[row % 4],
                "confidence_pct": 96.0,
                "note": "the title runs through the zone",
                **changes,
            }
        )
        for row in range(1, count + 1)
    )


def snapshot(**changes: Any) -> Snapshot:
    """A run at a third of its way, with a dozen workers."""
    values: dict[str, Any] = {
        "at": AT,
        "elapsed_s": 192.0,
        "rows": 1000,
        "done": 340,
        "earlier": 0,
        "passed": 280,
        "failed": 41,
        "unsure": 9,
        "errors": 10,
        "cached": 120,
        "duplicates": 12,
        "errors_by_code": {"fetch-http-404": 7, "model-timeout": 3},
        "posters_last_min": 118.0,
        "eta_s": 330.0,
        "requests": 1012,
        "tokens_in": 61_200,
        "tokens_out": 13_600,
        "cost_usd": 0.0123,
        "workers": 12,
        "lanes": lanes(12),
        "rate": RateFigures(
            requests_last_min=118,
            requests_limit_per_min=120.0,
            tokens_last_min=41_000,
            tokens_limit_per_min=200_000.0,
            waiting=4,
            rejected=2,
        ),
        "timings": Timings(p50_s=3.1, p95_s=7.2, fetch_s=0.4, wait_s=2.0, model_s=1.2),
        "recent": recent(20),
        "groups": (
            GroupCounts(name="award", passed=79, failed=41, unsure=4, errors=0),
            GroupCounts(name="just_added", passed=201, failed=0, unsure=5, errors=10),
        ),
        "note": "",
        **changes,
    }
    return Snapshot(**values)


_counts = st.integers(min_value=0, max_value=10**18)
_floats = st.floats(allow_nan=False, allow_infinity=False)
_texts = st.text(max_size=60) | st.sampled_from(
    [
        "\x1b[31mred\x1b[0m",
        "[/bold]",
        "[link=x]",
        "a\nb\r\tc",
        "千と千尋の神隠し",
        "👨‍👩‍👧❤️",
        "e\u0301" * 30,
        "x" * 5000,
    ]
)

_figures: dict[str, st.SearchStrategy[Any]] = {
    "at": st.just(AT),
    "elapsed_s": _floats,
    "rows": _counts,
    "done": _counts,
    "earlier": _counts,
    "passed": _counts,
    "failed": _counts,
    "unsure": _counts,
    "errors": _counts,
    "cached": _counts,
    "duplicates": _counts,
    "errors_by_code": st.dictionaries(_texts, _counts, max_size=8),
    "posters_last_min": _floats,
    "eta_s": st.none() | _floats,
    "requests": _counts,
    "tokens_in": _counts,
    "tokens_out": _counts,
    "cost_usd": _floats,
    "workers": _counts,
    "lanes": st.lists(
        st.builds(
            WorkerSlot, worker=_counts, row=_counts, id=_texts, stage=st.sampled_from(Stage), age_s=_floats
        ),
        max_size=8,
    ).map(tuple)
    | st.just(lanes(200)),
    "rate": st.builds(
        RateFigures,
        requests_last_min=_counts,
        requests_limit_per_min=st.none() | _floats,
        requests_announced_per_min=st.none() | _floats,
        tokens_last_min=_counts,
        tokens_limit_per_min=st.none() | _floats,
        tokens_announced_per_min=st.none() | _floats,
        waiting=_counts,
        held_for_s=_floats,
        rejected=_counts,
    ),
    "timings": st.builds(
        Timings,
        mean_s=_floats,
        p50_s=_floats,
        p95_s=_floats,
        fetch_s=_floats,
        fetch_p50_s=_floats,
        fetch_p95_s=_floats,
        wait_s=_floats,
        wait_p50_s=_floats,
        wait_p95_s=_floats,
        model_s=_floats,
        model_p50_s=_floats,
        model_p95_s=_floats,
    ),
    "stage_s": st.dictionaries(st.sampled_from(Stage), _floats),
    "cpu_s": _floats,
    "facts": st.builds(
        RunFacts,
        cpus=_counts,
        local=st.booleans(),
        cache_on=st.booleans(),
        pack=_counts,
        delay_ms=_floats,
        budget_usd=st.none() | _floats,
    ),
}

figures = st.builds(Snapshot, **_figures)  # without the texts, which take most of the time
snapshots = st.builds(
    Snapshot,
    **_figures,
    recent=st.lists(
        st.builds(
            RecentOutcome,
            row=_counts,
            id=_texts,
            title=_texts,
            status=st.sampled_from(Status),
            confidence_pct=st.none() | _floats,
            note=_texts,
        ),
        max_size=8,
    ).map(tuple),
    groups=st.lists(
        st.builds(GroupCounts, name=_texts, passed=_counts, failed=_counts, unsure=_counts, errors=_counts),
        max_size=12,
    ).map(tuple),
    note=_texts,
)


def printed(renderable: RenderableType, width: int, *, soft_wrap: bool = False, **console: Any) -> str:
    """What a console of that width writes for it."""
    file = console.pop("file", StringIO())
    Console(file=file, width=width, _environ={}, **console).print(renderable, soft_wrap=soft_wrap)
    text: str = file.getvalue()
    return text
