"""Reading a chart back: its elements, and whether all of it is inside its picture."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree as ET

from redzone.charts.svg import width_px

_ACROSS, _DOWN = ("x", "x1", "x2", "cx"), ("y", "y1", "y2", "cy")
SLACK = 0.02  # coordinates have two decimals


def parsed(svg: str) -> ET.Element:
    """Its root; fails unless the text is XML."""
    return ET.fromstring(svg)  # noqa: S314  our own text


def elements(svg: str, name: str, css: str | None = None) -> list[ET.Element]:
    """The elements of that name, and of that class."""
    found = parsed(svg).iter(name)
    return [element for element in found if css is None or css in element.attrib["class"].split()]


def lengths(svg: str, css: str) -> list[float]:
    """The widths of the rectangles of a class, in their order."""
    return [float(rect.attrib["width"]) for rect in elements(svg, "rect", css)]


def texts(svg: str) -> list[str]:
    """The words in it, without hints."""
    return ["".join(element.itertext()) for element in elements(svg, "text")]


def inside(svg: str) -> bool:
    """Whether every figure is one, every shape lies in the view box and every text begins and ends in it."""
    root = parsed(svg)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    assert (root.attrib["width"], root.attrib["height"]) == tuple(root.attrib["viewBox"].split()[2:])
    xs, ys = [0.0], [0.0]
    for element in root.iter():
        found = element.attrib
        xs += [float(found[name]) for name in _ACROSS if name in found]
        ys += [float(found[name]) for name in _DOWN if name in found]
        if element.tag == "rect":
            assert float(found["width"]) >= 0 <= float(found["height"])
            xs.append(float(found["x"]) + float(found["width"]))
            ys.append(float(found["y"]) + float(found["height"]))
        if element.tag == "text":
            xs += _ends(element)
        pairs = re.findall(r"(-?[\d.]+)[ ,](-?[\d.]+)", found.get("points", "") + found.get("d", ""))
        xs += [float(x) for x, _ in pairs]
        ys += [float(y) for _, y in pairs]
    assert all(map(math.isfinite, [width, height, *xs, *ys]))
    # strokes and dots may reach a little beyond their middle, the hatch has one decimal
    return all(-0.06 <= x <= width + 0.06 for x in xs) and all(-0.06 <= y <= height + 0.06 for y in ys)


def _ends(text: ET.Element) -> tuple[float, float]:
    x, css = float(text.attrib["x"]), text.attrib["class"].split()
    room = width_px("".join(text.itertext()), 12 if "tick" in css else 13)
    left = x - room if "end" in css else x - room / 2 if "middle" in css else x
    return left, left + room
