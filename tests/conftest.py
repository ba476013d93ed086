"""What holds for every test here: nothing leaves this machine."""

from __future__ import annotations

import ipaddress
import sys

_INTERNET_FAMILIES = {2, 10, 23, 30}  # AF_INET, and AF_INET6 on Linux, Windows and macOS


def _refuse_the_network(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse a connection to anything but this machine, before it is attempted."""
    if event != "socket.connect":
        return
    connection, address = arguments
    if getattr(connection, "family", None) not in _INTERNET_FAMILIES:
        return
    host = str(address[0]) if isinstance(address, tuple) else str(address)
    if not ipaddress.ip_address(host.partition("%")[0]).is_loopback:
        msg = f"a test may not connect to {host!r}: use a fake upstream on 127.0.0.1"
        raise PermissionError(msg)


# An audit hook sees every connect of this process, whichever library or thread makes it.
sys.addaudithook(_refuse_the_network)
