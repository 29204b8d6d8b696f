"""The image server of the simulator: posters, their list, and what goes wrong with them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from redzone.bench.simulator import artwork
from redzone.bench.simulator.faults import IMAGE_SIDE, Fault, choose_fault
from redzone.bench.simulator.http_server import HttpReply, HttpRequest, ReplyEnd
from redzone.bench.simulator.options import TINY, SimulatorOptions
from redzone.bench.simulator.ranges import in_part
from redzone.bench.simulator.request_log import PlannedReply

MAX_LISTED = 1_000_000
# Generated posters never change; any fixed instant does.
LAST_MODIFIED = "Thu, 01 Jan 2026 00:00:00 GMT"

_POSTER = re.compile(r"/posters/(\d{1,8})(\.jpg|\.png|\.webp)")
_HTML = b"<!doctype html><title>Sign in</title><p>This is no picture."


class ImageApi:
    """Plans the answers to GET /posters/{n}.{jpg,png,webp}, a part of one included, and /posters.csv."""

    def __init__(self, options: SimulatorOptions) -> None:
        self._options = options
        self._shares = {kind: share for kind, share in options.faults.items() if kind in IMAGE_SIDE}
        self._files = artwork.PosterCache(options.poster_size, options.poster_grain)
        self._seen: Counter[int] = Counter()

    def plan_poster(self, request: HttpRequest) -> PlannedReply | None:
        """The plan for a poster's path, None for any other."""
        match = _POSTER.fullmatch(request.path)
        size = request.query.get("size", "")
        if not match or size not in ("", TINY):
            return None
        number, extension = int(match[1]), match[2]
        self._seen[number] += 1
        options = self._options
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
        return PlannedReply(in_part(reply, request), options.image_latency_s, fault, poster=number)

    def draw(self, count: int, *, tiny: bool) -> None:
        """Draw JPEG posters 1 to `count`, as many as are kept."""
        self._files.fill(count, ".jpg", tiny=tiny)

    def plan_list(self, request: HttpRequest, origin: str) -> PlannedReply:
        """The plan for the input list of `n` posters."""
        count, size = request.query.get("n", "100"), request.query.get("size", "")
        if not count.isdecimal() or not 1 <= int(count) <= MAX_LISTED or size not in ("", TINY):
            message = f"n is a number from 1 to {MAX_LISTED}, size is {TINY} or not there"
            return PlannedReply(HttpReply(400, message.encode(), "text/plain"))
        rows = artwork.poster_list(origin, int(count), size)
        return PlannedReply(HttpReply(200, rows.encode(), "text/csv; charset=utf-8"))


def _faulty(fault: Fault, file: Callable[[], bytes], mime: str, headers: list[tuple[str, str]]) -> HttpReply:
    match fault:
        case Fault.DEAD:
            return HttpReply(404, b"no such poster", "text/plain")
        case Fault.IMAGE_HTTP500:
            return HttpReply(500, b"internal error", "text/plain")
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


def _matches(wanted: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in wanted.split(",")]
    return "*" in tags or etag in tags
