"""The conformance kit over HTTP: whether a gateway, flo2 or another, keeps what its APIs promise.

    python -m flo2.testing http://127.0.0.1:8787 --key flo2_sk_… --model acme/m1

`run` does it from Python; `SURFACES` is the table of what it speaks to.
"""

from __future__ import annotations

from flo2.testing.conformance.client import GatewayUnreachable
from flo2.testing.conformance.rehearsed import RehearsedUpstream
from flo2.testing.conformance.report import Report, Result
from flo2.testing.conformance.run import run
from flo2.testing.conformance.surfaces import SURFACES, Surface

__all__ = [
    "SURFACES",
    "GatewayUnreachable",
    "RehearsedUpstream",
    "Report",
    "Result",
    "Surface",
    "run",
]
