"""The guard lets connections through to public addresses only."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

import httpcore2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.errors import ErrorCode, FetchFault, Retry
from redzone.net.name_lookup import system_addresses
from redzone.net.ssrf_guard import GuardedBackend, any_address, is_public
from tests.loopback import Loopback

INSIDE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",  # noqa: S104 - judged, not bound to
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::1",
    "2002:808:808::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "3fff::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%lo",
    "2606:4700:4700::1111%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "localhost",
    "",
    "127.0.0.1.",
    "2130706433",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81c::200e",
    "::ffff:8.8.8.8",
]


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_that_leads_inside_is_not_public(address: str) -> None:
    """Private, local, reserved, multicast, scoped, tunnelled and unreadable addresses are refused."""
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    """Ordinary addresses of both families pass."""
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_alike_in_its_mapped_form(address: IPv4Address) -> None:
    """`::ffff:a.b.c.d` is a.b.c.d, and in any tunnel's form it is refused."""
    assert is_public(f"::ffff:{address}") == is_public(str(address))
    for tunnel in (0x0064FF9B << 96, 0x20020000 << 96):
        shift = 0 if tunnel >> 112 == 0x64 else 80
        assert not is_public(str(IPv6Address(tunnel | int(address) << shift)))
    assert not is_public(f"::{address}")


@given(st.ip_addresses())
def test_whatever_is_public_is_global_and_not_multicast(address: IPv4Address | IPv6Address) -> None:
    """The guard only ever takes away from what the standard library calls global."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    judged = mapped or address
    assert not is_public(str(address)) or (judged.is_global and not judged.is_multicast)


def resolver(*addresses: str) -> tuple[list[str], GuardedBackend]:
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return addresses

    return asked, GuardedBackend(resolve)


async def test_one_inside_address_among_public_ones_blocks_the_host() -> None:
    """A name that leads to 1.1.1.1 and to 10.0.0.7 is refused before any connection, and the message
    names the host, the address and the way out."""
    asked, guard = resolver("1.1.1.1", "10.0.0.7")
    with pytest.raises(FetchFault) as caught:
        await guard.connect_tcp("posters.example", 80, timeout=1)
    assert caught.value.code is ErrorCode.FETCH_BLOCKED
    assert caught.value.retry is Retry.NO
    for part in ("posters.example", "10.0.0.7", "--allow-private-hosts"):
        assert part in caught.value.message
    assert asked == ["posters.example"]


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "localhost", "::1", "0"])
async def test_no_way_of_writing_loopback_gets_past_the_guard(host: str) -> None:
    """Decimal, octal, hexadecimal and short forms are resolved by the system and then judged."""
    try:
        system_addresses(host, 80)
    except socket.gaierror:
        pytest.skip(f"this system does not read {host} as an address")
    with pytest.raises(FetchFault) as caught:
        await GuardedBackend().connect_tcp(host, 80, timeout=5)
    assert caught.value.code is ErrorCode.FETCH_BLOCKED


async def test_the_checked_address_is_the_one_connected_to() -> None:
    """The host is resolved once and the connection goes to that address, not to a second answer."""
    answers = [["127.0.0.1"], ["203.0.113.9"]]

    async def rebinding(host: str, port: int) -> Sequence[str]:
        return answers.pop(0)

    async with Loopback() as server:
        guard = GuardedBackend(rebinding, any_address)
        stream = await guard.connect_tcp("posters.example", server.port, timeout=5)
        assert stream.get_extra_info("server_addr") == ("127.0.0.1", server.port)
        await stream.aclose()
    assert answers == [["203.0.113.9"]]


async def test_a_dead_address_leaves_the_connection_to_the_next_one() -> None:
    """127.0.0.2 has no server on that port; 127.0.0.1 has."""
    async with Loopback() as server:

        async def resolve(host: str, port: int) -> Sequence[str]:
            return ["127.0.0.2", "127.0.0.1"]

        guard = GuardedBackend(resolve, any_address)
        stream = await guard.connect_tcp("posters.example", server.port, timeout=5)
        assert stream.get_extra_info("server_addr")[0] == "127.0.0.1"
        await stream.aclose()


async def test_a_name_without_an_answer_is_a_connect_error() -> None:
    """No address, no such name, no answer in time and no possible name are told apart from a block."""

    async def nothing(host: str, port: int) -> Sequence[str]:
        return []

    async def unknown(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def silence(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        raise AssertionError

    for resolve in (nothing, unknown):
        with pytest.raises(httpcore2.ConnectError):
            await GuardedBackend(resolve).connect_tcp("posters.example", 80, timeout=1)
    with pytest.raises(httpcore2.ConnectTimeout):
        await GuardedBackend(silence).connect_tcp("posters.example", 80, timeout=0.01)
    with pytest.raises(FetchFault, match="not a valid host name"):
        await GuardedBackend().connect_tcp("a..b", 80, timeout=1)
