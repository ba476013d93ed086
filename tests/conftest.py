"""What holds for every test here: nothing leaves this machine, and measuring it costs little."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Generator

import coverage
import pytest

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

_BULK = {"laws", "recordings"}
"""Folders whose tests go over the same lines many thousand times; others cover those lines too."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Leave the bulk out of what coverage measures: it would take as long again as the tests."""
    measuring = coverage.Coverage.current()
    if measuring is None or item.path.parent.name not in _BULK:
        return (yield)
    measuring.stop()
    try:
        return (yield)
    finally:
        measuring.start()
