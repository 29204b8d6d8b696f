"""Perceptual colour differences, and zones too plain to hold anything readable."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

# Cells over the whole poster: 192x48 in the red zone.
GRID = (320, 480)
# The largest CIELAB difference between cells so far apart. About 2.3 is just noticeable, so sharp lettering
# in any two colours that a person can tell apart exceeds the first, and soft lettering the second.
PLAIN_DIFFERENCES = {1: 2.4, 3: 4.0}

# From linear sRGB to XYZ relative to white (D65), IEC 61966-2-1.
_XYZ = np.array(
    [[0.43394, 0.37622, 0.18983], [0.21267, 0.71515, 0.07217], [0.01776, 0.10947, 0.87277]], np.float32
)


def lab(pixels: Pixels) -> Floats:
    """sRGB (..., 3) as CIELAB, in which equal distances look about equally different."""
    coded = pixels.astype(np.float32) / 255
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _XYZ.T
    x, y, z = np.moveaxis(np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1).astype(np.float32)


def is_plain(pixels: Pixels, share: tuple[float, float]) -> bool:
    """Whether no neighbouring areas of the picture differ noticeably, in brightness or in colour.

    `pixels` is (height, width, 3) sRGB of a zone, `share` the fraction of the poster's width and height that
    it covers.
    """
    size = max(2, round(share[0] * GRID[0])), max(2, round(share[1] * GRID[1]))
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    cells = lab(np.asarray(picture.resize(size, Image.Resampling.BOX)))
    return all(
        _largest(cells, apart, axis) <= allowed
        for apart, allowed in PLAIN_DIFFERENCES.items()
        for axis in (0, 1)
    )


def _largest(cells: Floats, apart: int, axis: int) -> float:
    count = cells.shape[axis]
    if count <= apart:
        return 0.0
    first, last = np.take(cells, range(count - apart), axis), np.take(cells, range(apart, count), axis)
    return float(np.linalg.norm(last - first, axis=-1).max())
