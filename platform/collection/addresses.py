"""Which addresses of the Internet anyone may be sent to."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
# Gateways make IPv4 of the last 32 bits.
NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the public Internet.

    Private, loopback, link-local, multicast and reserved ones are not, nor are those of IPv6 that
    stand for such an address of IPv4.
    """
    if isinstance(address, IPv6Address):
        inside = _inside(address)
        if inside is not None:
            return is_public(inside)
        if address.is_site_local:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _inside(address: IPv6Address) -> IPv4Address | None:
    """Return the address of IPv4 that one of IPv6 stands for."""
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    # Of Teredo, the client's.
    return address.ipv4_mapped or address.sixtofour or (address.teredo and address.teredo[1])


def anywhere(address: Address) -> bool:
    """Take any address: for a server of one's own."""
    return True
