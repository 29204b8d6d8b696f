"""The sentences at the top of a report."""

from __future__ import annotations

from collections.abc import Iterator

from redzone.models import Status, Zone
from redzone.reports.digest import Digest
from redzone.reports.metadata import ReportMetadata
from redzone.text import clean


def report_title(facts: ReportMetadata) -> str:
    """The report's name."""
    return clean(facts.label, 120) or f"Run {facts.run_id}"


def headline(found: Digest, facts: ReportMetadata) -> str:
    """The result in one sentence."""
    zone = describe_zones(facts.zones)
    if not found.judged:
        return f"No poster has been judged for {zone} yet."
    failed = found.counts[Status.FAIL]
    if not failed:
        return f"None of {_count(found.judged, 'judged poster')} has a title, logo or face in {zone}."
    verb = "has" if failed == 1 else "have"
    share = f"{100 * failed / found.judged:.0f} %" if failed < found.judged else "all"
    return (
        f"{failed:,} of {_count(found.judged, 'judged poster')} ({share}) {verb} a title, logo or face"
        f" in {zone}."
    )


def remarks(found: Digest) -> Iterator[str]:
    """What else a reader needs to know to judge the figures."""
    unsure, errors = found.counts[Status.UNSURE], found.counts[Status.ERROR]
    if unsure:
        yield f"{_count(unsure, 'verdict')} {'is' if unsure == 1 else 'are'} unsure: a person should look."
    if errors:
        yield f"{_count(errors, 'poster')} could not be judged."
    if found.pending:
        yield f"{_count(found.pending, 'poster')} {'is' if found.pending == 1 else 'are'} still to be judged."
    if found.reviewed:
        changed = f" and changed {found.overruled:,}" if found.overruled else " and changed none"
        yield f"People reviewed {found.reviewed:,}{changed}."


def describe_zones(zones: tuple[Zone, ...]) -> str:
    """The zones as a phrase: `the red zone`."""
    names = [zone.name for zone in zones]
    if len(names) == 1:
        return f"the {names[0]} zone"
    return f"one of the zones {', '.join(names[:-1])} and {names[-1]}" if names else "a zone"


def run_facts(facts: ReportMetadata, found: Digest) -> list[tuple[str, str]]:
    """Names and values of the run's request, for a table."""
    sure = f", unsure below {facts.min_confidence_pct:g} %" if facts.min_confidence_pct else ""
    zones = "; ".join(
        f"{z.name}: {_pct(z.w)} of the width, {_pct(z.h)} of the height, from {_pct(z.x)} / {_pct(z.y)}"
        for z in facts.zones
    )
    entries = [
        ("Input", clean(", ".join(facts.inputs), 300)),
        ("Rows", f"{facts.rows:,}"),
        ("Chosen", f"{found.rows:,}: {clean(facts.selection, 300)}" if facts.selection else ""),
        ("Zone" if len(facts.zones) == 1 else "Zones", zones),
        ("Judged by", clean(facts.judge, 120) + sure),
        ("Run", f"{facts.run_id}, begun {facts.begun_at:%Y-%m-%d %H:%M} UTC, {facts.state}"),
        ("Duration", _span(facts.seconds)),
        ("Cost", _cost(found, facts)),
        ("Report", f"made {facts.made_at:%Y-%m-%d %H:%M} UTC with redzone {facts.version}"),
    ]
    # no line begins with a percent sign
    return [(name, value.replace(" %", "\u00a0%")) for name, value in entries if value]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _pct(share: float) -> str:
    return f"{100 * share:.4g} %"


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _cost(found: Digest, facts: ReportMetadata) -> str:
    if found.tokens and not found.cost_usd and not facts.zero_cost_is_known:
        return f"unknown: the price of the model is not known; {found.tokens:,} tokens"
    return _money(found.cost_usd)


def _money(usd: float) -> str:
    return f"${usd:,.2f}" if usd == 0 or usd >= 1 else f"${usd:.4f}"
