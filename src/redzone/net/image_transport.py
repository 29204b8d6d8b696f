"""The connections that images are downloaded over: guarded where they are direct, checked before a proxy."""

from __future__ import annotations

import ssl
from collections.abc import Sequence

import httpcore2
import httpx2

from redzone.net.ssrf_guard import GuardedBackend
from redzone.outbound import SpreadTransport, proxy_for

MOST_ORIGINS = 10_000


class ImageTransport(httpx2.AsyncBaseTransport):
    """Sends each request directly through the guard, or through the environment's proxy for its address."""

    def __init__(
        self, context: ssl.SSLContext, limits: Sequence[httpx2.Limits], guard: httpcore2.AsyncNetworkBackend
    ) -> None:
        self._context = context
        self._limits = limits
        self._guard = guard
        self._direct = SpreadTransport([_GuardedPool(context, each, guard) for each in limits])
        self._proxied: dict[str, SpreadTransport] = {}
        self._routes: dict[tuple[str, str, int | None], tuple[SpreadTransport, str]] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises FetchFault `fetch-blocked` for a refused address, and httpx2's errors."""
        url = request.url
        transport, proxy = self._route(url)
        if proxy and isinstance(self._guard, GuardedBackend):
            await self._guard.check_for_proxy(url.host, url.port or 443, proxy)
        return await transport.handle_async_request(request)

    def _route(self, url: httpx2.URL) -> tuple[SpreadTransport, str]:
        """The connections for an address, and the proxy's host or "". Reads the environment once for each."""
        origin = (url.scheme, url.host, url.port)
        if origin not in self._routes:
            if len(self._routes) >= MOST_ORIGINS:
                self._routes.clear()
            proxy = proxy_for(url)
            self._routes[origin] = (self._through(proxy), proxy.url.host) if proxy else (self._direct, "")
        return self._routes[origin]

    def _through(self, proxy: httpx2.Proxy) -> SpreadTransport:
        key = f"{proxy.url} {proxy.raw_auth}"
        if key not in self._proxied:
            self._proxied[key] = SpreadTransport(
                [httpx2.AsyncHTTPTransport(self._context, limits=each, proxy=proxy) for each in self._limits]
            )
        return self._proxied[key]

    async def aclose(self) -> None:
        """Close all connections."""
        for transport in (self._direct, *self._proxied.values()):
            await transport.aclose()


class _GuardedPool(httpx2.AsyncHTTPTransport):
    """httpx2's transport over a network of ours; its constructor has no argument for that."""

    def __init__(
        self, context: ssl.SSLContext, limits: httpx2.Limits, network: httpcore2.AsyncNetworkBackend
    ) -> None:
        super().__init__(verify=context, limits=limits)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=network,
        )
