"""The image server of the simulator: posters, byte ranges of them (RFC 9110, 13.1.5 and 14), their list
and their faults."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus

from redzone.bench.simulator import artwork
from redzone.bench.simulator.faults import IMAGE_SIDE, Fault, choose_fault
from redzone.bench.simulator.http_server import HttpReply, HttpRequest, ReplyEnd
from redzone.bench.simulator.options import TINY, SimulatorOptions
from redzone.bench.simulator.rate_limits import Enforcement, RateGate, Rejected, ServerLimits
from redzone.bench.simulator.replies import retry_headers
from redzone.bench.simulator.request_log import PlannedReply

MAX_LISTED = 1_000_000
# Generated posters never change, so any fixed time is correct.
LAST_MODIFIED = "Thu, 01 Jan 2026 00:00:00 GMT"

_POSTER = re.compile(r"/posters/(\d{1,8})(\.jpg|\.png|\.webp)")
_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE)
_HTML = b"<!doctype html><title>Sign in</title><p>This is no picture."


class ImageApi:
    """Plans the replies to GET /posters/{n}.{jpg,png,webp}, with or without Range, and /posters.csv."""

    def __init__(self, options: SimulatorOptions) -> None:
        self._options = options
        self._shares = {kind: share for kind, share in options.faults.items() if kind in IMAGE_SIDE}
        self._files = artwork.PosterCache(options.poster_size, options.poster_grain)
        self._seen: Counter[int] = Counter()
        self._gate = RateGate(ServerLimits(options.image_rpm, None, Enforcement.QUANTISED))

    def plan_poster(self, request: HttpRequest, now_s: float) -> PlannedReply | None:
        """Return the plan for a poster's path, None for any other path."""
        match = _POSTER.fullmatch(request.path)
        size = request.query.get("size", "")
        if not match or size not in ("", TINY):
            return None
        number, extension = int(match[1]), match[2]
        self._seen[number] += 1
        options = self._options
        admitted = self._gate.admit(0, now_s)
        if isinstance(admitted, Rejected):
            headers = retry_headers(admitted.retry_after_s)
            return PlannedReply(HttpReply(429, b"too many requests", "text/plain", headers), poster=number)
        fault = choose_fault(self._shares, options.seed, f"poster {number}", self._seen[number])

        def file() -> bytes:
            return self._files.file(number, extension, tiny=size == TINY)

        kind = size or "x".join(map(str, options.poster_size)) + f"-{options.poster_grain:g}"
        headers = [("etag", f'"{number}-{kind}"')]
        headers.append(("last-modified", LAST_MODIFIED))
        if fault:
            reply = _faulty(fault, file, artwork.MIME[extension], headers)
        elif _matches(request.headers.get("if-none-match", ""), headers[0][1]):
            reply = HttpReply(304, headers=headers)
        else:
            reply = HttpReply(200, file(), artwork.MIME[extension], headers)
        return PlannedReply(apply_range(reply, request), options.image_latency_s, fault, poster=number)

    def draw(self, count: int, *, tiny: bool) -> None:
        """Draw JPEG posters 1 to `count`, as many as the cache holds."""
        self._files.fill(count, ".jpg", tiny=tiny)

    def plan_list(self, request: HttpRequest, origin: str) -> PlannedReply:
        """Return the plan for the input list of `n` posters."""
        count, size = request.query.get("n", "100"), request.query.get("size", "")
        if not count.isdecimal() or not 1 <= int(count) <= MAX_LISTED or size not in ("", TINY):
            message = f"n must be from 1 to {MAX_LISTED}, and size {TINY} or absent"
            return PlannedReply(HttpReply(400, message.encode(), "text/plain"))
        rows = artwork.poster_list(origin, int(count), size)
        return PlannedReply(HttpReply(200, rows.encode(), "text/csv; charset=utf-8"))


def _faulty(fault: Fault, file: Callable[[], bytes], mime: str, headers: list[tuple[str, str]]) -> HttpReply:
    match fault:
        case Fault.DEAD:
            return HttpReply(404, b"no such poster", "text/plain")
        case Fault.IMAGE_HTTP500:
            return HttpReply(500, b"internal error", "text/plain")
        case Fault.IMAGE_HTTP429:
            return HttpReply(429, b"too many requests", "text/plain", [("retry-after", "1")])
        case Fault.IMAGE_HTTP503:
            return HttpReply(503, b"service unavailable", "text/plain", [("retry-after", "1")])
        case Fault.IMAGE_HTML:
            return HttpReply(200, _HTML, "text/html; charset=utf-8")
        case Fault.IMAGE_RESET:
            return HttpReply(200, ending=ReplyEnd.RESET)
        case Fault.IMAGE_STALL:
            return HttpReply(200, ending=ReplyEnd.STALL)
        case Fault.IMAGE_TRUNCATED:
            data = file()
            return HttpReply(200, data[: len(data) // 2], mime, headers)
        case Fault.IMAGE_DRIP:
            return HttpReply(200, file(), mime, headers, ReplyEnd.DRIP)
        case _:
            return HttpReply(200, file(), mime, headers, ReplyEnd.HALF)


def _matches(if_none_match: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in tags or etag in tags


def apply_range(reply: HttpReply, request: HttpRequest) -> HttpReply:
    """Apply the request's Range: 206, 416 if it starts beyond the end, else the whole reply.

    Ignored, as the standard allows or requires: other units, several ranges, malformed ranges, and a Range
    whose If-Range names another version. Replies without an ETag are not files and never ranged.
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
    """Return the first and the last byte of the range, first > last if empty; None for the whole file."""
    match = _RANGE.fullmatch(text)
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":
        return max(0, length - int(match[2])), length - 1
    first, last = int(match[1]), int(match[2] or length)
    return (first, min(last, length - 1)) if first <= last or match[2] == "" else None


def _same_version(if_range: str | None, headers: Mapping[str, str]) -> bool:
    """Whether If-Range matches: the ETag by strong comparison, or the exact date."""
    return if_range is None or (
        not if_range.startswith("W/") and if_range in (headers["etag"], headers.get("last-modified"))
    )
