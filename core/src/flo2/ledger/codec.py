"""Records as bytes: whole, for the journal, and canonical, for the hash chain and the stores.

The canonical form leaves the attribution out, because personal data must be erasable without
breaking the chain; a salted digest stands for it there (see `flo2.ledger.chain`).
Pure. Imports: records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Final, cast

import msgspec
from msgspec.structs import fields, replace

from flo2.records import Adjust, Attribution, Exchange, Intent, Pend, Record, Settle, Void

__all__ = [
    "canonical",
    "decode",
    "decode_attribution",
    "encode",
    "encode_attribution",
    "encode_json",
    "kind_of",
    "subject_of",
]

_KINDS: Final[Mapping[type, str]] = {
    Intent: "intent",
    Settle: "settle",
    Pend: "pend",
    Void: "void",
    Adjust: "adjust",
    Exchange: "exchange",
}
_DECODERS: Final[Mapping[str, msgspec.json.Decoder[Any]]] = {
    kind: msgspec.json.Decoder(cls) for cls, kind in _KINDS.items()
}
_ATTRIBUTED: Final = (Intent, Exchange)  # as a tuple: building a union costs more than the test
_ATTRIBUTION: Final = msgspec.json.Decoder(Attribution)
_plain: Final = msgspec.json.Encoder().encode
_SORTED: Final = msgspec.json.Encoder(order="sorted")
_SORTED_MAPS: Final = msgspec.json.Encoder(order="deterministic")
_ALWAYS_SAID: Final = object()
"""Stands where a field has no default: no value is the same, so none is left out."""
_name: Final = attrgetter("name")


class _Form:
    """Writes the fields of a record as JSON in order of name, one left out, and no defaults.

    Copying them into a struct whose fields are in that order takes half the time of having the
    encoder sort them for each record, and of cutting the attribution out afterwards.
    """

    def __init__(self, cls: type[Any], *, without: str = "") -> None:
        kept = sorted((each for each in fields(cls) if each.name != without), key=_name)
        columns: list[tuple[str, Any, Any]] = []
        for each in kept:
            default = _ALWAYS_SAID if each.required else each.default
            if each.default_factory is not msgspec.NODEFAULT:
                default = msgspec.field(default_factory=each.default_factory)
            columns.append((each.name, Any, default))
        struct = msgspec.defstruct(f"_{cls.__name__}", columns, omit_defaults=True, gc=False)
        self._struct: Callable[..., msgspec.Struct] = struct
        self._values = attrgetter(*map(_name, kept))

    def encode(self, value: Any) -> bytes:
        filled = self._struct(*self._values(value))
        try:
            return _SORTED_MAPS.encode(filled)
        except UnicodeEncodeError:
            return _SORTED.encode(_clean(msgspec.to_builtins(filled)))


_FLAT: Final[Mapping[type, _Form]] = {
    cls: _Form(cls, without="attribution") for cls in (Intent, Exchange)
}
_SAID: Final = _Form(Attribution)


def kind_of(record: Record) -> str:
    """Name a record's kind: `intent`, `settle`, `pend`, `void`, `adjust` or `exchange`."""
    return _KINDS[type(record)]


def subject_of(record: Record) -> str:
    """Give the id a record is found by: its entry's, or its exchange's."""
    return record.exchange_id if isinstance(record, Exchange) else record.entry_id


def encode(record: Record) -> bytes:
    """Write a whole record as JSON, its attribution included."""
    try:
        return _plain(record)
    except UnicodeEncodeError:
        return _plain(_clean(msgspec.to_builtins(record)))


def canonical(record: Record) -> bytes:
    """Write a record as JSON, keys sorted, attribution left out: the payload of its link."""
    form = _FLAT.get(type(record))
    return encode_json(record) if form is None else form.encode(record)


def decode(kind: str, payload: bytes | str, attribution: Attribution | None = None) -> Record:
    """Read a record back, from either form.

    Args:
        kind: As `kind_of` names it.
        payload: What `encode` or `canonical` wrote.
        attribution: Put into the record, for a canonical payload.

    Raises:
        ValueError: an unknown kind, or a payload that is no record of that kind.
    """
    decoder = _DECODERS.get(kind)
    if decoder is None:
        raise ValueError(f"unknown record kind {kind!r}; it was written by a newer flo2")
    record = cast("Record", decoder.decode(payload))  # its errors are ValueErrors
    if attribution is not None and isinstance(record, _ATTRIBUTED):
        return replace(record, attribution=attribution)
    return record


def encode_attribution(attribution: Attribution) -> bytes:
    """Write an attribution as JSON, keys sorted, without what it does not say.

    So its digest stays the same when a later version adds a field.
    """
    return _SAID.encode(attribution)


def encode_json(value: Any) -> bytes:
    """Write a part of a record as JSON, keys sorted, money as text."""
    try:
        return _SORTED.encode(value)
    except UnicodeEncodeError:
        return _SORTED.encode(_clean(msgspec.to_builtins(value)))


def decode_attribution(payload: bytes | str) -> Attribution:
    """Read an attribution back.

    Raises:
        ValueError: it is no attribution.
    """
    return _ATTRIBUTION.decode(payload)


def _clean(value: Any) -> Any:
    """Replace lone surrogates: a client may send them in JSON escapes, UTF-8 has no form for them.

    A record must never be lost over a character, so it is kept with U+FFFD instead.
    """
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value
