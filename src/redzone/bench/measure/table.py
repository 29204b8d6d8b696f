"""The figures of a bench as text and as JSON, the same for terminal, page and comparison. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

from redzone.bench.measure import packs
from redzone.bench.measure.advice import advise, find_bottleneck
from redzone.bench.measure.result_file import Bench, StageFigures
from redzone.bench.measure.sweep import efficiency, explain, find_knee
from redzone.bench.simulator.faults import IMAGE_SIDE, MODEL_SIDE
from redzone.terminal.formatting import format_count, format_duration, format_rate, format_short

UNKNOWN = "-"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of every stage."""

    label: str
    cells: tuple[str, ...]
    strong: bool = False


def table_rows(bench: Bench) -> tuple[Row, ...]:
    """The table, one row a figure, one cell a stage."""
    formats: tuple[tuple[str, Callable[[StageFigures], str]], ...] = (
        ("posters", lambda stage: format_count(stage.posters)),
        ("workers", _workers),
        ("seconds", lambda stage: f"{stage.seconds:,.1f}"),
        ("posters/min", lambda stage: format_rate(stage.posters_per_min)),
        ("seconds/poster", lambda stage: f"{stage.s_per_poster:.3g}"),
        ("speed-up", lambda stage: f"{bench.speed_up(stage):.1f}x"),
        ("use of the limit", format_use),
        ("requests", lambda stage: format_count(stage.requests)),
        ("answered 429", lambda stage: format_count(stage.rejected)),
        ("ended in error", lambda stage: format_count(stage.errors)),
        ("CPU ms/poster", format_cpu),
        ("peak memory", lambda stage: format_bytes(stage.peak_bytes)),
        ("images fetched", lambda stage: format_bytes(stage.image_bytes)),
        ("held back by", lambda stage: find_bottleneck(stage).value),
    )
    strong = ("posters/min", "speed-up")
    return tuple(
        Row(label, tuple(told(stage) for stage in bench.stages), label in strong) for label, told in formats
    )


def _workers(stage: StageFigures) -> str:
    return f"auto, {stage.workers}" if stage.auto_workers else str(stage.workers)


def format_use(stage: StageFigures) -> str:
    """`98 % of 120`; with `tok` where the tokens are nearer to their end; `no limit`."""
    use = stage.limit_use
    if stage.rpm is None and stage.tpm is None:
        return "no limit"
    if use is None:
        return UNKNOWN
    tokens = use == stage.token_use and use != stage.request_use
    limit = stage.tpm if tokens else stage.rpm
    return f"{use:.0%} of {format_count(limit or 0)}{' tok' if tokens else ''}"


def format_cpu(stage: StageFigures) -> str:
    """`5.1 ±0.4` milliseconds."""
    if stage.cpu_ms_per_poster is None:
        return UNKNOWN
    places = 0 if (stage.cpu_ms_error or 0) >= 2 else 1
    error = f" ±{stage.cpu_ms_error:.{places}f}" if stage.cpu_ms_error else ""
    return f"{stage.cpu_ms_per_poster:.{places}f}{error}"


def format_bytes(count: int | None) -> str:
    """`64.2 MB`, decimal."""
    if count is None:
        return UNKNOWN
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"


def about(bench: Bench) -> str:
    """What was measured, in a line."""
    if bench.profile is None:
        return f"the real API: {bench.live}"
    profile = bench.profile
    limits = [
        f"{limit:,} {unit}/min"
        for limit, unit in ((profile.rpm, "requests"), (profile.tpm, "tokens"))
        if limit
    ]
    if profile.baseline_rpm and bench.kind == "bench":
        limits.append(f"sequential {profile.baseline_rpm}/min")
    sides = (("model", MODEL_SIDE), ("image", IMAGE_SIDE))
    shares = [(side, sum(profile.faults.get(kind, 0.0) for kind in kinds)) for side, kinds in sides]
    faults = "".join(f", {share:.0%} {side} faults" for side, share in shares if share)
    return (
        f"profile {profile.name}: {format_duration(profile.latency_s)} an answer, "
        f"{', '.join(limits) or 'no limit'}{faults}"
    )


