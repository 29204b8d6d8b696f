"""Placeholder pictures: SVG that a page embeds as an image, so scripts in it never run."""

from __future__ import annotations

import base64
import re
import textwrap
from xml.sax.saxutils import escape

from redzone.text import clean

MEDIA_TYPE = "image/svg+xml"
REASON_LENGTH = 180
_LINE_PX, _CHAR_PX = 16, 7.2
_ICON_PX = 80  # with the space under it
_GREY = "#7d818c"
_NO_XML = re.compile("[\ufffe\uffff]")
_FONT = 'font-family="system-ui, sans-serif"'


def missing_svg(reason: str, width: int = 200, height: int = 300) -> bytes:
    """A placeholder with the reason for the missing picture, in greys for the light and the dark theme."""
    icon_px = _ICON_PX if height > 3 * _ICON_PX else 0
    most_lines = max(1, (height - icon_px) // _LINE_PX - 1)
    lines = textwrap.wrap(_words(reason), int(width / _CHAR_PX), max_lines=most_lines, placeholder=" …")
    top = (height - icon_px - len(lines) * _LINE_PX) / 2
    spans = "".join(
        f'<tspan x="{width / 2:g}" y="{top + icon_px + number * _LINE_PX - 4:g}">{escape(line)}</tspan>'
        for number, line in enumerate(lines, 1)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">'
        f'<rect width="{width}" height="{height}" fill="{_GREY}" fill-opacity="0.14"/>'
        f"{_icon(width / 2, top) if icon_px else ''}"
        f'<text text-anchor="middle" {_FONT} font-size="12" fill="{_GREY}">{spans}</text></svg>'
    ).encode()


def _icon(middle: float, top: float) -> str:
    return (
        f'<g transform="translate({middle - 26:g} {top:g})" fill="none" stroke="{_GREY}" stroke-width="3" '
        'stroke-linejoin="round" stroke-linecap="round"><rect width="52" height="64" rx="5"/>'
        '<circle cx="16" cy="18" r="5"/><path d="M2 54l18-18 12 12 10-10 9 9M-8 72 60-8"/></g>'
    )


def changed_svg(jpeg: bytes, width: int, height: int) -> bytes:
    """The picture with a ribbon at the bottom: the run checked another picture."""
    size, ribbon = f'width="{width}" height="{height}"', min(height / 4, max(12.0, width / 11))
    data = base64.b64encode(jpeg).decode("ascii")
    foot = f'y="{height - ribbon:g}" width="{width}" height="{ribbon:g}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {height}">'
        f'<image {size} href="data:image/jpeg;base64,{data}"/>'
        f'<rect {foot} fill="#1b1d22" fill-opacity="0.86"/>'
        f'<text x="{width / 2:g}" y="{height - ribbon * 0.3:g}" text-anchor="middle" {_FONT} '
        f'font-weight="600" font-size="{ribbon * 0.56:g}" fill="#ffd37a">changed since the run</text>'
        "</svg>"
    ).encode()


def _words(reason: str) -> str:
    return _NO_XML.sub("\ufffd", clean(reason, REASON_LENGTH)) or "no picture"
