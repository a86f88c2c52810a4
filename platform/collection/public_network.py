"""Connections to public addresses alone.

A name is resolved once for a connection, and the connection goes to the very address that was
checked, so a name server that gives another answer to the next question (DNS rebinding) gains
nothing. The Host header and TLS keep the name.
"""

import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

import anyio
import httpcore

Address = IPv4Address | IPv6Address
# A gateway connects to the IPv4 address in the last 32 bits.
NAT64 = IPv6Network("64:ff9b::/96")
# IANA's special-purpose networks that some version of Python takes for public: of protocols, of
# documentation, and those whose nearest server answers, which may be one of this network.
SPECIAL = [
    ip_network(network)
    for network in (
        *("192.0.0.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24"),
        *("192.175.48.0/24", "2001::/23", "2620:4f:8000::/48", "3fff::/20", "5f00::/16"),
    )
]


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the public Internet.

    Private, loopback, link-local, multicast, reserved and special-purpose ones are not, nor are
    IPv6 addresses that stand for such an IPv4 address.
    """
    if isinstance(address, IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour
        if address.teredo:
            inside = address.teredo[1]
        elif address in NAT64:
            inside = IPv4Address(int(address) & 0xFFFFFFFF)
        if inside:
            return is_public(inside)
        if address.is_site_local:
            return False
    if any(address in network for network in SPECIAL):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


class ForbiddenAddressError(Exception):
    """None of a host's addresses is allowed."""


class GuardedBackend(httpcore.AnyIOBackend):
    """Connects to allowed addresses alone.

    Args:
        allowed: Tells whether an address is.
    """

    def __init__(self, allowed: Callable[[Address], bool]):
        self._allowed = allowed

    async def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        """Connect to the first allowed address of a host that answers.

        Raises:
            ForbiddenAddressError: If none is allowed.
            httpcore.ConnectError: If the name can't be resolved, or none answers.
            httpcore.ConnectTimeout: If it takes too long.
        """
        try:
            found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(getattr(error, "strerror", "not a host name")) from None
        addresses = dict.fromkeys(ip_address(place[0]) for *_, place in found)
        allowed = [str(address) for address in addresses if self._allowed(address)]
        if not allowed:
            raise ForbiddenAddressError(host)
        # One that does not answer must not take the time of the others.
        share = timeout and timeout / len(allowed)
        for address in allowed:
            try:
                return await super().connect_tcp(
                    address, port, share, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if address == allowed[-1]:
                    raise
