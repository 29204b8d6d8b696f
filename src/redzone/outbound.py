"""How redzone reaches servers: one trust store and one proxy rule, for the model and for images.

Certificates: `SSL_CERT_FILE`, `SSL_CERT_DIR`, else the system's store. Proxies: `HTTP_PROXY`, `HTTPS_PROXY`,
`ALL_PROXY` and `NO_PROXY` in either case, as curl reads them: a proxy without a scheme is an http one.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from urllib.request import getproxies

import httpx2

from redzone.errors import SettingsInvalid

# httpcore2's pool looks at each of its connections whenever a request starts or ends: large pools are slow.
POOL_CONNECTIONS = 16
PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")

# it writes every address at INFO, and those of images are often signed
logging.getLogger("httpx2").setLevel(logging.WARNING)


def trust_store() -> ssl.SSLContext:
    """The certificates that servers are checked against. Blocks for 60 ms or more while it reads them."""
    return httpx2.create_ssl_context()


def proxy_for(url: httpx2.URL) -> httpx2.Proxy | None:
    """The environment's proxy for an address, or None. Raises SettingsInvalid, naming the variable."""
    proxies = {scheme: value for scheme, value in getproxies().items() if isinstance(value, str)}
    scheme = url.scheme if url.scheme in proxies else "all"
    if not proxies.get(scheme) or _is_excepted(url, proxies):
        return None
    return parse_proxy(variable_name(f"{scheme}_proxy"), proxies[scheme])


def parse_proxy(variable: str, value: str) -> httpx2.Proxy:
    """A proxy's address. Raises SettingsInvalid, naming the variable and never the password."""
    if value != value.strip() or any(quote in value for quote in "\"'`") or any(map(str.isspace, value)):
        raise SettingsInvalid(f"{variable}: remove the spaces or quotes in the proxy's address")
    address = value if "://" in value else f"http://{value}"
    scheme = address.partition("://")[0].lower()
    if scheme not in PROXY_SCHEMES:
        raise SettingsInvalid(f"{variable}: {scheme[:20]}:// proxies are not supported; use {_listed()}")
    try:
        proxy = httpx2.Proxy(address)
        usable = bool(proxy.url.host) and proxy.url.port != 0 and (proxy.url.port or 1) < 65_536
    except (httpx2.InvalidURL, ValueError):
        usable = False
    if not usable:
        raise SettingsInvalid(f"{variable}: is not a proxy's address such as http://proxy.example:3128")
    return proxy


def variable_name(lower: str, environment: Mapping[str, str] = os.environ) -> str:
    """How a variable is spelled in the environment; lower case wins, as it does for its value."""
    spellings = [name for name in environment if name.lower() == lower and environment[name]]
    return lower if lower in spellings or not spellings else spellings[0]


def check_environment(environment: Mapping[str, str] = os.environ) -> None:
    """Raise SettingsInvalid, naming the variable, for a proxy or a certificate file that cannot work."""
    for scheme in ("http", "https", "all"):
        variable = variable_name(f"{scheme}_proxy", environment)
        if environment.get(variable):
            parse_proxy(variable, environment[variable])
    _check_certificates(environment)


def _check_certificates(environment: Mapping[str, str]) -> None:
    file, folder = environment.get("SSL_CERT_FILE"), environment.get("SSL_CERT_DIR")
    if file:
        try:
            ssl.create_default_context(cafile=file)
        except OSError as error:
            reason = error.strerror or "it holds no certificates"
            raise SettingsInvalid(f"SSL_CERT_FILE: {file} cannot be used: {reason}") from error
    elif folder and not any(Path(part).is_dir() for part in folder.split(os.pathsep)):
        raise SettingsInvalid(f"SSL_CERT_DIR: {folder} is not a folder")


def _listed() -> str:
    return ", ".join(f"{scheme}://" for scheme in PROXY_SCHEMES)


def _is_excepted(url: httpx2.URL, proxies: Mapping[str, str]) -> bool:
    """Whether NO_PROXY names the host: by name or its end, with or without a port, or by a network."""
    excepted = [part.strip().lower() for part in proxies.get("no", "").split(",") if part.strip()]
    port = url.port or {"http": 80, "https": 443}.get(url.scheme, 0)
    try:
        address = ipaddress.ip_address(url.host)
    except ValueError:
        return any(_names(part, url.host.lower(), port) for part in excepted)
    if "*" in excepted or any(_names(part, url.host, port) for part in excepted):
        return True
    return any(address in network for network in map(_network, excepted) if network is not None)


def _names(part: str, host: str, port: int) -> bool:
    """Whether `example.com`, `.example.com`, `*.example.com`, `example.com:8080` or `*` means this host."""
    name, colon, given = part.rpartition(":")
    if colon and given.isdecimal() and ":" not in name:
        if int(given) != port:
            return False
        part = name
    ending = part.removeprefix("*").removeprefix(".")
    return part == "*" or host == ending or (bool(ending) and host.endswith(f".{ending}"))


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text.strip("[]"), strict=False)
    except ValueError:
        return None


def pool_limits(connections: int, idle: int, idle_s: float = 30.0) -> list[httpx2.Limits]:
    """How `connections`, `idle` of them kept open for `idle_s` seconds, are spread over small pools."""
    count = -(-connections // POOL_CONNECTIONS)
    return [
        httpx2.Limits(
            max_connections=_share(connections, count, number),
            max_keepalive_connections=_share(idle, count, number),
            keepalive_expiry=idle_s,
        )
        for number in range(count)
    ]


def _share(total: int, count: int, number: int) -> int:
    return total // count + (number < total % count)


class SpreadTransport(httpx2.AsyncBaseTransport):
    """Several small pools used as one: each request goes to the pool with the fewest requests in flight."""

    def __init__(self, pools: Sequence[httpx2.AsyncBaseTransport]) -> None:
        self._pools = pools
        self._in_flight = [0] * len(pools)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it over the least busy pool. Raises httpx2's errors."""
        number = self._in_flight.index(min(self._in_flight))
        self._in_flight[number] += 1
        try:
            response = await self._pools[number].handle_async_request(request)
        except BaseException:
            self._in_flight[number] -= 1
            raise
        assert isinstance(response.stream, httpx2.AsyncByteStream)  # noqa: S101  an async transport's
        response.stream = _CountedStream(response.stream, self._in_flight, number)
        return response

    async def aclose(self) -> None:
        """Close all connections."""
        for pool in self._pools:
            await pool.aclose()


class _CountedStream(httpx2.AsyncByteStream):
    """A response's body that reports its end to the counts of requests in flight."""

    def __init__(self, stream: httpx2.AsyncByteStream, in_flight: list[int], number: int) -> None:
        self._stream = stream
        self._in_flight = in_flight
        self._number: int | None = number

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._stream)

    async def aclose(self) -> None:
        if self._number is not None:
            self._in_flight[self._number] -= 1
            self._number = None
            await self._stream.aclose()
