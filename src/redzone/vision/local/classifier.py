"""From a poster's pixels to evidence per zone, and from the evidence to a verdict."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np
import numpy.typing as npt

from redzone.models import Box, Element, ElementKind, Zone, ZoneVerdict
from redzone.vision.local import colour
from redzone.vision.local.face_detector import Face, FaceDetector
from redzone.vision.local.text_detector import TextDetector, text_rectangles, text_score

Pixels = npt.NDArray[np.uint8]

# Fainter faces count in the verdict, but are not listed as elements.
SHOWN_FACE = 0.5


@dataclass(frozen=True, slots=True)
class Fit:
    """The coefficients that scripts/fit_local_model.py found.

    `floor` keeps the text score's log odds finite.
    """

    intercept: float
    text: float
    face: float
    floor: float

    @classmethod
    def shipped(cls) -> Fit:
        """The fit in fit.json."""
        record = json.loads(resources.files("redzone.vision.local").joinpath("fit.json").read_text())
        return cls(**record["fit"])

    def probability(self, evidence: Evidence) -> float:
        """Probability that the zone contains a key element, 0-1."""
        log_odds = self.intercept + self.text * logit(evidence.text, self.floor) + self.face * evidence.face
        return 1 / (1 + math.exp(-log_odds))


@dataclass(frozen=True, slots=True)
class Evidence:
    """Scores 0-1 and boxes of one zone. A plain zone scores 0, and no network runs for it."""

    plain: bool = False
    text: float = 0.0
    face: float = 0.0
    text_boxes: tuple[Box, ...] = ()
    face_boxes: tuple[Box, ...] = ()
    text_share: float = 0.0


def logit(probability: float, floor: float) -> float:
    """The log odds of a probability clamped between `floor` and 1 - `floor`."""
    clamped = min(max(probability, floor), 1 - floor)
    return math.log(clamped / (1 - clamped))


class Examiner:
    """Both networks, loaded; thread-safe. Raises ModelFilesMissing."""

    def __init__(self) -> None:
        self._texts = TextDetector()
        self._faces = FaceDetector()
        self.providers = self._texts.providers

    def examine(self, pixels: Pixels, zones: Sequence[Zone]) -> list[Evidence]:
        """Evidence per zone. The networks run once for all zones, and not at all if every zone is plain."""
        plain = [is_plain(pixels, zone) for zone in zones]
        if all(plain):
            return [Evidence(plain=True) for _ in zones]
        marked, faces = self._texts.mark(pixels), self._faces.find(pixels)
        return [
            Evidence(plain=True) if skip else _evidence(marked, faces, zone)
            for zone, skip in zip(zones, plain, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Judge:
    """An examiner and the fit that turns its evidence into verdicts."""

    examiner: Examiner
    fit: Fit

    def judge(self, data: bytes, size: tuple[int, int], zones: Sequence[Zone]) -> tuple[ZoneVerdict, ...]:
        """One verdict per zone. `data` is the poster's sRGB bytes row by row, `size` its width and height."""
        width, height = size
        seen = self.examiner.examine(np.frombuffer(data, np.uint8).reshape(height, width, 3), zones)
        return tuple(verdict(zone, evidence, self.fit) for zone, evidence in zip(zones, seen, strict=True))


def is_plain(pixels: Pixels, zone: Zone) -> bool:
    """Whether the zone has no noticeable difference of colour anywhere, so that no network needs to run."""
    rows, columns = _span(zone, *pixels.shape[:2])
    return colour.is_plain(pixels[rows, columns], (zone.w, zone.h))


def _span(zone: Zone, height: int, width: int) -> tuple[slice, slice]:
    """The zone's rows and columns, at least one each."""
    top, left = min(height - 1, round(zone.y * height)), min(width - 1, round(zone.x * width))
    bottom, right = round((zone.y + zone.h) * height), round((zone.x + zone.w) * width)
    return slice(top, max(top + 1, bottom)), slice(left, max(left + 1, right))


def _evidence(marked: npt.NDArray[np.float32], faces: Sequence[Face], zone: Zone) -> Evidence:
    height, width = marked.shape
    rows, columns = _span(zone, height, width)
    part = marked[rows, columns]
    covered = np.zeros(part.shape, np.bool_)
    texts = []
    for left, top, right, bottom in text_rectangles(part):
        covered[top:bottom, left:right] = True
        x, y = columns.start + left, rows.start + top
        texts.append(Box(x=x / width, y=y / height, w=(right - left) / width, h=(bottom - top) / height))
    counting = [face for face in faces if face.counts_in(zone)]
    return Evidence(
        text=text_score(part),
        face=counting[0].score if counting else 0.0,
        text_boxes=tuple(texts),
        face_boxes=tuple(_within_poster(face) for face in counting if face.score >= SHOWN_FACE),
        text_share=float(covered.mean()),
    )


def _within_poster(face: Face) -> Box:
    left, top, right, bottom = (
        min(max(edge, 0.0), 1.0) for edge in (face.left, face.top, face.right, face.bottom)
    )
    return Box(x=left, y=top, w=right - left, h=bottom - top)


def verdict(zone: Zone, evidence: Evidence, fit: Fit) -> ZoneVerdict:
    """The more probable answer, with its probability as the confidence (50-100) and the reason."""
    probability = fit.probability(evidence)
    found = probability > 0.5
    return ZoneVerdict(
        name=zone.name,
        contains_key_elements=found,
        confidence_pct=round(100 * max(probability, 1 - probability), 1),
        elements=_elements(evidence, fit) if found else (),
        justification=_reason(evidence, found),
    )


def _elements(evidence: Evidence, fit: Fit) -> tuple[Element, ...]:
    """The located elements; if there are none, the kind with the larger weight, without a box."""
    located = [Element(kind=ElementKind.TEXT, label="lettering", box=box) for box in evidence.text_boxes]
    located += [Element(kind=ElementKind.FACE, label="face", box=box) for box in evidence.face_boxes]
    if located:
        return tuple(located)
    text = fit.text * (logit(evidence.text, fit.floor) - logit(0.0, fit.floor))
    if fit.face * evidence.face > text:
        return (Element(kind=ElementKind.FACE, label="likely face"),)
    return (Element(kind=ElementKind.TEXT, label="likely lettering"),)


def _reason(evidence: Evidence, found: bool) -> str:
    if evidence.plain:
        return "the zone is plain: no edges in it"
    faces = len(evidence.face_boxes)
    parts = [f"text covers {max(1, round(100 * evidence.text_share))} % of the zone"] * bool(
        evidence.text_boxes
    )
    parts += [f"{faces} face{'s' * (faces > 1)}"] * bool(faces)
    if parts:
        return "; ".join(parts) if found else f"too faint to count: {'; '.join(parts)}"
    if found:
        return f"faint signs: text score {evidence.text:.2f}, face score {evidence.face:.2f}"
    return "no text and no face found in the zone"
