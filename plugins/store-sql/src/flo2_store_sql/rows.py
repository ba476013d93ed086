"""Ledger records as rows, and rows as ledger records. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final

from attrs import fields
from sqlalchemy import Row

from flo2.errors import StoreError
from flo2.ledger.codec import (
    decode,
    decode_attribution,
    encode_attribution,
    encode_json,
    kind_of,
    subject_of,
)
from flo2.records import Attribution, Exchange, Intent, Pend, Record, Settle, Void
from flo2.stores import ChainLink

__all__ = [
    "END_COLUMNS",
    "EXCHANGE_COLUMNS",
    "INTENT_COLUMNS",
    "RECORD_COLUMNS",
    "end_row",
    "exchange_row",
    "intent_row",
    "link_of",
    "record_of",
    "record_row",
]

_ATTRIBUTION: Final = ("team", "feature", "customer", "end_user")
_INTENT: Final = tuple(
    each.name for each in fields(Intent) if each.name not in {"attribution", "losses"}
)
_EXCHANGE: Final = tuple(
    each.name for each in fields(Exchange) if each.name not in {"attribution", "losses", "plan"}
)
_ENDED: Final = ("entry_id", "ended_us", "outcome", "reason", "first_byte_us", "http_status")
_SETTLED: Final = (
    "status",
    "model_billed",
    "provider_request_id",
    "finish",
    "total",
    "list_total",
    "reported_total",
    "currency",
    "book",
)

RECORD_COLUMNS: Final = (
    "writer",
    "seq",
    "prev_hash",
    "hash",
    "kind",
    "subject",
    "account",
    "payload",
    "attribution",
    "attribution_salt",
    "attribution_digest",
)
INTENT_COLUMNS: Final = (*_INTENT, *_ATTRIBUTION, "tags", "losses", "writer", "status")
EXCHANGE_COLUMNS: Final = (*_EXCHANGE, *_ATTRIBUTION, "tags")
END_COLUMNS: Final = (
    *_ENDED,
    *_SETTLED,
    "meters",
    "lines",
    "context",
    "pending_low",
    "pending_high",
    "source",
)
"""What a closing record says, `entry_id` first."""

# One call gives all values of a record: a third of the time of asking for each by name.
_intent_values: Final = attrgetter(*_INTENT)
_exchange_values: Final = attrgetter(*_EXCHANGE)
_attribution_values: Final = attrgetter(*_ATTRIBUTION)
_ended_values: Final = attrgetter(*_ENDED)
_settled_values: Final = attrgetter(*_SETTLED)


def record_row(link: ChainLink) -> Sequence[Any]:
    """Make the row of `ledger_records`, as `RECORD_COLUMNS`."""
    record = link.record
    account = attribution = None
    if isinstance(record, Intent | Exchange):
        account = record.account
        if link.attribution_salt:
            attribution = encode_attribution(record.attribution).decode()
    return (
        link.writer,
        link.seq,
        link.prev_hash,
        link.hash,
        kind_of(record),
        subject_of(record),
        account,
        link.payload.decode(),
        attribution,
        link.attribution_salt or None,
        link.attribution_digest,
    )


def intent_row(writer: str, intent: Intent) -> Sequence[Any]:
    """Make the row of `ledger_entries` for an entry that begins, as `INTENT_COLUMNS`."""
    return [
        *_plain(_intent_values(intent)),
        *_attribution_row(intent.attribution),
        _json(intent.losses) if intent.losses else "[]",
        writer,
        "open",
    ]


def end_row(record: Settle | Pend | Void) -> Sequence[Any]:
    """Make what a closing record changes in `ledger_entries`, as `END_COLUMNS`."""
    ended = _plain(_ended_values(record))
    match record:
        case Settle():
            return [
                *ended,
                *_plain(_settled_values(record)),
                _json(record.meters),
                _json(record.lines),
                _json(record.context) if record.context else "{}",
                *[None] * 3,
            ]
        case Pend():
            billed = (record.model_billed, record.provider_request_id)
            bounds = (record.low, record.high)
            return [*ended, "pending", *_plain(billed), *[None] * 9, *_plain(bounds), None]
        case Void():
            no_cost = ["void", None, None, None, "0"]
            return [*ended, *no_cost, *[None] * 9, *_plain((record.source,))]


def exchange_row(exchange: Exchange) -> Sequence[Any]:
    """Make the row of `exchanges`, as `EXCHANGE_COLUMNS`."""
    return [*_plain(_exchange_values(exchange)), *_attribution_row(exchange.attribution)]


def record_of(row: Row[Any]) -> Record:
    """Read a row of `ledger_records` back.

    Raises:
        StoreError: it is no record.
    """
    try:
        attribution = None if row.attribution is None else decode_attribution(row.attribution)
        return decode(row.kind, row.payload, attribution)
    except ValueError as exc:
        raise StoreError(
            f"writer {row.writer!r}, record {row.seq}: cannot be read back: it was edited ({exc}); "
            "see `flo2 ledger verify`"
        ) from exc


def link_of(row: Row[Any]) -> ChainLink:
    """Read a row of `ledger_records` back, with its place in the chain.

    Raises:
        StoreError: it is no record, or is found by other values than its own.
    """
    record = record_of(row)
    attribution = getattr(record, "attribution", None)
    same = (
        subject_of(record) == row.subject
        and getattr(record, "account", None) == row.account
        and (
            row.attribution is None
            or (
                isinstance(attribution, Attribution)
                and encode_attribution(attribution).decode() == row.attribution
            )
        )
    )
    if not same:
        raise StoreError(
            f"writer {row.writer!r}, record {row.seq}: is found by foreign values: it was edited"
        )
    return ChainLink(
        writer=row.writer,
        seq=row.seq,
        prev_hash=row.prev_hash,
        hash=row.hash,
        record=record,
        payload=row.payload.encode(),
        attribution_digest=row.attribution_digest,
        attribution_salt=row.attribution_salt or "",
    )


def _attribution_row(attribution: Attribution) -> list[Any]:
    values = _plain(_attribution_values(attribution))
    values.append(_json(attribution.tags) if attribution.tags else "{}")
    return values


def _plain(values: Iterable[Any]) -> list[Any]:
    """Write money as text, and leave out what a text column cannot hold."""
    return [
        value
        if value is None or (kind := type(value)) is int or (kind is str and value.isprintable())
        else _text(value)
        for value in values
    ]


def _text(value: Any) -> Any:
    if isinstance(value, str):
        # PostgreSQL refuses NUL in text, UTF-8 a lone surrogate.
        return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    return str(value) if isinstance(value, Decimal) else value


def _json(value: Any) -> str:
    return encode_json(value).decode()