def notes(bench: Bench) -> tuple[str, ...]:
    """How it was measured, and where."""
    start, machine = bench.start, bench.machine
    said = [f"Latencies are times {bench.scale:g} (--scale); limits are not: a minute is a minute."]
    if bench.scale == 1:
        said.clear()
    cpu = (
        f"CPU ms/poster: processor time beyond that of a run of one poster; {start.runs} such runs were "
        f"{start.spread_s:.2f} s apart, hence the ±. What a run does once a second is in it, too."
    )
    use = "Use of the limit: requests between the first start and the last, over those allowed in that time."
    said += [
        (
            "Seconds run from the first poster in hand to the last outcome on disk; starting the program "
            f"({start.cpu_s:.1f} s of processor time) is not in them."
        ),
        *(packs.NOTES if bench.kind == "pack" else (cpu, use)),
        (
            f"{bench.made_at:%Y-%m-%d %H:%M} UTC, redzone {bench.redzone}, Python {machine.python}, "
            f"{machine.system}, {machine.processors} processors"
            f"{', client and simulator on one each' if machine.pinned else ''}"
            f"{f', posters {bench.poster_size}' if bench.poster_size else ''}."
        ),
    ]
    if bench.kind == "sweep":
        said.append("Posters/min: from the first tenth of the outcomes to the last, when all are busy.")
    return tuple(said)


SWEEP_HEAD = ("workers", "posters", "seconds", "posters/min", "linear", "limit", "429", "CPU ms")


def sweep_cells(bench: Bench, stage: StageFigures) -> tuple[str, ...]:
    """A line of a sweep's table: `linear` is the share of what as many single workers would do."""
    return (
        str(stage.workers),
        format_count(stage.posters),
        f"{stage.seconds:.1f}",
        format_rate(stage.steady_per_min),
        f"{efficiency(bench, stage):.0%}",
        format_use(stage).partition(" of ")[0],
        format_count(stage.rejected),
        format_cpu(stage),
    )


PACK_HEAD = (
    "pack",
    "posters",
    "seconds",
    "posters/min",
    "times",
    "requests",
    "limit",
    "429",
    "tokens",
    "errors",
)


def pack_cells(bench: Bench, stage: StageFigures) -> tuple[str, ...]:
    """A line of a table of packs: `times` is over the posters/min of the smallest pack."""
    used = packs.use(stage)
    return (
        str(stage.pack),
        format_count(stage.posters),
        f"{stage.seconds:.1f}",
        format_rate(packs.asked_per_min(stage)),
        f"{packs.times(bench, stage):.1f}x",
        format_count(stage.requests),
        UNKNOWN if used is None else f"{used:.0%}",
        format_count(stage.rejected),
        format_short(stage.tokens),
        format_count(stage.errors),
    )


def as_json(bench: Bench) -> dict[str, object]:
    """The saved form without its curves, with the figures that follow from it, the advice and the notes."""
    told: dict[str, object] = bench.model_dump(mode="json", by_alias=True, exclude={"stages"})
    told["stages"] = [_stage_json(bench, stage) for stage in bench.stages]
    if bench.kind == "sweep":
        knee = find_knee(bench)
        return {**told, "knee": asdict(knee), "advice": explain(knee), "notes": notes(bench)}
    advice = packs.explain(bench) if bench.kind == "pack" else advise(bench)
    return {**told, "advice": advice, "notes": notes(bench)}


def _stage_json(bench: Bench, stage: StageFigures) -> dict[str, object]:
    more: dict[str, object] = {
        "posters_per_min": round(stage.posters_per_min, 3),
        "s_per_poster": round(stage.s_per_poster, 5),
        "speed_up": round(bench.speed_up(stage), 3),
        "held_back_by": find_bottleneck(stage).value,
    }
    if bench.kind == "sweep":
        more["of_linear"] = round(efficiency(bench, stage), 4)
    if bench.kind == "pack":
        more["asked_per_min"] = round(packs.asked_per_min(stage), 3)
        more["times"] = round(packs.times(bench, stage), 3)
    return {**stage.model_dump(mode="json", exclude={"pace"}), **more}
