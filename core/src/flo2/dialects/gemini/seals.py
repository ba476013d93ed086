"""Thought signatures as reasoning without words, and other vendors' reasoning as a signature.

Google signs any part, not only thoughts. Everybody else knows signatures on reasoning alone, and
has means to hand that through a client; so a signature becomes a `Reasoning` of its own, whose
`extras["seals"]` says which part it stood on.

Reasoning of another vendor goes through a client of this dialect as a carrier. SDKs decode a
`thoughtSignature` as bytes and encode it anew, so the carrier is wrapped in base64.
Pure. Imports: canonical, carrier.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, Final

from flo2.canonical import Reasoning
from flo2.dialects.carrier import carry, is_carrier, open_carrier
from flo2.dialects.gemini.spelling import alphabet
from flo2.dialects.gemini.vocabulary import NAME

__all__ = [
    "BESIDE",
    "ON_NEXT",
    "ON_PREVIOUS",
    "carrier_signature",
    "holds_wrapped_carrier",
    "seal",
    "seals",
    "unseal",
]

ON_PREVIOUS: Final = "previous"
ON_NEXT: Final = "next"
BESIDE: Final = "none"  # an empty text that only carries the signature

# How every carrier begins: a prefix of 15 bytes, which is 20 characters of base64 whatever follows.
_WRAPPED: Final = b64encode(carry(Reasoning())[:15].encode()).decode()
_WRAPPED_BYTES: Final = _WRAPPED.encode()


def seal(signature: str, place: str, extras: Mapping[str, Any] | None = None) -> Reasoning:
    """Make the reasoning that stands for a signature on another part."""
    return Reasoning("", signature, origin=NAME, extras={"seals": place, **(extras or {})})


def seals(part: Reasoning) -> str | None:
    """Say which part a signature stood on; None: on reasoning itself."""
    place = part.extras.get("seals")
    return place if isinstance(place, str) else None


def unseal(text: str, signature: str | None, extras: Mapping[str, Any]) -> Reasoning:
    """Read a thought, or the other vendor's reasoning that it carries."""
    if signature is None:
        return Reasoning(text, origin=NAME, extras=extras)
    if signature.startswith(_WRAPPED):
        try:
            wrapped = alphabet(signature)
            carrier = b64decode(wrapped + "=" * (-len(wrapped) % 4)).decode()
        except (binascii.Error, UnicodeDecodeError):
            return Reasoning()
        return open_carrier(carrier) if is_carrier(carrier) else Reasoning()
    return Reasoning(text, signature, origin=NAME, extras=extras)


def carrier_signature(part: Reasoning) -> str:
    """Write another vendor's reasoning as a thought signature."""
    return b64encode(carry(part).encode()).decode()


def holds_wrapped_carrier(body: bytes) -> bool:
    """Say whether a request's bytes hold a carrier, which no provider could read."""
    return _WRAPPED_BYTES in body
