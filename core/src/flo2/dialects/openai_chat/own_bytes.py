"""Make a client's own bytes fit the host, without reading what no host minds.

Imports: base, canonical.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from flo2.canonical import Loss
from flo2.dialects.base import Profile
from flo2.dialects.openai_chat.fit import fit
from flo2.dialects.openai_chat.losses import LossLog
from flo2.dialects.openai_chat.peek import decode_body
from flo2.dialects.openai_chat.usage import DIALECT

__all__ = ["check_bytes", "fit_bytes"]

_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_any: Final = msgspec.json.Decoder().decode
_READ: Final = frozenset({"messages", "response_format", "stream_options", "thinking"})


def fit_bytes(body: bytes, profile: Profile) -> bytes:
    """Give a request as its host takes it; what `fit` does not look into stays the bytes it is.

    Args:
        body: In this dialect; its losses are named where the call is checked.
        profile: What differs.

    Raises:
        InvalidRequest: it is no JSON object.
    """
    raw, read = _read(body, profile)
    fitted = fit({**raw, **read}, profile, lambda *_: None)
    fitted |= {
        name: raw[name] for name, value in read.items() if name in fitted and fitted[name] == value
    }
    return body if fitted == raw else msgspec.json.encode(fitted)


def check_bytes(body: bytes, profile: Profile) -> tuple[Loss, ...]:
    """Say what `fit_bytes` loses.

    Raises:
        InvalidRequest: it is no JSON object.
    """
    raw, read = _read(body, profile)
    log = LossLog(DIALECT)
    fit({**raw, **read}, profile, log.add)
    return tuple(log.losses)


def _read(body: bytes, profile: Profile) -> tuple[dict[str, msgspec.Raw], dict[str, Any]]:
    raw: dict[str, msgspec.Raw] = decode_body(body, _decode_fields)
    looked = raw.keys() & (_READ | profile.drops | profile.chat.fields.keys())
    return raw, {name: decode_body(bytes(raw[name]), _decode_any) for name in looked}
