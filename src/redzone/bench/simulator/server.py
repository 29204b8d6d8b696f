"""A simulator of image servers and the vision API, with rate limits, latency, faults and a request log.

Used by the bench and the tests. In a test:

    async with Simulator(SimulatorOptions(rpm=600)) as simulator:
        client = AsyncOpenAI(base_url=simulator.base_url, api_key="simulated", max_retries=0)
        ...
    assert len(simulator.log) == attempts

Routes: GET /posters/{n}.{jpg,png,webp}[?size=tiny], /posters.csv?n=1000[&size=tiny], /redirect?to=URL,
/v1/models; POST /v1/responses, /v1/chat/completions; and, not logged, GET /log (a JSON array), /stats,
/healthz.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import datetime
from typing import Self
from urllib.parse import quote

from redzone.bench.simulator.faults import Fault, parse_fault, parse_faults
from redzone.bench.simulator.http_server import Connection, HttpReply, HttpRequest
from redzone.bench.simulator.image_api import ImageApi
from redzone.bench.simulator.model_api import ModelApi
from redzone.bench.simulator.options import TINY, SimulatorOptions
from redzone.bench.simulator.replies import write_models
from redzone.bench.simulator.request_log import PlannedReply, RequestRecord, summarise
from redzone.bench.simulator.requests import ModelEndpoint
from redzone.clock import Clock, LoopClock

__all__ = ["Fault", "RequestRecord", "Simulator", "SimulatorOptions", "parse_fault", "parse_faults"]

HOST = "127.0.0.1"
BACKLOG = 1024
_NOT_FOUND = HttpReply(
    404, b'{"error":{"message":"no such route","type":"invalid_request_error","code":null}}'
)


class Simulator:
    """An async context manager that listens on 127.0.0.1; port 0 picks a free one.

    `log` has a record of every request in order of arrival, about 400 bytes each. It is never truncated,
    because tests rely on it.
    """

    def __init__(
        self, options: SimulatorOptions | None = None, *, port: int = 0, clock: Clock | None = None
    ) -> None:
        self.options = options or SimulatorOptions()
        self.log: list[RequestRecord] = []
        self._port = port
        self._clock = clock or LoopClock()
        self._posters = ImageApi(self.options)
        self._model = ModelApi(self.options)
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self._answer, self._clock, self._connections),
            HOST,
            self._port,
            backlog=BACKLOG,
        )
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None  # noqa: S101 - entered before it is left
        self._server.close()
        open_connections = tuple(self._connections)
        for connection in open_connections:
            connection.abort()
        await asyncio.gather(*(connection.wait_closed() for connection in open_connections))
        await self._server.wait_closed()
        await asyncio.sleep(0)  # lets transports close their sockets

    @property
    def origin(self) -> str:
        """http://127.0.0.1:PORT, without a trailing slash."""
        return f"http://{HOST}:{self._port}"

    @property
    def base_url(self) -> str:
        """The base URL for an OpenAI client."""
        return f"{self.origin}/v1"

    def poster_url(self, number: int, *, size: str = "", extension: str = ".jpg") -> str:
        """Return the URL of a poster; with size `tiny` it has a few hundred bytes."""
        return f"{self.origin}/posters/{number}{extension}{f'?size={size}' if size else ''}"

    def poster_list_url(self, count: int, *, size: str = "") -> str:
        """Return the URL of an input list of that many posters."""
        return f"{self.origin}/posters.csv?n={count}{f'&size={size}' if size else ''}"

    def draw_posters(self, count: int, *, size: str = "") -> None:
        """Draw JPEG posters 1 to `count` in advance, as many as the cache holds."""
        self._posters.draw(count, tiny=size == TINY)

    async def _answer(self, request: HttpRequest) -> HttpReply:
        control = self._control(request)
        if control:
            return control
        at_s, wall = self._clock.monotonic(), self._clock.now()
        plan = self._route(request, at_s, wall)
        index = len(self.log)
        record = _record(request, plan, at_s, wall)
        self.log.append(record)
        if plan.delay_s > 0:
            await self._clock.sleep(plan.delay_s)
        now_s = self._clock.monotonic()
        reply = self._model.close(plan, now_s)
        if reply.sent_status is not None:
            self.log[index] = replace(
                record, status=reply.status, answered_at_s=now_s, sent_bytes=len(reply.body)
            )
        return reply

    def _control(self, request: HttpRequest) -> HttpReply | None:
        match request.path:
            case "/healthz":
                return HttpReply(200, b"ok", "text/plain")
            case "/stats":
                return HttpReply(200, json.dumps(summarise(self.log)).encode())
            case "/log":
                return HttpReply(200, json.dumps([record.as_json() for record in self.log]).encode())
            case _:
                return None

    def _route(self, request: HttpRequest, at_s: float, wall: datetime) -> PlannedReply:
        match request.method, request.path:
            case "POST", ModelEndpoint.RESPONSES | ModelEndpoint.CHAT as api:
                return self._model.plan(ModelEndpoint(api), request, at_s, wall)
            case "GET", "/v1/models":
                return self._model.refuse(request) or PlannedReply(
                    HttpReply(200, write_models(int(wall.timestamp())))
                )
            case "GET", "/posters.csv":
                return self._posters.plan_list(request, self.origin)
            case "GET", "/redirect":
                return PlannedReply(_redirect(request.query.get("to", "")))
            case "GET", _:
                return self._posters.plan_poster(request, at_s) or PlannedReply(_NOT_FOUND)
            case _:
                return PlannedReply(_NOT_FOUND)


def _redirect(target: str) -> HttpReply:
    # quoted, so that a line break cannot start another header
    location = quote(target, safe="%/:?#[]@!$&'()*+,;=~")
    return HttpReply(302, headers=[("location", location)]) if location else _NOT_FOUND


def _record(request: HttpRequest, plan: PlannedReply, at_s: float, wall: datetime) -> RequestRecord:
    return RequestRecord(
        at_s=at_s,
        wall=wall,
        method=request.method,
        path=request.path,
        fault=plan.fault,
        poster=plan.poster,
        image_sha256=plan.image_sha256,
        pictures=plan.pictures,
        input_tokens=plan.input_tokens,
        output_tokens=plan.output_tokens,
    )
