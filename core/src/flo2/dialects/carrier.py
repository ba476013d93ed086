"""Carry one vendor's reasoning through a client of another dialect, so that it comes back whole.

A reasoning model wants its own thinking back in each step of a tool loop: sealed (Anthropic's
signature), encrypted (OpenAI), or under a host's own field. A client of another dialect has one
opaque text that it returns byte for byte: the signature of a thinking block, the encrypted content
of a reasoning item. A carrier is such a text: a prefix with a version, then the reasoning as JSON
in URL-safe base64. It holds nothing that its client has not been given, and is trusted no more than
the rest of that client's request. Pure. Imports: canonical.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, Final

import msgspec

from flo2.canonical import PartDelta, Reasoning
from flo2.dialects.jsonio import dumps, loads

__all__ = ["CarrierWriter", "carry", "holds_carrier", "is_carrier", "open_carrier", "returned"]

_PREFIX: Final = "flo2-carrier-1."
_PREFIX_BYTES: Final = _PREFIX.encode()


class _Carried(msgspec.Struct):
    origin: str
    text: str = ""
    signature: str | None = None
    encrypted: str | None = None
    id: str | None = None
    extras: dict[str, Any] = {}


def carry(part: Reasoning) -> str:
    """Write reasoning as one opaque text; `open_carrier` gives it back."""
    fields = {
        "origin": part.origin,
        "text": part.text,
        "signature": part.signature,
        "encrypted": part.encrypted,
        "id": part.id,
        "extras": dict(part.extras),
    }
    told = {key: value for key, value in fields.items() if value}
    return _PREFIX + urlsafe_b64encode(dumps(told)).decode().rstrip("=")


def is_carrier(text: str | None) -> bool:
    """Say whether a client's opaque text is a carrier."""
    return text is not None and text.startswith(_PREFIX)


def holds_carrier(body: bytes) -> bool:
    """Say whether a request's bytes hold a carrier, which no provider could read."""
    return _PREFIX_BYTES in body


def open_carrier(text: str) -> Reasoning:
    """Give back what was carried; of a carrier that was cut or changed, reasoning of nobody.

    Reasoning of nobody (`origin` "") is sent to no provider: each dialect names it as lost.
    """
    data = text.removeprefix(_PREFIX)
    try:
        raw = urlsafe_b64decode(data + "=" * (-len(data) % 4))
        found = msgspec.convert(loads(raw), _Carried)
    except (binascii.Error, ValueError, msgspec.ValidationError):
        return Reasoning()
    return Reasoning(
        found.text, found.signature, found.encrypted, found.origin, found.id, found.extras
    )


def returned(part: Reasoning) -> Reasoning:
    """Give what a client brought back: itself, or what it carries."""
    for text in (part.signature, part.encrypted):
        if text is not None and is_carrier(text):
            return open_carrier(text)
    return part


class CarrierWriter:
    """Gather reasoning as it comes in, for a carrier at its end.

    Args:
        part: How it begins.
    """

    __slots__ = ("_encrypted", "_extras", "_part", "_signature", "_text")

    def __init__(self, part: Reasoning) -> None:
        self._part = part
        self._text = [part.text]
        self._signature = [part.signature or ""]
        self._encrypted = [part.encrypted or ""]
        self._extras = dict(part.extras)

    def add(self, delta: PartDelta) -> None:
        """Take more of it."""
        self._text.append(delta.text)
        self._signature.append(delta.signature)
        self._encrypted.append(delta.encrypted)
        self._extras |= delta.extras

    def reasoning(self) -> Reasoning:
        """Give all of it."""
        return Reasoning(
            "".join(self._text),
            "".join(self._signature) or None,
            "".join(self._encrypted) or None,
            self._part.origin,
            self._part.id,
            self._extras,
        )
