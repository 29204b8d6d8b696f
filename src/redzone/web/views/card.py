"""A poster as pages show it: its URLs, and what is drawn over its picture."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from redzone.config.settings import Settings
from redzone.models import VIEW_PREFIX, Box, Outcome, Status, Zone, ZoneVerdict
from redzone.review import ReviewedOutcome
from redzone.runs import RunRecord
from redzone.web.views.list_query import ListQuery

VERSION_LENGTH = 12  # hex digits of the content hash in a picture's URL


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of the picture in per cent of its width and height, as SVG attributes take them."""

    x: str
    y: str
    w: str
    h: str

    @classmethod
    def of(cls, box: Zone | Box) -> Area:
        """The rectangle of fractions."""
        return cls(*(f"{100 * side:.6g}%" for side in (box.x, box.y, box.w, box.h)))


@dataclass(frozen=True, slots=True)
class ZoneOutline:
    """A zone on the picture. `status` colours it; None without a verdict."""

    zone: Zone
    part: Area
    status: Status | None


@dataclass(frozen=True, slots=True)
class ElementMark:
    """An element on the picture, by the number under which the page lists it."""

    number: int
    part: Area


@dataclass(frozen=True, slots=True)
class Card:
    """A poster of a run within a list query."""

    record: RunRecord
    reviewed: ReviewedOutcome
    list_query: ListQuery

    @property
    def row(self) -> int:
        """The row's number."""
        return self.reviewed.row.row

    @property
    def name(self) -> str:
        """The title, else the id."""
        return self.reviewed.row.title or self.reviewed.row.id

    @property
    def status(self) -> str:
        """The status that counts; `pending` where there is none."""
        return self.reviewed.status or "pending"

    @property
    def overruled(self) -> Status | None:
        """The run's own status where a person's differs."""
        original = self.reviewed.original_status
        return original if original != self.reviewed.status else None

    @property
    def confidence_pct(self) -> float | None:
        """The lowest confidence of any zone."""
        verdicts = self._verdicts
        return min(verdict.confidence_pct for verdict in verdicts) if verdicts else None

    @property
    def sure(self) -> str:
        """The confidence as text; empty without one."""
        return percent(self.confidence_pct) if self.confidence_pct is not None else ""

    @property
    def labels(self) -> list[str]:
        """The labels of the elements that the model found, each once."""
        elements = [element for verdict in self._verdicts for element in verdict.elements]
        return list(dict.fromkeys(element.label or element.kind for element in elements))

    @property
    def reason(self) -> str:
        """The reason for the status: the justification after review, or the error."""
        error = self._outcome.error if self._outcome is not None else None
        return self.reviewed.justification or (error.message if error is not None else "")

    @property
    def href(self) -> str:
        """The URL of the poster's page, with the same list query."""
        return self.list_query.at(f"/runs/{self.record.id}/posters/{self.row}")

    @property
    def marks(self) -> list[ZoneOutline]:
        """The run's zones."""
        return [ZoneOutline(zone, Area.of(zone), self._zone_status(zone.name)) for zone in self.record.zones]

    @property
    def spots(self) -> list[ElementMark]:
        """The elements that have a box, numbered over all zones."""
        elements = [element for verdict in self._verdicts for element in verdict.elements]
        return [
            ElementMark(number, Area.of(element.box))
            for number, element in enumerate(elements, 1)
            if element.box is not None
        ]

    def picture(self, size: int) -> str:
        """The URL of the whole poster, at most `size` px wide."""
        return self._address(size=str(size))

    def closeup(self, zone: Zone) -> str:
        """The URL of the picture of a zone alone."""
        return self._address(zone=zone.name)

    @property
    def seen(self) -> str:
        """The URL of the view that the model saw."""
        return self._address(seen="yes")

    @property
    def _outcome(self) -> Outcome | None:
        return self.reviewed.outcome

    @property
    def _verdicts(self) -> tuple[ZoneVerdict, ...]:
        return self._outcome.zones if self._outcome is not None else ()

    def _zone_status(self, name: str) -> Status | None:
        if len(self.record.zones) == 1 and self.reviewed.status is not Status.ERROR:
            return self.reviewed.status
        verdict = next((verdict for verdict in self._verdicts if verdict.name == name), None)
        if verdict is None:
            return None
        if verdict.confidence_pct < min_confidence_pct(self.record):
            return Status.UNSURE
        return Status.FAIL if verdict.contains_key_elements else Status.PASS

    def _address(self, **wanted: str) -> str:
        sha256 = self._outcome.image_sha256 if self._outcome is not None else None
        # the hash of a view does not identify the file
        version = {"v": sha256[:VERSION_LENGTH]} if sha256 and not sha256.startswith(VIEW_PREFIX) else {}
        return f"/runs/{self.record.id}/pictures/{self.row}?{urlencode(wanted | version)}"


def percent(value_pct: float) -> str:
    """With a decimal only where there is one: `99.9 %`, `100 %`."""
    return f"{value_pct:.3g} %"


def min_confidence_pct(record: RunRecord) -> float:
    """The run's confidence threshold: verdicts below it are unsure."""
    value = record.settings.get("min_confidence_pct")
    return float(value) if isinstance(value, (int, float)) else Settings().min_confidence_pct
