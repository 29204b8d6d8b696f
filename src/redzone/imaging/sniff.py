"""Names for what is often served in place of an image."""

from __future__ import annotations

import re

# What is commonly served in place of an image. The first match names it.
_SNIFFED_BYTES = 1024
_LOOKS_LIKE = [
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), name)
    for pattern, name in (
        (
            rb"(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)*<(!doctype html|html|head|body|title|script)\b",
            "an HTML page",
        ),
        (rb"(\xef\xbb\xbf)?\s*(<[?!][^>]*>\s*)*<svg\b", "an SVG drawing"),
        (rb"(\xef\xbb\xbf)?\s*<[?!a-z]", "an XML document"),
        (rb"(\xef\xbb\xbf)?\s*(\{\s*[\"}]|\[)", "JSON"),
        (rb"%PDF-", "a PDF document"),
        (rb"PK\x03\x04", "a ZIP archive"),
        (rb"\x1f\x8b", "gzip data"),
        (rb".{4}ftyp(heic|heix|hevc|mif1|msf1)", "a HEIC picture"),
        (rb".{4}ftyp(?!avi[fs])", "a video"),
        (rb"\xff\x0a|\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
        (rb"II\*\x00|MM\x00\*", "a TIFF picture"),
        (rb"8BPS", "a Photoshop document"),
        (rb"version https://git-lfs", "a Git LFS pointer"),
        (rb"[\t\n\r\x20-\x7e]+\Z", "plain text"),
    )
]


def look_like(data: bytes) -> str | None:
    """A name for bytes that are not an image; None for an image or anything unknown."""
    if not data:
        return "an empty file"
    start = data[:_SNIFFED_BYTES]
    return next((name for pattern, name in _LOOKS_LIKE if pattern.match(start)), None)
