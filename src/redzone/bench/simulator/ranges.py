"""A part of a file for whoever asks for one: single byte ranges by RFC 9110, 13.1.5 and 14. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus

from redzone.bench.simulator.http_server import HttpReply, HttpRequest

_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE)


def in_part(reply: HttpReply, request: HttpRequest) -> HttpReply:
    """The reply as the request's Range wants it: 206, 416 where the file ends before, else all of it.

    Ignored, as the standard allows or asks: other units, several ranges, nonsense, a Range under an If-Range
    that names another version; and any Range where the reply is no file, which is told by its etag.
    """
    if reply.status != HTTPStatus.OK or "etag" not in dict(reply.headers):
        return reply
    length = len(reply.body)
    headers = [("accept-ranges", "bytes"), *reply.headers]
    span = _span(request.headers.get("range", ""), length)
    if span is None or not _same_version(request.headers.get("if-range"), dict(reply.headers)):
        return replace(reply, headers=headers)
    first, last = span
    if first > last:
        unsatisfied = [*headers, ("content-range", f"bytes */{length}")]
        return HttpReply(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, b"", "text/plain", unsatisfied)
    sent = ("content-range", f"bytes {first}-{last}/{length}")
    body = reply.body[first : last + 1]
    return replace(reply, status=HTTPStatus.PARTIAL_CONTENT, body=body, headers=[*headers, sent])


def _span(text: str, length: int) -> tuple[int, int] | None:
    """The first and the last byte asked for, the first beyond the last if there are none; None for all."""
    match = _RANGE.fullmatch(text)
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":
        return max(0, length - int(match[2])), length - 1
    first, last = int(match[1]), int(match[2] or length)
    return (first, min(last, length - 1)) if first <= last or match[2] == "" else None


def _same_version(wanted: str | None, headers: Mapping[str, str]) -> bool:
    """Whether an If-Range is met: by the very etag, compared strongly, or by the very date."""
    return wanted is None or (
        not wanted.startswith("W/") and wanted in (headers["etag"], headers.get("last-modified"))
    )
