"""Face detection with YuNet (OpenCV Zoo); its output is decoded here, without OpenCV."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from redzone.models import Zone
from redzone.vision.local import weights

Pixels = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.float32]

SIDE_PX = 640
STRIDES = (8, 16, 32)
LOWEST_SCORE = 0.1
SAME_FACE_IOU = 0.3
# YuNet's box ends at or just above the eyebrows; the forehead counts as part of the face.
FOREHEAD = 0.1
SMALLEST_HEIGHT = 0.02
COVER = 0.2


@dataclass(frozen=True, slots=True)
class Face:
    """A face: its box in fractions of the poster (it may extend beyond it) and a score 0-1."""

    left: float
    top: float
    right: float
    bottom: float
    score: float

    def counts_in(self, zone: Zone) -> bool:
        """Whether, in both directions, the overlap is at least a fifth of the shorter span."""
        height = self.bottom - self.top
        if height < SMALLEST_HEIGHT:
            return False
        across = _shared(self.left, self.right, zone.x, zone.x + zone.w)
        down = _shared(self.top - FOREHEAD * height, self.bottom, zone.y, zone.y + zone.h)
        return across >= COVER and down >= COVER


def _shared(first: float, last: float, zone_first: float, zone_last: float) -> float:
    """The overlap of two spans as a share of the shorter one."""
    overlap = min(last, zone_last) - max(first, zone_first)
    return overlap / max(1e-9, min(last - first, zone_last - zone_first))


class FaceDetector:
    """Finds faces in whole posters."""

    def __init__(self) -> None:
        self._session = weights.open_session(weights.FACE)
        self._outputs = [output.name for output in self._session.get_outputs()]

    def find(self, pixels: Pixels) -> list[Face]:
        """Faces with a score of at least 0.1, best first. `pixels` is (height, width, 3) sRGB."""
        height, width = pixels.shape[:2]
        scale = SIDE_PX / max(height, width)
        inner = (max(1, round(width * scale)), max(1, round(height * scale)))
        fitted = np.asarray(Image.fromarray(pixels).resize(inner, Image.Resampling.BILINEAR))
        batch = np.zeros((1, 3, SIDE_PX, SIDE_PX), np.float32)
        batch[0, :, : inner[1], : inner[0]] = fitted[:, :, ::-1].transpose(2, 0, 1)
        outputs = dict(zip(self._outputs, self._session.run(None, {"input": batch}), strict=True))
        rows = np.concatenate([_decode(outputs, stride) for stride in STRIDES])
        rows[:, 0:4:2] /= inner[0]
        rows[:, 1:4:2] /= inner[1]
        return [Face(*map(float, row)) for row in _suppress_overlaps(rows)]


def _decode(outputs: dict[str, Rows], stride: int) -> Rows:
    """Rows of left, top, right, bottom (pixels of the input square) and score, for one stride."""
    score = np.sqrt(np.clip(outputs[f"cls_{stride}"][0, :, 0] * outputs[f"obj_{stride}"][0, :, 0], 0, 1))
    cells = np.flatnonzero(score >= LOWEST_SCORE)
    offset, size = np.hsplit(outputs[f"bbox_{stride}"][0, cells], 2)
    row, column = np.divmod(cells, SIDE_PX // stride)
    centre = (np.stack([column, row], axis=1) + offset) * stride
    half = np.exp(size) * stride / 2
    return np.column_stack([centre - half, centre + half, score[cells]]).astype(np.float32)


def _suppress_overlaps(rows: Rows) -> list[Rows]:
    """Non-maximum suppression: of boxes with an IoU of 0.3 or more only the best one is kept."""
    kept: list[Rows] = []
    for row in rows[np.argsort(-rows[:, 4], kind="stable")]:
        if all(_iou(row, other) < SAME_FACE_IOU for other in kept):
            kept.append(row)
    return kept


def _iou(a: Rows, b: Rows) -> float:
    overlap = np.minimum(a[2:4], b[2:4]) - np.maximum(a[:2], b[:2])
    if overlap.min() <= 0:
        return 0.0
    shared = float(overlap.prod())
    return shared / float((a[2:4] - a[:2]).prod() + (b[2:4] - b[:2]).prod() - shared)
