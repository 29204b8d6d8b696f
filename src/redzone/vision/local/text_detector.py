"""Text detection with PP-OCRv6 small (PaddleOCR), and scores and boxes from its probability map."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from redzone.vision.local import weights

Pixels = npt.NDArray[np.uint8]
Map = npt.NDArray[np.float32]

STRIDE = 32
# The share of a zone's pixels that must be text: ignores a speck, detects a single letter.
SCORE_SHARE = 0.002
AREA_THRESHOLD = 0.3
# The network marks the core of a text line; PaddleOCR grows it by area x 1.5 / perimeter on each side.
GROWTH = 1.5
SMALLEST_CORE_PX = 3


class TextDetector:
    """Marks text in whole posters."""

    def __init__(self) -> None:
        self._session = weights.open_session(weights.TEXT)

    @property
    def providers(self) -> list[str]:
        """onnxruntime's execution providers, the preferred one first."""
        return list(self._session.get_providers())

    def mark(self, pixels: Pixels) -> Map:
        """The probability of text at every pixel. `pixels` is the WHOLE poster, (height, width, 3) sRGB.

        The network needs the whole picture as context: on the zone alone it reports text that is not there,
        and on the upper half it misses some.
        """
        height, width = pixels.shape[:2]
        batch = np.zeros((1, 3, _padded(height), _padded(width)), np.float32)
        batch[0, :, :height, :width] = (pixels[:, :, ::-1] / np.float32(127.5) - 1).transpose(2, 0, 1)
        (marked,) = self._session.run(None, {"x": batch})
        probability: Map = marked[0, 0, :height, :width]
        return probability


def _padded(length: int) -> int:
    return -(-length // STRIDE) * STRIDE


def text_score(part: Map) -> float:
    """The text probability that 0.2 % of the zone's pixels exceed."""
    above = int(part.size * SCORE_SHARE)
    return float(np.partition(part, part.size - 1 - above, axis=None)[part.size - 1 - above])


def text_rectangles(part: Map) -> list[tuple[int, int, int, int]]:
    """Left, top, right, bottom (pixels) of each text area in a zone, grown to the letters' edges."""
    height, width = part.shape
    found = []
    for left, top, right, bottom, area in connected_areas(part > AREA_THRESHOLD):
        if min(right - left, bottom - top) < SMALLEST_CORE_PX:
            continue
        grow = round(area * GROWTH / (2 * (right - left + bottom - top)))
        found.append(
            (max(0, left - grow), max(0, top - grow), min(width, right + grow), min(height, bottom + grow))
        )
    return found


def connected_areas(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int, int, int, int]]:
    """Left, top, right, bottom (the last two exclusive) and pixel count of each 8-connected area."""
    areas: list[list[int]] = []
    parent: list[int] = []

    def root(label: int) -> int:
        while parent[label] != label:
            parent[label] = label = parent[parent[label]]
        return label

    above: list[tuple[int, int, int]] = []  # runs of the row above: first column, past the last, label
    for y, row in enumerate(mask):
        edges = np.flatnonzero(np.diff(row, prepend=False, append=False)).tolist()
        runs = []
        for first, past in zip(edges[::2], edges[1::2], strict=True):
            label = len(areas)
            parent.append(label)
            areas.append([first, y, past, y + 1, past - first])
            for other_first, other_past, other in above:
                if other_first <= past and first <= other_past and root(other) != root(label):
                    _absorb(areas, root(other), root(label))
                    parent[root(label)] = root(other)
            runs.append((first, past, label))
        above = runs
    return [
        (area[0], area[1], area[2], area[3], area[4])
        for label, area in enumerate(areas)
        if parent[label] == label
    ]


def _absorb(areas: list[list[int]], into: int, other: int) -> None:
    a, b = areas[into], areas[other]
    areas[into] = [min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]), a[4] + b[4]]
