"""The posters of a report by status, each with its words and its picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from redzone.models import Status, Zone
from redzone.reports.cards import Card, card_of
from redzone.reports.digest import Digest
from redzone.reports.metadata import Report, Shot, no_pictures
from redzone.reports.overlay import Frame, frame_of
from redzone.review import Finding

_NAMES = {
    Status.FAIL: ("Fail", "Something that matters is where the badge goes."),
    Status.UNSURE: ("Unsure", "The model was not sure enough: a person should look."),
    Status.ERROR: ("Error", "Not judged, and why."),
    Status.PASS: ("Pass", "The zone is free."),
}


@dataclass(frozen=True, slots=True)
class Section:
    """The posters of one status. `cards` is read once, in the order of the sections; `left_out` says where
    those are that it has no room for."""

    status: Status
    name: str
    about: str
    count: int
    cards: Iterator[tuple[Card, Frame]]
    left_out: str


@dataclass(frozen=True, slots=True)
class Gallery:
    """All sections; `note` says that not every poster has its picture, empty where each has."""

    sections: tuple[Section, ...]
    note: str


def gallery(found: Digest, report: Report, told: Sequence[Status], most: int, width_px: int) -> Gallery:
    """The posters of the statuses `told`, in this order, the first `most` of them with pictures."""
    shown = [status for status in told if found.kept[status]]
    findings = [finding for status in shown for finding in found.kept[status]]
    wanted = most if report.most_pictures is None else report.most_pictures
    shots = chain(report.pictures(findings[:wanted], width_px), no_pictures(findings[wanted:], width_px))
    note = f"The first {wanted:,} of {len(findings):,} posters have their picture; the others have none,"
    return Gallery(
        tuple(_section(status, found, report, shots) for status in shown),
        f"{note} to keep the file small." if len(findings) > wanted else "",
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
    findings: Sequence[Finding], shots: Iterator[Shot], zones: Sequence[Zone]
) -> Iterator[tuple[Card, Frame]]:
    for finding in findings:
        card = card_of(finding)
        yield card, frame_of(next(shots), zones, card)
