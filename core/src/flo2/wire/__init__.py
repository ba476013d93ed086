"""The HTTP client of flo2, and the only package that imports one.

`Wire` opens connections, `Endpoint` is a prepared base URL, `WireResponse` an answer. What no call
does: follow a redirect, use a proxy or a credential from the environment, keep a cookie, reach a
private address that the operator did not name, or pass off a cut-off body as whole.
Imports: errors.
"""

from __future__ import annotations

from flo2.wire.address import Address
from flo2.wire.client import Endpoint, Wire
from flo2.wire.destination import DestinationCheck
from flo2.wire.response import WireResponse
from flo2.wire.types import Headers, Limits, RawResponse, Timeouts, Transport

__all__ = [
    "Address",
    "DestinationCheck",
    "Endpoint",
    "Headers",
    "Limits",
    "RawResponse",
    "Timeouts",
    "Transport",
    "Wire",
    "WireResponse",
]
