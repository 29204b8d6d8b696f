"""Untrusted text made safe to show: titles, ids and everything a model wrote."""

from __future__ import annotations

import re

# Bidi marks, embeddings, overrides and isolates can make a line read as something else; lone surrogates
# cannot be encoded as UTF-8 at all; U+2028/9 and U+0085 are line breaks to some readers.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_SPACES = frozenset("\t\n\x0b\x0c\r\x85\u2028\u2029")
# Strings (OSC, DCS, APC, ...) with their payload, then CSI, then two-character escapes. No repeated class
# holds a character that begins a match of its kind, so that a long hostile text costs linear time.
_SEQUENCES = re.compile(
    "(?:\x1b[\\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\\\|\x9c)"
    "|(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"
    "|\x1b[ -/]*[0-~]"
)


def clean(text: str, limit: int | None = None, *, keep_lines: bool = False) -> str:
    """The text without terminal escapes, control characters and bidi overrides; it always encodes as UTF-8.

    Line breaks and tabs become spaces, or with `keep_lines` stay (every break as `\\n`). A text longer than
    `limit` characters is cut and ends in `…`.
    """
    if _UNSAFE.search(text):
        text = _SEQUENCES.sub("", text).replace("\r\n", "\n")
        text = _UNSAFE.sub(_keep_line if keep_lines else _one_line, text)
    if limit is not None and len(text) > limit:
        text = text[: max(0, limit - 1)] + "…"
    return text


def _one_line(match: re.Match[str]) -> str:
    char = match[0]
    if char in _SPACES:
        return " "
    return "\ufffd" if "\ud800" <= char <= "\udfff" else ""


def _keep_line(match: re.Match[str]) -> str:
    if match[0] in "\n\t":
        return match[0]
    return "\n" if match[0] == "\r" else _one_line(match)
