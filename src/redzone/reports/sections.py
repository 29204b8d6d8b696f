"""The posters of a report by status, each with its texts and its picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from redzone.models import Status, Zone
from redzone.reports.cards import ReportCard, report_card
from redzone.reports.digest import Digest
from redzone.reports.metadata import Report, Shot, no_pictures
from redzone.reports.overlay import Frame, zone_overlay
from redzone.review import ReviewedOutcome

_NAMES = {
    Status.FAIL: ("Fail", "A title, logo or face is where the badge goes."),
    Status.UNSURE: ("Unsure", "The model was not sure enough: a person should look."),
    Status.ERROR: ("Error", "Not judged, with the reason."),
    Status.PASS: ("Pass", "The zone is free."),
}


@dataclass(frozen=True, slots=True)
class Section:
    """The posters of one status. `cards` can be read once, in the order of the sections; `left_out` says how
    to get the posters that are not shown."""

    status: Status
    name: str
    about: str
    count: int
    cards: Iterator[tuple[ReportCard, Frame]]
    left_out: str


@dataclass(frozen=True, slots=True)
class Gallery:
    """All sections; `note` says that not every poster has its picture, empty if every one has."""

    sections: tuple[Section, ...]
    note: str


def gallery(found: Digest, report: Report, order: Sequence[Status], most: int, width_px: int) -> Gallery:
    """The posters of the statuses in `order`, the first `most` of them with pictures."""
    shown = [status for status in order if found.kept[status]]
    reviewed_outcomes = [reviewed for status in shown for reviewed in found.kept[status]]
    wanted = most if report.most_pictures is None else report.most_pictures
    shots = chain(
        report.pictures(reviewed_outcomes[:wanted], width_px),
        no_pictures(reviewed_outcomes[wanted:], width_px),
    )
    count = len(reviewed_outcomes)
    note = f"The first {wanted:,} of {count:,} posters have their picture; the others have none,"
    return Gallery(
        tuple(_section(status, found, report, shots) for status in shown),
        f"{note} to keep the file small." if len(reviewed_outcomes) > wanted else "",
    )


def _section(status: Status, found: Digest, report: Report, shots: Iterator[Shot]) -> Section:
    kept, count = found.kept[status], found.counts[status]
    rest = (
        f"{count - len(kept):,} more are not shown here:"
        f" redzone export {report.facts.run_id} --status {status} -o {status}.csv has all {count:,}."
    )
    return Section(
        status,
        *_NAMES[status],
        count,
        _cards(kept, shots, report.facts.zones),
        rest if count > len(kept) else "",
    )


def _cards(
    reviewed_outcomes: Sequence[ReviewedOutcome], shots: Iterator[Shot], zones: Sequence[Zone]
) -> Iterator[tuple[ReportCard, Frame]]:
    for reviewed in reviewed_outcomes:
        card = report_card(reviewed)
        yield card, zone_overlay(next(shots), zones, card)
