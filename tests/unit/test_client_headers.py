"""What a plugin may see of a request's headers, and that nothing of them is lost."""

from __future__ import annotations

import pytest

from flo2.gateway.caller import ClientHeaders
from flo2.keys import CREDENTIAL_HEADERS

RAW = {b"host": b"h", b"x-flo2-route": b"cheap", b"user-agent": b"caf\xe9"}
TEXT = {"host": "h", "x-flo2-route": "cheap", "user-agent": "caf\xe9"}


def test_they_read_as_a_mapping_of_texts():
    headers = ClientHeaders(RAW)
    assert dict(headers) == TEXT
    assert len(headers) == 3
    assert headers.get("x-flo2-tags") is None
    assert repr(headers) == "ClientHeaders(['host', 'x-flo2-route', 'user-agent'])"


@pytest.mark.parametrize("name", sorted(CREDENTIAL_HEADERS))
def test_no_form_of_them_holds_a_key(name):
    given = {**RAW, name.encode(): b"flo2_sk_canary"}
    headers = ClientHeaders(given)
    assert dict(headers) == TEXT
    assert headers.raw == RAW
    assert given[name.encode()] == b"flo2_sk_canary"  # whoever authenticates still needs it
