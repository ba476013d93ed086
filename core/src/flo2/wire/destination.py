"""Decide which network addresses a call may reach, at the moment of connecting.

A name is looked up once, *every* address it has is judged, and the connection goes to a judged
address, so a name cannot be rebound between check and use. Strings are never judged, only
addresses: `getaddrinfo` understands `127.1`, `0x7f.1` and `2130706433` too. Imports: errors.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import anyio

from flo2.errors import ConnectFailed, DestinationRefused

__all__ = ["DestinationCheck", "Lookup"]

Network = IPv4Network | IPv6Network
Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to numeric addresses; raises `OSError` (`socket.gaierror`) when there are none."""

# ipaddress calls these global, though they lead inside (Python 3.11-3.13, tried 2026-11-25):
_DENIED: tuple[tuple[Network, str], ...] = (
    (IPv6Network("64:ff9b:1::/48"), "local NAT64"),  # RFC 8215
    (IPv6Network("2001::/32"), "Teredo"),  # RFC 4380
    (IPv6Network("fec0::/10"), "site-local"),  # RFC 3879
    (IPv4Network("192.88.99.0/24"), "6to4 relay"),  # RFC 7526
    # One cloud's platform channel answers on a public address from inside every VM:
    # https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
    (IPv4Network("168.63.129.16/32"), "cloud metadata"),
)
_METADATA = frozenset({ip_address("169.254.169.254"), ip_address("fd00:ec2::254")})
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052


async def system_lookup(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver, in a thread."""
    infos = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in infos))


class DestinationCheck:
    """The rule for addresses: public ones, and the private networks that the operator named.

    Args:
        allow_private: Networks that are allowed although they are not public.
        lookup: The resolver; tests give their own.
    """

    def __init__(
        self, allow_private: Sequence[Network] = (), *, lookup: Lookup = system_lookup
    ) -> None:
        self._allowed = tuple(allow_private)
        self._lookup = lookup

    def refusal(self, address: str) -> str | None:
        """Judge one address.

        Args:
            address: Numeric; an IPv6 scope (`%eth0`) is ignored.

        Returns:
            Why it is refused, or None when it is allowed.
        """
        ip = ip_address(address.partition("%")[0])
        for form in _forms(ip):
            if not any(form in network for network in self._allowed):
                reason = _why_not(form)
                if reason is not None:
                    return reason
        return None

    def require(self, host: str, addresses: Sequence[str]) -> None:
        """Let all addresses of a host pass, or none.

        Raises:
            DestinationRefused: at least one is not allowed; names host, address and reason.
        """
        for address in addresses:
            reason = self.refusal(address)
            if reason is not None:
                raise DestinationRefused(
                    f"destination {host!r} is {address} ({reason}); "
                    "if that is meant, name its network in allow_private"
                )

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Look a host up and check all it has.

        Returns:
            Numeric addresses, at least one, in the resolver's order.

        Raises:
            DestinationRefused: at least one address is not allowed.
            ConnectFailed: the name has no address.
        """
        try:
            addresses = await self._lookup(host, port)
        except (OSError, UnicodeError):
            addresses = ()
        if not addresses:
            raise ConnectFailed(f"no address found for host {host!r}; check the base URL and DNS")
        self.require(host, addresses)
        return addresses


def _forms(ip: IPv4Address | IPv6Address) -> tuple[IPv4Address | IPv6Address, ...]:
    """Give the address and the IPv4 address it carries, by which a gateway would forward it."""
    if isinstance(ip, IPv4Address):
        return (ip,)
    if ip.ipv4_mapped is not None:
        return (ip.ipv4_mapped,)  # the same host on the wire: only the inner one counts
    if ip in _NAT64:
        return (IPv4Address(int(ip) & 0xFFFFFFFF),)
    if ip.sixtofour is not None:
        return (ip, ip.sixtofour)
    if ip.teredo is not None:
        return (ip, *ip.teredo)
    return (ip,)


def _why_not(ip: IPv4Address | IPv6Address) -> str | None:
    if ip in _METADATA:
        return "cloud metadata"
    for network, reason in _DENIED:
        if ip in network:
            return reason
    for reason, bad in (
        ("unspecified", ip.is_unspecified),
        ("loopback", ip.is_loopback),
        ("link-local", ip.is_link_local),
        ("multicast", ip.is_multicast),
        ("reserved", ip.is_reserved),
        ("private", ip.is_private or not ip.is_global),
    ):
        if bad:
            return reason
    return None
