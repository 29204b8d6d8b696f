"""Fewer points for the same picture."""

from __future__ import annotations

from collections.abc import Sequence

from redzone.charts.svg import Point


def thinned(points: Sequence[Point], columns: int) -> list[Point]:
    """At most four points for each of the columns, x ascending: its first, lowest, highest and last.

    What is left out would be drawn on the same column of pixels, between those four.
    """
    if len(points) <= 4 * columns or columns < 1:
        return list(points)
    first, last = points[0][0], points[-1][0]
    if last <= first:
        return [points[0], points[-1]]
    slices: list[list[Point]] = [[] for _ in range(columns)]
    for point in points:
        slices[min(columns - 1, int((point[0] - first) / (last - first) * columns))].append(point)
    kept: list[Point] = []
    for part in filter(None, slices):
        extremes = {0, len(part) - 1}
        extremes.add(min(range(len(part)), key=lambda index: part[index][1]))
        extremes.add(max(range(len(part)), key=lambda index: part[index][1]))
        kept += [part[index] for index in sorted(extremes)]
    return kept
