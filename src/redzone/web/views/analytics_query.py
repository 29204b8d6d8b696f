"""The query string of the analytics page: which runs it covers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date

from redzone.errors import UsageError
from redzone.runs.record import RUN_ID
from redzone.web.services.run_status import RunStatus

MOST_RUNS = 50


@dataclass(frozen=True, slots=True)
class AnalyticsQuery:
    """Runs that began from `since` to `until`, days of UTC and both included, or only the chosen ones of
    them; and the two runs that are compared, empty for the newest and the one before it."""

    since: date | None = None
    until: date | None = None
    chosen: tuple[str, ...] = ()
    before: str = ""
    after: str = ""

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> AnalyticsQuery:
        """The scope of a query string; empty values say nothing. Raises UsageError that names the field."""
        given: dict[str, list[str]] = {}
        for name, value in pairs:
            if value:
                given.setdefault(name, []).append(value)
        return cls(
            since=_day(given, "since"),
            until=_day(given, "until"),
            chosen=tuple(dict.fromkeys(_id("run", value) for value in given.get("run", ()))),
            before=_id("before", given.get("before", [""])[-1]),
            after=_id("after", given.get("after", [""])[-1]),
        )

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """A query that `of` reads back equal; empty for everything."""
        said = [
            ("since", self.since.isoformat() if self.since else ""),
            ("until", self.until.isoformat() if self.until else ""),
            *(("run", run_id) for run_id in self.chosen),
            ("before", self.before),
            ("after", self.after),
        ]
        return [(name, value) for name, value in said if value]

    def within(self, runs: Sequence[RunStatus]) -> list[RunStatus]:
        """Those of the time, in the order given."""
        return [run for run in runs if self._covers(run.record.created_at.astimezone(UTC).date())]

    def selected(self, runs: Sequence[RunStatus]) -> list[RunStatus]:
        """The chosen ones of the time; without a choice the first ones that have found something."""
        within = self.within(runs)
        if self.chosen:
            return [run for run in within if run.id in self.chosen]
        return [run for run in within if run.done][:MOST_RUNS]

    def _covers(self, day: date) -> bool:
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)


def _day(given: dict[str, list[str]], name: str) -> date | None:
    text = given.get(name, [""])[-1]
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{name}: {text!r} is not a date (YYYY-MM-DD)") from None


def _id(name: str, text: str) -> str:
    if text and not RUN_ID.fullmatch(text):
        raise UsageError(f"{name}: {text!r} is not a run id")
    return text
