"""Compares two saved benches. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from redzone.bench.measure.result_file import Bench, StageFigures
from redzone.bench.measure.table import UNKNOWN, format_bytes, format_cpu
from redzone.terminal.formatting import format_rate

NOTABLE = 0.05  # a smaller difference is reported as "same": two runs of one bench differ by a few per cent


@dataclass(frozen=True, slots=True)
class ComparedLine:
    """One figure of both benches. `ratio` is after / before; None if either is unknown or before is zero."""

    label: str
    before: str
    after: str
    ratio: float | None
    verdict: str

    @property
    def ratio_text(self) -> str:
        """The ratio as text: `1.24x`."""
        return f"{self.ratio:.2f}x" if self.ratio is not None else UNKNOWN


@dataclass(frozen=True, slots=True)
class StageLines:
    """The figures of a stage that both benches have."""

    name: str
    lines: tuple[ComparedLine, ...]


@dataclass(frozen=True, slots=True)
class BenchComparison:
    """Both benches, their common stages, and why they may not be comparable."""

    before: Bench
    after: Bench
    stages: tuple[StageLines, ...]
    remarks: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """Stages and remarks as JSON values."""
        return {"stages": [asdict(stage) for stage in self.stages], "remarks": list(self.remarks)}


_Figure = Callable[[StageFigures], float | None]
_Format = Callable[[StageFigures], str]

# label, figure, formatter, whether more is better
_FIGURES: tuple[tuple[str, _Figure, _Format, bool], ...] = (
    ("posters/min", lambda s: s.posters_per_min, lambda s: format_rate(s.posters_per_min), True),
    ("seconds/poster", lambda s: s.s_per_poster, lambda s: f"{s.s_per_poster:.3g}", False),
    ("use of the limit", lambda s: s.limit_use, lambda s: _share(s.limit_use), True),
    (
        "requests/poster",
        lambda s: _per(s.requests, s.posters),
        lambda s: f"{_per(s.requests, s.posters):.2f}",
        False,
    ),
    ("429 responses", lambda s: float(s.rejected), lambda s: str(s.rejected), False),
    ("ended in error", lambda s: float(s.errors), lambda s: str(s.errors), False),
    ("CPU ms/poster", lambda s: s.cpu_ms_per_poster, format_cpu, False),
    ("peak memory", lambda s: s.peak_bytes, lambda s: format_bytes(s.peak_bytes), False),
    ("images fetched", lambda s: s.image_bytes, lambda s: format_bytes(s.image_bytes), False),
)


def compare(before: Bench, after: Bench) -> BenchComparison:
    """Compare every stage that both have, and list what else differs."""
    later = {stage.name: stage for stage in after.stages}
    stages = tuple(
        StageLines(stage.name, tuple(_lines(stage, later[stage.name])))
        for stage in before.stages
        if stage.name in later
    )
    return BenchComparison(before, after, stages, tuple(_remarks(before, after)))


def _lines(before: StageFigures, after: StageFigures) -> Iterator[ComparedLine]:
    for label, figure, format_figure, more_is_better in _FIGURES:
        old, new = figure(before), figure(after)
        ratio = new / old if old and new is not None else None
        verdict = _verdict(label, before, after, (old, new), more_is_better=more_is_better)
        yield ComparedLine(label, format_figure(before), format_figure(after), ratio, verdict)


def _verdict(
    label: str,
    before: StageFigures,
    after: StageFigures,
    figures: tuple[float | None, float | None],
    *,
    more_is_better: bool,
) -> str:
    old, new = figures
    if old is None or new is None:
        return ""
    least = NOTABLE * max(abs(old), abs(new))
    if label == "CPU ms/poster":
        least = max(least, (before.cpu_ms_error or 0) + (after.cpu_ms_error or 0))
    if abs(new - old) <= least:
        return "same"
    return "better" if (new > old) is more_is_better else "worse"


def _remarks(before: Bench, after: Bench) -> Iterator[str]:
    """Differences between the benches that make their ratios less meaningful."""
    pairs = (
        ("kind", before.kind, after.kind),
        ("profile", _profile(before), _profile(after)),
        ("API", before.live or "simulated", after.live or "simulated"),
        ("scale", before.scale, after.scale),
        ("poster size", before.poster_size, after.poster_size),
        ("machine", before.machine, after.machine),
    )
    for name, old, new in pairs:
        if old != new:
            yield f"The {name} differs: A {_plain(old)}, B {_plain(new)}. The ratios include that difference."
    names, other = [stage.name for stage in before.stages], [stage.name for stage in after.stages]
    for side, only in (
        ("A", [n for n in names if n not in other]),
        ("B", [n for n in other if n not in names]),
    ):
        if only:
            yield f"Only {side} has {', '.join(only)}."
    later = {stage.name: stage for stage in after.stages}
    for stage in before.stages:
        pair = later.get(stage.name)
        if pair and (stage.posters, stage.workers) != (pair.posters, pair.workers):
            yield (
                f"{stage.name}: A has {stage.posters} posters and {stage.workers} workers, "
                f"B {pair.posters} and {pair.workers}."
            )


def _profile(bench: Bench) -> str:
    if bench.profile is None:
        return "none"
    values = bench.profile.model_dump(
        mode="json", exclude={"about"}, exclude_none=True, exclude_defaults=True
    )
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _plain(value: object) -> str:
    machine = getattr(value, "model_dump", None)
    if machine is None:
        return str(value)
    return ", ".join(f"{name} {part}" for name, part in machine().items())


def _share(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.0%}"


def _per(count: float, of: int) -> float:
    return count / of if of else 0.0
