"""The values on the analytics page: totals, trends, changes between runs, reviewer agreement. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from redzone import charts
from redzone.models import Status
from redzone.query import Change, Comparison, GroupFigures, trends
from redzone.web.services.run_status import RunStatus
from redzone.web.services.totals_cache import RunTotals
from redzone.web.views.analytics_query import AnalyticsQuery
from redzone.web.views.card import Card

CHARTED_GROUPS = 12
LISTED_GROUPS = 100
JUDGEABLE = (Status.PASS, Status.FAIL, Status.UNSURE)  # what a reviewer can choose


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group over all selected runs, in the newest of them, and its change since the previous run."""

    name: str
    whole: GroupFigures
    now: GroupFigures | None
    change_points: float | None


@dataclass(frozen=True, slots=True)
class Changed:
    """A poster whose status differs between two runs, as in the later one."""

    change: Change
    card: Card


@dataclass(frozen=True, slots=True)
class Changes:
    """One kind of change: how many posters, and the first of them."""

    name: str
    meaning: str
    total: int
    listed: tuple[Changed, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What changed from one run to another."""

    before: RunStatus
    after: RunStatus
    found: Comparison
    kinds: tuple[Changes, ...]


@dataclass(frozen=True, slots=True)
class ReviewerVerdicts:
    """Reviewer verdicts on the posters to which the run gave one status."""

    said: Status
    counts: Mapping[Status, int]

    @property
    def judged(self) -> int:
        """How many of them were reviewed."""
        return sum(self.counts.values())

    @property
    def agreed(self) -> int:
        """On how many the reviewers agreed with the run."""
        return self.counts.get(self.said, 0)


@dataclass(frozen=True, slots=True)
class Analytics:
    """Several runs together. All that there are can be compared, those `within` the time can be chosen.
    `newest` is the last of the runs and `previous` the run of the same list before it; `before` and `after`
    are compared. `reading` counts runs that are still being read and not in the totals yet."""

    query: AnalyticsQuery
    every: Sequence[RunStatus]
    within: Sequence[RunStatus]
    runs: Sequence[RunStatus]
    totals: Mapping[str, RunTotals]
    newest: RunStatus | None
    previous: RunStatus | None
    before: RunStatus | None
    after: RunStatus | None
    difference: Difference | None
    reading: int
    sums: RunTotals = field(init=False)

    def __post_init__(self) -> None:
        mine = (self.totals[run.id] for run in self.runs if run.id in self.totals)
        object.__setattr__(self, "sums", RunTotals.summed(mine))

    @property
    def total(self) -> int:
        """Outcomes of all runs together."""
        return sum(self.sums.counts.values())

    @property
    def cost_usd(self) -> float:
        """Of all runs together, read or not."""
        return sum(run.cost_usd for run in self.runs)

    @property
    def groups(self) -> tuple[GroupRow, ...]:
        """The groups of all runs, the largest first, with the trend of the newest run."""
        found = trends(self._groups(self.newest), self._groups(self.previous))
        now = {trend.now.name: trend for trend in found}
        return tuple(
            GroupRow(
                whole.name,
                whole,
                now[whole.name].now if whole.name in now else None,
                now[whole.name].change_points if whole.name in now else None,
            )
            for whole in self.sums.groups
        )

    @property
    def group_chart(self) -> Markup:
        """The share of fails in the groups of the newest run, the highest first, and in the run before."""
        before = {group.name: group for group in self._groups(self.previous)}
        bars = [
            charts.GroupBar(group.name, group.counts, _fail_rate(before.get(group.name)))
            for group in self._groups(self.newest)
        ]
        worst = sorted(bars, key=lambda bar: (-bar.rate, -bar.judged, bar.name))[:CHARTED_GROUPS]
        return _fitted(lambda width: charts.group_bars(worst, width=width))

    @property
    def confidence_chart(self) -> Markup:
        """How sure the verdicts are, with the threshold where all runs have the same."""
        buckets = [one.counts for one in self.sums.bins]
        thresholds = {run.record.settings.get("min_confidence_pct") for run in self.runs}
        only = thresholds.pop() if len(thresholds) == 1 else None
        bound = float(only) if isinstance(only, int | float) else None
        return _fitted(lambda width: charts.confidence_columns(buckets, unsure_below_pct=bound, width=width))

    @property
    def day_chart(self) -> Markup:
        """Outcomes by the day on which they were recorded."""
        days = [charts.Day(on, counts) for on, counts in self.sums.days.items()]
        return _fitted(lambda width: charts.day_columns(days, width=width))

    @property
    def confusion(self) -> tuple[ReviewerVerdicts, ...]:
        """Reviewer verdicts for each status of the runs; a status without reviews is left out."""
        pairs = self.sums.agreement.pairs
        rows = (
            ReviewerVerdicts(said, {one: pairs.get((said, one), 0) for one in JUDGEABLE}) for said in Status
        )
        return tuple(row for row in rows if row.judged)

    def _groups(self, run: RunStatus | None) -> tuple[GroupFigures, ...]:
        tally = self.totals.get(run.id) if run is not None else None
        return tally.groups if tally is not None else ()


def find_changes(
    found: Comparison, look: Callable[[Sequence[int]], Sequence[Card]], most: int
) -> tuple[Changes, ...]:
    """The kinds of change, each with its first posters; `look` gives the cards of the later run's rows."""
    kinds = (
        ("newly failing", "fail now and did not", found.newly_failing),
        ("fixed", "pass now and failed", found.fixed),
        ("flipped", "changed in another way", found.flipped),
    )
    cards = {card.row: card for card in look([c.row_after for *_, some in kinds for c in some[:most]])}
    return tuple(
        Changes(
            name,
            meaning,
            len(some),
            tuple(Changed(one, cards[one.row_after]) for one in some[:most] if one.row_after in cards),
        )
        for name, meaning, some in kinds
    )


def _fail_rate(group: GroupFigures | None) -> float | None:
    pass_rate_pct = group.pass_rate_pct if group is not None else None
    return 1 - pass_rate_pct / 100 if pass_rate_pct is not None else None


def _fitted(draw: Callable[[float], str]) -> Markup:
    return Markup(charts.fitted(draw))  # noqa: S704  our own SVG
