"""Connects to public addresses only, and to the very address that was checked.

A name is resolved once per connection, every address that it resolves to is judged, and the
connection goes to one of those addresses, so that a second look-up cannot give another answer.
TLS is done above this layer and still asks for the name. Pooled connections keep the address
that they were checked with.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import IPv6Address, ip_address, ip_network

import httpcore2

from redzone.errors import ErrorCode, FetchFault, Retry
from redzone.network import QuickBackend

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
MOST_TRIED = 4  # so that each address gets at least a quarter of the connect timeout


async def resolve_host(host: str, port: int) -> Sequence[str]:
    """All addresses of a host, in the system's order, each once. Raises OSError or UnicodeError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


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

    def __init__(self, resolve: Resolve = resolve_host, allows: Callable[[str], bool] = is_public) -> None:
        self._resolve = resolve
        self._allows = allows
        self._network = QuickBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface's own parameter
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first checked address that answers, within `timeout` seconds altogether."""
        options = None if socket_options is None else list(socket_options)
        try:
            async with asyncio.timeout(timeout):
                addresses = (await self._checked(host, port))[:MOST_TRIED]
                share_s = None if timeout is None else timeout / max(1, len(addresses))
                failure: Exception | None = None
                for address in addresses:
                    try:
                        return await self._network.connect_tcp(address, port, share_s, local_address, options)
                    except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                        failure = error
                raise failure or httpcore2.ConnectError(f"host {host} has no address")
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(f"no connection to {host} within {timeout} s") from error

    async def sleep(self, seconds: float) -> None:
        """Give way, for the pool's own retries."""
        await asyncio.sleep(seconds)

    async def _checked(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = await self._resolve(host, port)
        except OSError as error:
            raise httpcore2.ConnectError(f"host {host} cannot be resolved: {error.strerror}") from error
        except UnicodeError as error:
            raise FetchFault(ErrorCode.FETCH_NETWORK, f"{host[:80]!r} is no valid host name") from error
        refused = [address for address in addresses if not self._allows(address)]
        if refused:
            raise FetchFault(
                ErrorCode.FETCH_BLOCKED,
                f"host {host} leads to {refused[0]}, which is no public address; "
                "if you trust the input, pass --allow-private-hosts",
                Retry.NO,
            )
        return addresses
