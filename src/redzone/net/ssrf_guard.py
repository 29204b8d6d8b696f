"""Connects to public addresses only, and to the very address that was checked.

A name is resolved once per connection, every address that it resolves to is judged, and the
connection goes to one of those addresses, so that a second look-up cannot give another answer.
TLS is done above this layer and still asks for the name. Pooled connections keep the address
that they were checked with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

import httpcore2

from redzone.errors import ErrorCode, FetchFault, Retry
from redzone.net.name_lookup import NameLookup

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

# IANA has handed out global unicast IPv6 from this block only. What lies outside leads elsewhere:
# NAT64 64:ff9b::/96 and 64:ff9b:1::/48, IPv4-compatible ::/96, site-local fec0::/10.
GLOBAL_UNICAST = ip_network("2000::/3")
# Blocks that the standard library calls global (in some versions) and that still lead inside.
REFUSED = (
    ip_network("2001::/32"),  # Teredo: wraps an IPv4 address
    ip_network("2002::/16"),  # 6to4: wraps an IPv4 address
    ip_network("3fff::/20"),  # documentation
    ip_network("192.88.99.0/24"),  # 6to4 relays
    ip_network("168.63.129.16/32"),  # a cloud's own service address, reachable from its machines
)
MOST_TRIED = 4
STAGGER_S = 0.25  # RFC 8305: after so long without a connection the next address is tried as well


def is_public(address: str) -> bool:
    """True only for an address of the public internet, in its textual form.

    Whatever cannot be read as an address, carries a scope (`%eth0`) or wraps another address in
    a tunnel is not; an IPv4-mapped one is judged by the IPv4 address in it.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        if ip.scope_id is not None:
            return False
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif ip not in GLOBAL_UNICAST:
            return False
    return ip.is_global and not ip.is_multicast and not any(ip in block for block in REFUSED)


def any_address(address: str) -> bool:  # noqa: ARG001 - the judge's interface
    """True: the judge for `--allow-private-hosts`."""
    return True


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """The network of a connection pool, with the guard in front of every connection.

    `allows` judges each address of a host. Raises FetchFault `fetch-blocked` if it refuses one of
    them, and httpcore2's own errors for everything else.
    """

    def __init__(
        self,
        resolve: Resolve | None = None,
        allows: Callable[[str], bool] = is_public,
        stagger_s: float = STAGGER_S,
    ) -> None:
        self.resolve = resolve or NameLookup()
        self._allows = allows
        self._stagger_s = stagger_s
        self._network = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface's own parameter
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the checked address that answers first, within `timeout` seconds altogether."""
        options = None if socket_options is None else list(socket_options)

        def connect(address: str) -> Coroutine[Any, Any, httpcore2.AsyncNetworkStream]:
            return self._network.connect_tcp(address, port, timeout, local_address, options)

        try:
            async with asyncio.timeout(timeout):
                addresses = (await self._checked(host, port))[:MOST_TRIED]
                if not addresses:
                    raise httpcore2.ConnectError(f"host {host} has no address")
                if len(addresses) == 1:
                    return await connect(addresses[0])
                return await self._first(addresses, connect)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(f"no connection to {host} within {timeout} s") from error

    async def sleep(self, seconds: float) -> None:
        """Wait, for the pool's own retries."""
        await asyncio.sleep(seconds)

    async def check_for_proxy(self, host: str, port: int, proxy: str) -> None:
        """Judge a host's addresses as they are seen here, before a proxy is asked for it.

        Raises FetchFault `fetch-blocked`, and httpcore2's ConnectError for a name that is not known here:
        what only the proxy can resolve cannot be checked.
        """
        if self._allows is any_address:
            return
        try:
            await self._checked(host, port)
        except httpcore2.ConnectError as error:
            raise FetchFault(
                ErrorCode.FETCH_NETWORK,
                f"{error}, so it was not checked and not asked for through the proxy {proxy}; "
                "if you trust the input, pass --allow-private-hosts",
                Retry.TRANSIENT,
            ) from error

    async def _first(
        self,
        addresses: Sequence[str],
        connect: Callable[[str], Coroutine[Any, Any, httpcore2.AsyncNetworkStream]],
    ) -> httpcore2.AsyncNetworkStream:
        """Try the addresses in turn, the next one as soon as one fails or takes longer than the stagger."""
        left, trying, failure = list(addresses), set[asyncio.Task[httpcore2.AsyncNetworkStream]](), None
        try:
            while left or trying:
                if left:
                    trying.add(asyncio.create_task(connect(left.pop(0))))
                done, trying = await asyncio.wait(
                    trying, timeout=self._stagger_s if left else None, return_when=asyncio.FIRST_COMPLETED
                )
                connected = [task for task in done if task.exception() is None]
                trying |= set(connected[1:])  # both at once: the second one is closed below
                if connected:
                    return connected[0].result()
                failure = next((task.exception() for task in done), failure)
            raise failure or httpcore2.ConnectError("no address answers")
        finally:
            await _close(trying)

    async def _checked(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = await self.resolve(host, port)
        except OSError as error:
            raise httpcore2.ConnectError(f"host {host} cannot be resolved: {error.strerror}") from error
        except UnicodeError as error:
            raise FetchFault(ErrorCode.FETCH_NETWORK, f"{host[:80]!r} is not a valid host name") from error
        refused = [address for address in addresses if not self._allows(address)]
        if refused:
            raise FetchFault(
                ErrorCode.FETCH_BLOCKED,
                f"host {host} leads to {refused[0]}, which is not a public address; "
                "if you trust the input, pass --allow-private-hosts",
                Retry.NO,
            )
        return addresses


async def _close(tasks: Iterable[asyncio.Task[httpcore2.AsyncNetworkStream]]) -> None:
    """Give up connections that are not needed any more."""
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, httpcore2.AsyncNetworkStream):
            await result.aclose()
