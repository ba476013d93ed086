"""The table of addresses; no network."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from flo2.errors import DestinationRefused
from flo2.wire import DestinationCheck


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1", "loopback"),
        ("127.255.0.9", "loopback"),
        ("10.1.2.3", "private"),
        ("172.16.0.1", "private"),
        ("192.168.1.1", "private"),
        ("100.64.0.1", "private"),
        ("198.18.0.1", "private"),
        ("192.0.2.1", "private"),
        ("169.254.0.7", "link-local"),
        ("169.254.169.254", "cloud metadata"),
        ("168.63.129.16", "cloud metadata"),
        ("0.0.0.0", "unspecified"),  # noqa: S104  # judged, not bound
        ("224.0.0.1", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("192.88.99.1", "6to4 relay"),
        ("::1", "loopback"),
        ("::", "unspecified"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("fc00::1", "private"),
        ("fd00:ec2::254", "cloud metadata"),
        ("fec0::1", "site-local"),
        ("ff02::1", "multicast"),
        ("2001:db8::1", "private"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:169.254.169.254", "cloud metadata"),
        ("::127.0.0.1", "reserved"),
        ("::ffff:0:127.0.0.1", "reserved"),
        ("64:ff9b::7f00:1", "loopback"),
        ("64:ff9b::a9fe:a9fe", "cloud metadata"),
        ("64:ff9b:1::1", "local NAT64"),
        ("2002:7f00:1::", "loopback"),
        ("2002:a9fe:a9fe::1", "cloud metadata"),
        ("2001:0:1::1", "Teredo"),
    ],
)
def test_address_is_refused_with_its_reason(address, reason):
    assert DestinationCheck().refusal(address) == reason


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "104.18.7.192", "2606:4700::6812:7c0", "::ffff:8.8.8.8", "64:ff9b::808:808"],
)
def test_public_address_is_allowed(address):
    assert DestinationCheck().refusal(address) is None


@pytest.mark.parametrize(
    ("network", "address", "allowed"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "192.168.0.1", False),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("127.0.0.0/8", "::1", False),
        ("::1/128", "::1", True),
        ("fd00::/8", "fd12::1", True),
        ("2001::/32", "2001:0:1::1", False),  # the IPv4 inside is still judged
    ],
)
def test_named_networks_are_allowed(network, address, allowed):
    check = DestinationCheck([ip_network(network)])
    assert (check.refusal(address) is None) is allowed


def test_all_addresses_must_pass():
    with pytest.raises(DestinationRefused) as caught:
        DestinationCheck().require("a.example", ["8.8.8.8", "::1"])
    assert str(caught.value) == (
        "destination 'a.example' is ::1 (loopback); "
        "if that is meant, name its network in allow_private"
    )
