"""Formats the figures of a bench as text and JSON for the terminal, the page and the comparison. Pure."""

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
    """One figure, with a cell for each stage."""

    label: str
    cells: tuple[str, ...]
    strong: bool = False


def table_rows(bench: Bench) -> tuple[Row, ...]:
    """Return the rows of the table."""
    formats: tuple[tuple[str, Callable[[StageFigures], str]], ...] = (
        ("posters", lambda stage: format_count(stage.posters)),
        ("workers", _workers),
        ("seconds", lambda stage: f"{stage.seconds:,.1f}"),
        ("posters/min", lambda stage: format_rate(stage.posters_per_min)),
        ("seconds/poster", lambda stage: f"{stage.s_per_poster:.3g}"),
        ("speed-up", lambda stage: f"{bench.speed_up(stage):.1f}x"),
        ("use of the limit", format_use),
        ("requests", lambda stage: format_count(stage.requests)),
        ("429 responses", lambda stage: format_count(stage.rejected)),
        ("ended in error", lambda stage: format_count(stage.errors)),
        ("CPU ms/poster", format_cpu),
        ("peak memory", lambda stage: format_bytes(stage.peak_bytes)),
        ("images fetched", lambda stage: format_bytes(stage.image_bytes)),
        ("bottleneck", lambda stage: find_bottleneck(stage).value),
    )
    strong = ("posters/min", "speed-up")
    return tuple(
        Row(label, tuple(format_figure(stage) for stage in bench.stages), label in strong)
        for label, format_figure in formats
    )


def _workers(stage: StageFigures) -> str:
    return f"auto, {stage.workers}" if stage.auto_workers else str(stage.workers)


def format_use(stage: StageFigures) -> str:
    """`98 % of 120`, with `tok` if the token limit is closer to exhausted; or `no limit`."""
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


def describe(bench: Bench) -> str:
    """Describe the profile or the API in a line."""
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
        f"profile {profile.name}: {format_duration(profile.latency_s)} per answer, "
        f"{', '.join(limits) or 'no limit'}{faults}"
    )


def notes(bench: Bench) -> tuple[str, ...]:
    """Describe the method and the machine."""
    start, machine = bench.start, bench.machine
    lines = []
    if bench.scale != 1:
        lines.append(f"Latencies are multiplied by {bench.scale:g} (--scale); limits per minute are not.")
    cpu = (
        f"CPU ms/poster: processor time less that of a run of one poster; {start.runs} such runs differed by "
        f"{start.spread_s:.2f} s, hence the ±. It includes what a run does once a second."
    )
    use = "Use of the limit: requests between the first and the last start, over those allowed meanwhile."
    lines += [
        (
            "Seconds run from the start of the first poster to the last outcome on disk, without starting "
            f"the program ({start.cpu_s:.1f} s of processor time)."
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
        lines.append("Posters/min: without the first and last tenth of the outcomes, when not all are busy.")
    return tuple(lines)


SWEEP_HEAD = ("workers", "posters", "seconds", "posters/min", "linear", "limit", "429", "CPU ms")


def sweep_cells(bench: Bench, stage: StageFigures) -> tuple[str, ...]:
    """Return a row of a sweep's table: `linear` is the rate over that of as many single workers."""
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
    """Return a row of the table of packs: `times` is over the posters/min of the smallest pack."""
    used = packs.use(stage)
    return (
        str(stage.pack),
        format_count(stage.posters),
        f"{stage.seconds:.1f}",
        format_rate(packs.steady_posters_per_min(stage)),
        f"{packs.speed_up(bench, stage):.1f}x",
        format_count(stage.requests),
        UNKNOWN if used is None else f"{used:.0%}",
        format_count(stage.rejected),
        format_short(stage.tokens),
        format_count(stage.errors),
    )


def as_json(bench: Bench) -> dict[str, object]:
    """Return the saved form without its curves, with derived figures, advice and notes."""
    values: dict[str, object] = bench.model_dump(mode="json", by_alias=True, exclude={"stages"})
    values["stages"] = [_stage_json(bench, stage) for stage in bench.stages]
    if bench.kind == "sweep":
        knee = find_knee(bench)
        return {**values, "knee": asdict(knee), "advice": explain(knee), "notes": notes(bench)}
    advice = packs.explain(bench) if bench.kind == "pack" else advise(bench)
    return {**values, "advice": advice, "notes": notes(bench)}


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
        more["asked_per_min"] = round(packs.steady_posters_per_min(stage), 3)
        more["times"] = round(packs.speed_up(bench, stage), 3)
    return {**stage.model_dump(mode="json", exclude={"pace"}), **more}
